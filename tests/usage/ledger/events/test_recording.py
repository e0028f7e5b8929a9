"""Reported events: what is kept of them, what is refused, which of several with one key counts."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Customer
from tests import factories as make
from tests.scenarios.closing import close
from usage import ledger
from usage.commands import Origin, ReportEvent
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def command_of(owner, alias="gx", **changes) -> ReportEvent:
    command = ReportEvent(
        origin=Origin(workspace_id=owner.pk, source="api", dialect="sequence", recorded_by="key ark_live_x"),
        customer_alias=alias,
        event_type="message-sent",
        occurred_at=make.moment(AT),
        key=None,
        properties={},
        supersedes=True,
    )
    return replace(command, **changes)


def test_an_event_keeps_what_was_sent():
    owner = make.workspace()
    globex = make.customer(owner, aliases=["gx"])
    command = command_of(
        owner,
        key="m-1",
        occurred_at=make.moment("2026-01-10 08:30", tz="America/New_York"),
        properties={"length": Decimal("0.1"), "to": ["ann", None]},
    )

    told = ledger.report_event(command=command, recorded_at=make.moment("2026-01-11"))

    record = UsageRecord.objects.get()
    assert (told.id, told.handle, told.key, told.customer_id) == (record.pk, record.pk, "m-1", globex.pk)
    assert (told.occurred_at, told.recorded_at) == (make.moment("2026-01-10 13:30"), make.moment("2026-01-11"))
    assert (record.customer, record.customer_alias, record.event_type) == (globex, "gx", "message-sent")
    assert (record.line_id, record.quantity, record.kind, record.key) == (None, None, "entry", "m-1")
    assert (record.occurred_at, record.recorded_at) == (told.occurred_at, told.recorded_at)
    assert (record.source, record.dialect, record.recorded_by) == ("api", "sequence", "key ark_live_x")
    assert record.properties == told.properties == {"length": Decimal("0.1"), "to": ["ann", None]}
    assert (record.is_late, told.is_late) == (False, False)


@pytest.mark.parametrize("key", [None, "m-1"])
def test_an_event_of_a_known_alias_takes_one_statement(key):
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])

    with CaptureQueriesContext(connection) as queries:
        make.event(owner, "gx", AT, key=key)

    assert len(queries) == 1


def test_an_event_without_a_key_gets_one():
    owner = make.workspace()

    keys = {make.event(owner, "gx", AT).key for _ in range(3)}

    assert len(keys) == 3
    assert set(UsageRecord.objects.values_list("key", flat=True)) == keys


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_alias": ""}, "customer_alias"),
        ({"customer_alias": "x" * 256}, "customer_alias"),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 256}, "event_type"),
        ({"key": ""}, "key"),
        ({"key": "x" * 256}, "key"),
        ({"properties": {"deep": Decimal("1e2000")}}, "properties"),
    ],
)
def test_what_cannot_be_kept_is_refused_on_its_field(change, field):
    owner = make.workspace()

    with pytest.raises(ledger.UnableToRecord) as refusal:
        ledger.report_event(command=command_of(owner, **change), recorded_at=make.moment(AT))

    assert refusal.value.field == field
    assert not UsageRecord.objects.exists()


def test_texts_of_255_characters_are_kept():
    longest = "ä" * 255
    command = command_of(make.workspace(), longest, event_type=longest, key=longest)

    told = ledger.report_event(command=command, recorded_at=make.moment(AT))

    record = UsageRecord.objects.get(pk=told.id)
    assert (record.customer_alias, record.event_type, record.key) == (longest,) * 3


@pytest.mark.parametrize("aliases", [(), ("gx",)])
def test_the_last_event_received_with_a_key_counts(aliases):
    owner = make.workspace()
    make.customer(owner, aliases=aliases)

    first, second, third = (make.event(owner, "gx", AT, key="m-1", length=length) for length in (1, 2, 3))

    assert [told.handle for told in (second, third)] == [first.id] * 2
    rows = UsageRecord.objects.order_by("id").values_list("kind", "origin_id", "superseded_by_id", "properties")
    assert list(rows) == [
        ("entry", None, second.id, {"length": 1}),
        ("correction", first.id, third.id, {"length": 2}),
        ("correction", first.id, None, {"length": 3}),
    ]


def test_an_event_sent_again_comes_back_after_a_retraction():
    owner = make.workspace()
    make.customer(owner, aliases=["gx"])
    first = make.event(owner, "gx", AT, key="m-1")
    make.take_event_back(first)

    make.event(owner, "gx", AT, key="m-1")

    assert [record.kind for record in UsageRecord.objects.live()] == ["correction"]


def test_what_comes_before_the_open_period_is_late():
    owner = make.workspace()
    line = make.counting_line(make.customer(owner, aliases=["gx"]), make.event_brick(owner))
    other = make.customer(owner, "Initech", aliases=["in"])
    in_january = make.event(owner, "gx", AT, key="m-1")
    close(owner, "2026-02-01")

    told = {
        "before": make.event(owner, "gx", "2026-01-31 23:59:59"),
        "after": make.event(owner, "gx", "2026-02-01"),
        "of another type": make.event(owner, "gx", "2026-01-10", event_type="call"),
        "of another customer": make.event(owner, "in", "2026-01-10"),
        "moved away": make.event(owner, "gx", "2026-02-10", key="m-1"),
    }

    line.subscription.customer.refresh_from_db()
    assert not in_january.is_late
    assert line.subscription.customer.events_open_from_at == make.moment("2026-02-01")
    assert Customer.objects.get(pk=other.pk).events_open_from_at is None
    assert [name for name, event in told.items() if event.is_late] == ["before", "of another type", "moved away"]


def test_closing_marks_only_customers_whose_events_are_counted():
    line = make.line()
    close(line.workspace, "2026-02-01")

    assert Customer.objects.get().events_open_from_at is None


def test_a_subscription_that_begins_later_does_not_move_the_mark():
    owner = make.workspace()
    globex, brick = make.customer(owner, aliases=["gx"]), make.event_brick(owner)
    make.counting_line(globex, brick)
    make.counting_line(globex, brick, starts_on=make.moment("2026-07-01").date())

    close(owner, "2026-02-01")

    globex.refresh_from_db()
    assert globex.events_open_from_at == make.moment("2026-02-01")
