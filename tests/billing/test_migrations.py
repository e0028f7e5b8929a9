"""What migrations make of rows that are there: run on a database of its own, from one state to the next."""

import uuid
from datetime import UTC, date, datetime

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


def add_line(apps, workspace, line_id, **fields):
    def made(model, **fields):
        return apps.get_model("billing", model).objects.using("migrated").create(workspace=workspace, **fields)

    customer = made("Customer", id=uuid.uuid4(), name="Globex")
    brick = made("Brick", id=uuid.uuid4(), name="Calls")
    price = made("Price", brick=brick, name="list", currency="USD")
    terms = {"starts_at": START, "open_from_at": START}
    subscription = made(
        "Subscription", id=uuid.uuid4(), customer=customer, currency="USD", anchor_on=date(2026, 1, 1), **terms
    )
    made("Line", id=line_id, subscription=subscription, brick=brick, price=price, **terms, **fields)


def test_lines_get_their_keys_as_numbers_and_workspaces_go_on_from_there(migrate):
    before = migrate("0011_close_items_hold_their_subscriptions")  # before line_numbers
    spaces = before.get_model("billing", "Workspace").objects.using("migrated")
    first, other, spoiled, empty = (
        spaces.create(code=code, name=code, time_zone="UTC", currency="USD") for code in ("a", "b", "c", "d")
    )
    for workspace, line_id in [(first, 3), (first, 8), (other, 5), (spoiled, 2**53 - 1), (spoiled, 2**53), (other, 9)]:
        add_line(before, workspace, line_id)

    after = migrate("0012_line_numbers")

    lines = after.get_model("billing", "Line").objects.using("migrated").order_by("pk")
    # No client could name the line beyond the range, so it gets a number.
    assert list(lines.values_list("pk", "number")) == [
        (3, 3),
        (5, 5),
        (8, 8),
        (9, 9),
        (2**53 - 1, 2**53 - 1),
        (2**53, 1),
    ]
    series = after.get_model("billing", "NumberSeries").objects.using("migrated").filter(kind="line")
    assert dict(series.values_list("workspace_id", "next_sequence")) == {
        first.pk: 9,
        other.pk: 10,
        spoiled.pk: 2,
        empty.pk: 1,
    }


def test_an_end_of_a_line_before_its_subscriptions_is_its_own(migrate):
    before = migrate("0015_names")
    workspace = (
        before.get_model("billing", "Workspace")
        .objects.using("migrated")
        .create(code="a", name="a", time_zone="UTC", currency="USD")
    )
    february, march = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    ends = [(None, None), (None, march), (february, march), (march, march)]
    models = {name: before.get_model("billing", name).objects.using("migrated") for name in ("Line", "Subscription")}
    for number, (ends_at, subscription_ends_at) in enumerate(ends, start=1):
        add_line(before, workspace, number, number=number)
        models["Line"].filter(pk=number).update(ends_at=ends_at)
        models["Subscription"].filter(lines__number=number).update(ends_at=subscription_ends_at)

    after = migrate("0016_own_ends_of_lines")

    lines = after.get_model("billing", "Line").objects.using("migrated").order_by("pk")
    assert list(lines.values_list("own_ends_at", flat=True)) == [None, None, february, None]
