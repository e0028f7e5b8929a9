"""Refuse to delete people and log entries: people are deactivated, as the history names them."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import Model, ProtectedError
from django.db.models.signals import pre_delete

REASONS: dict[type[Model], str] = {
    User: "People are deactivated, not deleted: the history of what they changed names them.",
    LogEntry: "What was done stays in the history.",
}


def refuse_deletion(*, sender: type[Model], instance: Any, **_: Any) -> None:
    """Raise ``ProtectedError``, however the row was to be deleted."""
    raise ProtectedError(REASONS[sender], {instance})


def protect() -> None:
    """Refuse to delete people and log entries from now on. Django's own foreign key would delete entries as well."""
    for model in REASONS:
        pre_delete.connect(refuse_deletion, sender=model, dispatch_uid="billing.people")
