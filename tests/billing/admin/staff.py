"""Log in to the panel, and count the queries of its pages."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Workspace


def client_of(*permissions: str, name: str = "Fiona Ledger") -> Client:
    """A client logged in as staff with just these permissions, such as "usage.view_usagerecord"."""
    first, _, last = name.partition(" ")
    user = User.objects.create_user(f"{first}-{User.objects.count()}", first_name=first, last_name=last, is_staff=True)
    for permission in permissions:
        app, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return logged_in(user)


def administrator() -> Client:
    return logged_in(
        User.objects.create_superuser(f"admin-{User.objects.count()}", first_name="Fiona", last_name="Ledger")
    )


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def turn_to(client: Client, workspace: Workspace) -> Client:
    """Let the panel show a workspace to whoever is logged in."""
    assert client.post(reverse("panel_workspace"), {"workspace": workspace.pk}).status_code == 302
    return client


def queries_of(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def shown_status(client: Client, url: str, query: dict[str, str]) -> int:
    """The status of a page, 500 where showing it raises."""
    client.raise_request_exception = False
    return client.get(url, query).status_code


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors that a form page shows, by field."""
    return {field: list(map(str, errors)) for field, errors in response.context["form"].errors.items()}


def post_and_confirm(client: Client, url: str, data: dict[str, Any]) -> Any:
    """Post a form that asks once more, and answer all that it asks."""
    asked = client.post(url, data)
    answers = [question.answer for question in asked.context["form"].unanswered]
    assert answers, errors_of(asked)
    return client.post(url, data | {"once_more": answers})


def problems_of(response: Any) -> list[str]:
    """All errors that a row's page shows, its own and its inlines'."""
    found = response.context["errors"]
    return [str(text) for error in found for text in ([error] if isinstance(error, str) else error)]


def source_of(response: Any) -> str:
    """The source of a page as a browser reads it: runs of blanks are one, and none stand beside a tag."""
    return re.sub(r" ?(<[^>]*>) ?", r"\1", re.sub(r"[ \n]+", " ", response.content.decode()))
