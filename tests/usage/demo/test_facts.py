import pytest
from django.contrib.auth.models import User

from billing.models import ApiKey
from tests.factories import moment
from usage import demo
from usage.dialects import BY_NAME

pytestmark = pytest.mark.django_db

NOW = moment("2026-11-20 12:00")


def test_the_logins_that_are_told_let_in_and_cannot_be_guessed():
    demo.load(as_of=NOW)

    logins = {login["username"]: login["password"] for login in demo.facts()["logins"]}

    assert logins.keys() == {"admin", "finance"}
    # Hexadecimal digits of four bits each.
    assert {len(password) for password in logins.values()} == {32}
    assert all(User.objects.get(username=name).check_password(password) for name, password in logins.items())


def test_each_dialect_is_told_where_its_clients_send():
    demo.load(as_of=NOW)

    told = demo.facts()["dialects"]

    assert told.keys() == BY_NAME.keys()
    for name, dialect in BY_NAME.items():
        assert f"{told[name]['base_url']}/".startswith(f"/{dialect.mount}"), name
        assert told[name]["headers"], name


def test_a_key_that_was_revoked_is_told_no_more():
    workspace = demo.load(as_of=NOW)
    key = demo.facts()["dialects"]["salesbricks_v2"]["headers"]["X-SALESBRICKS-KEY"]
    assert ApiKey.objects.get(workspace=workspace).prefix == key[: len(ApiKey.objects.get(workspace=workspace).prefix)]

    ApiKey.objects.filter(workspace=workspace).update(revoked_at=NOW)

    dialects = demo.facts()["dialects"]
    assert dialects["salesbricks_v2"]["headers"]["X-SALESBRICKS-KEY"] is None
    assert dialects["salesbricks_v2"]["test_headers"]["X-SALESBRICKS-KEY"].startswith("ark_test_")
