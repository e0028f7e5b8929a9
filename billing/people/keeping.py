"""Prevent the deletion of users and log entries: users are deactivated, since the history refers to them."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import Model, ProtectedError
from django.db.models.signals import pre_delete

REASONS: dict[type[Model], str] = {
    User: "Users can't be deleted, only deactivated: the history refers to them.",
    LogEntry: "Entries of the log can't be deleted.",
}


def refuse_deletion(*, sender: type[Model], instance: Any, **_: Any) -> None:
    """Raise ``ProtectedError``, whatever deletes the row."""
    raise ProtectedError(REASONS[sender], {instance})


def protect() -> None:
    """Prevent the deletion of users and log entries from now on. Django would delete a user's entries too."""
    for model in REASONS:
        pre_delete.connect(refuse_deletion, sender=model, dispatch_uid="billing.people")
