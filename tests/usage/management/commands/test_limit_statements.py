"""The command limit_statements: the statement that it ran, or why there is none."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.storage import timeouts

pytestmark = pytest.mark.django_db


@pytest.mark.once
def test_sqlite_has_no_limit():
    with pytest.raises(CommandError, match="SQLite has no statement timeout"):
        call_command("limit_statements")


@pytest.mark.postgres
def test_the_statement_is_told(monkeypatch):
    monkeypatch.setattr(timeouts, "set_role_default", lambda: "ALTER ROLE arrears SET statement_timeout = '5s'")
    said = StringIO()

    call_command("limit_statements", stdout=said)

    assert said.getvalue().splitlines() == [
        "ALTER ROLE arrears SET statement_timeout = '5s';",
        "It applies to new sessions: a pooler may keep old ones for a while.",
    ]
