"""The command demo: for people, for scripts and for a shell; in production only on purpose."""

import json
import shlex
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import Workspace
from usage import demo

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture(autouse=True)
def _address(monkeypatch, settings):
    settings.EMBEDDED = True
    monkeypatch.setenv("HOST", "127.0.0.1")
    monkeypatch.setenv("PORT", "8123")


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("demo", *arguments, stdout=out)
    return out.getvalue()


def test_a_person_is_told_where_to_log_in_and_as_whom():
    lines = said().splitlines()

    live = Workspace.objects.get(code="acc_demo", mode="live")
    assert lines[0] == f"The workspace acc_demo exists. Log in at http://127.0.0.1:8123/admin/?workspace={live.pk} as"
    logins = {login["username"]: login["password"] for login in demo.facts()["logins"]}
    assert lines[1:] == [
        f"  admin / {logins['admin']}  (administrator)",
        f"  finance / {logins['finance']}  (finance)",
    ]


def test_a_script_is_given_all_facts_as_json_and_a_shell_its_variables():
    told = json.loads(said("--json"))
    variables = dict(shlex.split(line)[0].split("=", 1) for line in said("--shell").splitlines())

    assert told == {"base": "http://127.0.0.1:8123", **demo.facts()}
    assert list(variables) == ["BASE", "KEY", "LINE", "SUBSCRIPTION", "BRICK", "ITEM", "ALIAS"]
    assert variables["BASE"] == told["base"]
    assert variables["KEY"] == told["dialects"]["salesbricks_v2"]["headers"]["X-SALESBRICKS-KEY"]
    assert variables["LINE"] == str(told["dialects"]["piriod"]["subscription_line"])


def test_a_production_database_gets_a_demo_only_on_purpose(settings):
    settings.EMBEDDED = False

    with pytest.raises(CommandError, match="Add --in-production if you mean it"):
        said()
    assert not Workspace.objects.exists()

    assert said("--in-production").startswith("The workspace acc_demo exists.")
