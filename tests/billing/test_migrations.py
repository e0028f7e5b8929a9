"""What migrations make of rows that are there: run on a database of its own, from one state to the next."""

from datetime import UTC, datetime

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def migrate(tmp_path, django_db_blocker):
    """Return what brings the database to a migration of billing, and returns the models of that state."""
    connections.databases["migrated"] = connections.databases["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "migrated.sqlite3"),
        "OPTIONS": {},
    }

    def to(name):
        executor = MigrationExecutor(connections["migrated"])
        return executor.migrate([("billing", name)]).apps

    with django_db_blocker.unblock():
        yield to
        connections["migrated"].close()
    del connections["migrated"], connections.databases["migrated"]


def test_last_uses_of_keys_leave_their_table_and_come_back(migrate):
    before = migrate("0001_initial")
    spaces = before.get_model("billing", "Workspace").objects.using("migrated")
    first, other = (spaces.create(code=code, name=code, time_zone="UTC", currency="USD") for code in ("a", "b"))
    keys = before.get_model("billing", "ApiKey").objects.using("migrated")
    for name, workspace, used_at in (("x", first, START), ("y", other, None), ("z", other, START)):
        keys.create(workspace=workspace, name=name, digest=name, last_used_at=used_at)

    after = migrate("0002_uses_of_keys")

    uses = after.get_model("billing", "ApiKeyUse").objects.using("migrated").order_by("pk")
    assert list(uses.values_list("workspace_id", "api_key__name", "last_used_at")) == [
        (first.pk, "x", START),
        (other.pk, "z", START),
    ]
    back = migrate("0001_initial").get_model("billing", "ApiKey").objects.using("migrated")
    assert list(back.order_by("pk").values_list("name", "last_used_at")) == [("x", START), ("y", None), ("z", START)]
