"""Many records at once: what comes of them is what would come of one after the other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from types import FrameType
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import contracts
from billing.limits import Limits
from billing.models import Line, Workspace
from tests import factories as make
from tests.scenarios.closing import close
from usage import ledger
from usage.commands import LineByBrick, LineByName, LineByNumber, Origin, RecordUsage, ReportEvent
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

NOW = make.moment("2026-02-20")


def origin_of(workspace: Workspace, dialect: str = "native") -> Origin:
    return Origin(workspace_id=workspace.pk, source="api", dialect=dialect, recorded_by="key ark_live_x")


def report(line: Line, quantity: str, at: str = "2026-01-10", **details: Any) -> RecordUsage:
    given = {"origin": origin_of(line.workspace), "address": LineByNumber(line.number), **details}
    return RecordUsage(quantity=Decimal(quantity), occurred_at=make.moment(at), **given)


def event(workspace: Workspace, alias: str, at: str = "2026-01-10", **details: Any) -> ReportEvent:
    given = {"key": None, "properties": {"length": 3}, "supersedes": False, "event_type": "message-sent", **details}
    return ReportEvent(origin=origin_of(workspace), customer_alias=alias, occurred_at=make.moment(at), **given)


Outcome = ledger.Recorded | ledger.RecordedEvent | ledger.UnableToRecord


def record_many(*commands: RecordUsage | ReportEvent) -> list[Any]:
    return ledger.record_many(commands=commands, recorded_at=NOW)


def record_each(*commands: RecordUsage | ReportEvent) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for command in commands:
        try:
            if isinstance(command, RecordUsage):
                outcomes.append(ledger.record(command=command, recorded_at=NOW))
            else:
                outcomes.append(ledger.report_event(command=command, recorded_at=NOW))
        except ledger.UnableToRecord as refusal:
            outcomes.append(refusal)
    return outcomes


def told(outcome: Any) -> Any:
    return str(outcome) if isinstance(outcome, Exception) else outcome.quantity


def test_records_keep_what_was_sent():
    line = make.line()
    command = report(
        line, "7.25", "2026-01-10 08:30:00.123456", key="tx-1", note="by hand", properties={"cost": Decimal("0.1")}
    )

    (first, second) = record_many(command, report(line, "-999999999999999.999999999"))

    rows = UsageRecord.objects.order_by("pk")
    assert [row.pk for row in rows] == [first.id, second.id]
    assert (rows[0].line_id, rows[0].workspace_id, rows[0].kind) == (line.pk, line.workspace_id, "entry")
    assert (rows[0].quantity, rows[0].key, rows[0].note) == (Decimal("7.25"), "tx-1", "by hand")
    assert (rows[0].occurred_at, rows[0].recorded_at) == (make.moment("2026-01-10 08:30:00.123456"), NOW)
    assert (rows[0].source, rows[0].dialect, rows[0].recorded_by) == ("api", "native", "key ark_live_x")
    assert rows[0].properties == {"cost": Decimal("0.1")}
    assert (rows[1].quantity, rows[1].key, rows[1].properties) == (Decimal("-999999999999999.999999999"), None, None)
    assert first == ledger.Recorded(
        id=rows[0].pk,
        handle=rows[0].pk,
        line_id=line.pk,
        line_number=line.number,
        quantity=Decimal("7.25"),
        occurred_at=rows[0].occurred_at,
        recorded_at=NOW,
        source="api",
        is_late=False,
    )


def test_what_is_wrong_with_one_keeps_no_other_out():
    line = make.line(ends_on=date(2026, 3, 1))
    workspace = line.workspace
    gauge, flat = make.line(workspace, aggregation="unit_days"), make.line(workspace, aggregation="none", model="flat")
    theirs = make.line(make.workspace("other", next_line_number=1000))
    make.use(line, "1", "2026-01-10", key="known", dialect="native")

    outcomes = record_many(
        report(line, "1"),
        report(line, "1", address=LineByNumber(10**9)),
        report(line, "1", address=LineByNumber(theirs.number)),
        report(line, "1", address=LineByNumber(flat.number)),
        report(line, "1", "2026-03-01"),
        report(gauge, "-1"),
        report(line, "1e20"),
        report(line, "1", key="known"),
        report(line, "1", properties={"deep": [[]] * 2, "long": Decimal("1e2000")}),
        report(gauge, "2", key="new"),
    )

    assert [told(outcome) for outcome in outcomes] == [
        1,
        "There is no such line.",
        "There is no such line.",
        "This line is not metered: it takes no usage.",
        "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-03-01T00:00:00+00:00.",
        "A gauge can't be negative.",
        "Ensure that there are no more than 15 digits before the decimal point.",
        "Usage with this id was recorded already.",
        "These properties are nested too deeply, or hold a number with too many digits.",
        2,
    ]
    assert list(UsageRecord.objects.order_by("pk").values_list("line", "quantity", "key")) == [
        (line.pk, 1, "known"),
        (line.pk, 1, None),
        (gauge.pk, 2, "new"),
    ]


def test_a_repeat_is_told_which_record_has_its_key():
    line = make.line()
    known = make.use(line, "1", "2026-01-10", key="corrected", dialect="native")
    make.fix(known, "2")

    first, *repeats = record_many(
        report(line, "5", key="a"), report(line, "6", key="a"), report(line, "7", key="corrected")
    )

    assert [(type(repeat), repeat.record_id) for repeat in repeats] == [
        (ledger.DuplicateKey, first.id),
        (ledger.DuplicateKey, known.id),
    ]
    assert UsageRecord.objects.get(key="a").quantity == 5


def test_a_refused_record_takes_its_key_from_nobody():
    line = make.line()

    refused, taken = record_many(report(line, "1", "2020-01-01", key="a"), report(line, "2", key="a"))

    assert isinstance(refused, ledger.OutsideLine)
    assert taken.quantity == 2


def test_the_same_key_in_two_dialects_makes_two_records():
    line = make.line()
    other = origin_of(line.workspace, "rebilly")

    outcomes = record_many(report(line, "1", key="a"), report(line, "2", key="a", origin=other))

    assert [told(outcome) for outcome in outcomes] == [1, 2]


def test_lines_are_found_by_brick_and_by_name_at_the_time_of_use():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"))
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
        reference="dearer",
    )
    by_brick = LineByBrick(line.subscription_id, line.brick_id)
    by_name = LineByName(str(line.subscription_id))

    outcomes = record_many(
        report(line, "1", "2026-01-15 23:59:59.999999", address=by_brick),
        report(line, "2", "2026-01-16", address=by_brick),
        report(line, "3", "2026-01-15", address=by_name),
        report(line, "4", "2026-01-16", address=by_name),
        report(line, "5", "2026-01-16", address=LineByName("dearer")),
        report(line, "6", "2026-01-15", address=LineByName(str(line.number))),
        report(line, "7", "2026-01-15", address=LineByName("nobody")),
    )

    assert [getattr(outcome, "line_id", None) for outcome in outcomes] == [
        line.pk,
        dearer.pk,
        line.pk,
        dearer.pk,
        dearer.pk,
        line.pk,
        None,
    ]
    assert [getattr(outcome, "line_reference", None) for outcome in outcomes[1:3]] == ["dearer", None]


def test_of_a_gauges_values_at_one_moment_the_last_in_the_batch_stands():
    gauge = make.line(aggregation="unit_days")

    record_many(*(report(gauge, quantity, "2026-01-01", key=key) for quantity, key in (("3", "b"), ("5", "a"))))

    assert list(UsageRecord.objects.order_by("pk").values_list("quantity", "key")) == [(3, "b"), (5, "a")]


def test_usage_of_a_closed_period_is_late():
    line = make.line()
    make.use(line, "10", "2026-01-10")
    close(line.workspace, "2026-02-01")

    outcomes = record_many(report(line, "1", "2026-01-31 23:59"), report(line, "1", "2026-02-01"))

    assert [outcome.is_late for outcome in outcomes] == [True, False]
    assert list(UsageRecord.objects.order_by("pk").values_list("is_late", flat=True)) == [False, True, False]


def test_a_hard_limit_lets_in_what_it_leaves_in_the_order_of_the_batch():
    line = make.line()
    free = make.line(line.workspace)
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)))

    outcomes = record_many(
        report(line, "6"),
        report(line, "5", key="a"),
        report(free, "50", key="a"),
        report(line, "3", key="b"),
        report(free, "60", key="b"),
        report(line, "9", accepts_part=True),
        report(line, "1"),
    )

    assert [told(outcome) for outcome in outcomes] == [
        6,
        "The limit of this line leaves 4 in the period.",
        50,
        3,
        "Usage with this id was recorded already.",
        1,
        "The limit of this line leaves 0 in the period.",
    ]


def test_events_stand_beside_records_of_lines():
    line = make.line()
    workspace = line.workspace
    customer = make.customer(workspace, reference="cus_1", aliases=["gx"])

    outcomes = record_many(
        event(workspace, "gx", "2026-01-10 08:30", key="e-1"),
        report(line, "7", key="e-1"),
        event(workspace, str(customer.pk)),
        event(workspace, "cus_1", properties={"cost": Decimal("0.1")}),
        event(workspace, "nobody"),
        event(workspace, "VOID"),
        event(workspace, ""),
        event(workspace, "gx", event_type="x" * 256),
    )

    known = [customer.pk, customer.pk, customer.pk, None, None]
    events = [outcome for outcome in outcomes if isinstance(outcome, ledger.RecordedEvent)]
    assert [recorded.customer_id for recorded in events] == known
    assert [(str(outcome), outcome.field) for outcome in outcomes if outcome not in events] == [
        ("Usage with this id was recorded already.", "key"),
        ("This may not be blank.", "customer_alias"),
        ("Ensure that there are no more than 255 characters.", "event_type"),
    ]
    rows = UsageRecord.objects.order_by("pk")
    assert [(row.pk, row.customer_id, row.customer_alias, row.key) for row in rows] == [
        (recorded.id, recorded.customer_id, recorded.customer_alias, recorded.key) for recorded in events
    ]
    assert (rows[0].key, rows[0].occurred_at) == ("e-1", make.moment("2026-01-10 08:30"))
    assert (rows[0].line, rows[0].quantity, rows[0].event_type) == (None, None, "message-sent")
    assert rows[2].properties == {"cost": Decimal("0.1")}
    assert len({row.key for row in rows}) == 5


def test_of_events_that_supersede_the_last_stands():
    workspace = make.workspace()
    make.customer(workspace, aliases=["gx"])

    first, other, second = record_many(
        event(workspace, "gx", key="e-1", supersedes=True, properties={"n": 1}),
        event(workspace, "gx", key="e-2"),
        event(workspace, "gx", key="e-1", supersedes=True, properties={"n": 2}),
    )

    assert second.handle == first.id
    live = UsageRecord.objects.live().order_by("key")
    assert [(row.key, row.properties) for row in live] == [("e-1", {"n": 2}), ("e-2", {"length": 3})]


def test_nothing_makes_nothing():
    assert record_many() == []


def test_a_batch_is_of_one_workspace():
    with pytest.raises(ValueError, match="unpack"):
        record_many(report(make.line(), "1"), report(make.line(make.workspace("other")), "1"))

    assert UsageRecord.objects.count() == 0


@pytest.mark.parametrize("size", [1, 50])
def test_the_number_of_statements_does_not_grow_with_the_batch(size):
    line = make.line()
    record_many(*(report(line, "1", key=f"known-{n}") for n in range(size)))
    fresh = [report(line, "1", key=f"new-{n}") for n in range(size)]
    known = [report(line, "1", key=f"known-{n}") for n in range(size)]
    unknown = [report(line, "1", address=LineByNumber(10**9 + n)) for n in range(size)]
    make.customer(line.workspace, aliases=[f"gx-{n}" for n in range(size)])
    events = [event(line.workspace, f"gx-{n}") for n in range(size)]
    waiting = [event(line.workspace, f"nobody-{n}") for n in range(size)]

    with CaptureQueriesContext(connection) as queries:
        record_many(*fresh, *known, *unknown, *events, *waiting)

    statements = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    # The lines; whose the names are, the customers, that the others are nobody's.
    locks = ["WITH", "SELECT", "SELECT", *(["SELECT"] if connection.vendor == "postgresql" else []), "SELECT"]
    # The ids, the records, and who has the keys that are taken.
    assert statements == [*locks, "SELECT", "INSERT", "SELECT"]


@pytest.mark.parametrize("size", [1, 50])
def test_lines_with_a_limit_are_measured_once_whatever_the_batch(size):
    workspace = make.workspace()
    of_quantity, of_amount = make.line(workspace), make.line(workspace, model="volume", tiers=TIERS)
    contracts.set_limits(line=of_quantity, limits=Limits(hard_limit_quantity=Decimal(30)))
    contracts.set_limits(line=of_amount, limits=Limits(hard_limit_amount=Decimal(30)))
    days = ("2026-01-10", "2026-02-10")
    commands = [report(line, "1", day) for _ in range(size) for line in (of_quantity, of_amount) for day in days]

    with CaptureQueriesContext(connection) as queries:
        outcomes = record_many(*commands)

    recorded = [outcome for outcome in outcomes if isinstance(outcome, ledger.Recorded)]
    assert len(recorded) == 4 * min(size, 30)
    statements = [query["sql"].split()[0] for query in queries if "SAVEPOINT" not in query["sql"]]
    # The lines; those with a limit, their tiers; up to where they are measured, and their totals.
    limits = ["SELECT", "SELECT", "SELECT", "WITH"]
    assert statements == ["WITH", *limits, "SELECT", "INSERT"]


@pytest.mark.parametrize("model", ["graduated", "volume"])
@pytest.mark.parametrize("first", ["1", "5000"], ids=["fits", "is full"])
def test_what_an_amount_affords_costs_a_record_the_same_whatever_the_tiers(model, first):
    tiers = [(str(100 * (n + 1)), f"{1 + n / 100:.2f}", "0") for n in range(99)] + [(None, "3", "0")]

    def calls(size):
        line = make.line(make.workspace(f"acc_{size}"), model=model, tiers=tiers)
        contracts.set_limits(line=line, limits=Limits(hard_limit_amount=Decimal(5000)))
        commands = [report(line, first, accepts_part=True), *(report(line, f"{3 + n % 7}.{n:03}") for n in range(size))]
        with calls_below("billing/rating/") as counted:
            record_many(*commands)
        return len(counted)

    assert calls(400) - calls(200) <= 200 * 50


@contextmanager
def calls_below(folder: str) -> Iterator[list[str]]:
    """Give the calls that code of a folder makes, and those of its functions."""
    counted: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event in ("call", "c_call") and folder in frame.f_code.co_filename:
            counted.append(event)

    sys.setprofile(note)
    try:
        yield counted
    finally:
        sys.setprofile(None)


def test_what_a_limit_leaves_is_counted_within_the_batch():
    line = make.line()
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(10)))
    make.use(line, "2", "2026-01-05", key="known", dialect="native")

    outcomes = record_many(
        report(line, "6", key="a"),
        report(line, "6", key="a"),  # a repeat takes nothing
        report(line, "7", key="known"),
        report(line, "3", key="b"),  # 2 are left
        report(line, "-1.5"),  # and now 3.5
        report(line, "9", accepts_part=True, key="b"),
        report(line, "0.001"),
        report(line, "0"),
        report(line, "10", "2026-02-01"),
    )

    assert [told(outcome) for outcome in outcomes] == [
        6,
        "Usage with this id was recorded already.",
        "Usage with this id was recorded already.",
        "The limit of this line leaves 2 in the period.",
        Decimal("-1.5"),
        Decimal("3.5"),
        "The limit of this line leaves 0 in the period.",
        0,
        10,
    ]


@dataclass(frozen=True)
class Sent:
    """A record to be: ``line`` of the world's lines or none of them, however it is addressed."""

    line: int
    address: str
    quantity: Decimal
    day: int
    key: str | None
    accepts_part: bool


sent = st.builds(
    Sent,
    line=st.integers(0, 6),
    address=st.sampled_from(["id", "brick", "name", "subscription"]),
    quantity=st.decimals(-5, 50, places=9)
    | st.decimals(50, 120, places=3)
    | st.sampled_from([Decimal("1e16"), Decimal("1e-10"), Decimal("NaN")]),
    day=st.integers(-10, 70),
    key=st.none() | st.sampled_from("abcd"),
    accepts_part=st.booleans(),
)


@dataclass(frozen=True)
class Happened:
    """An event to be."""

    alias: str
    day: int
    key: str | None
    supersedes: bool


happened = st.builds(
    Happened,
    alias=st.sampled_from(["gx", "cus_1", "nobody", "VOID", ""]),
    day=st.integers(-10, 70),
    key=st.none() | st.sampled_from("abcd"),
    supersedes=st.booleans(),
)


# 60 buy 60 units, or from 101 to 120 of them.
TIERS = [("100", "1", "0"), (None, "0.5", "0")]


def world(code: str) -> tuple[Workspace, list[Line]]:
    workspace = make.workspace(code)
    counting = make.event_brick(workspace)
    customer = make.customer(workspace, reference="cus_1", aliases=["gx"])
    contracts.add_line(subscription=make.subscription(customer), brick=counting, price=make.price(counting))
    bounded, priced = make.line(workspace), make.line(workspace, model="volume", tiers=TIERS)
    ending = make.line(workspace, ends_on=date(2026, 2, 10))
    lines = [
        make.line(workspace),
        make.line(workspace, aggregation="unit_days"),
        make.line(workspace, aggregation="none", model="flat"),
        ending,
        contracts.set_limits(line=bounded, limits=Limits(hard_limit_quantity=Decimal(60))),
        contracts.set_limits(line=priced, limits=Limits(hard_limit_amount=Decimal(60))),
    ]
    make.use(lines[0], "1", "2026-01-02", key="d", dialect="native")
    close(workspace, "2026-02-01")
    return workspace, lines


def command_of(one: Sent | Happened, workspace: Workspace, lines: list[Line]) -> RecordUsage | ReportEvent:
    at = make.moment("2026-01-01 12:00") + timedelta(days=one.day)
    if isinstance(one, Happened):
        command = event(workspace, one.alias, key=one.key, supersedes=one.supersedes)
        return replace(command, occurred_at=at)
    if one.line == len(lines):
        address: Any = LineByNumber(10**9)
    else:
        line = lines[one.line]
        address = {
            "id": LineByNumber(line.number),
            "brick": LineByBrick(line.subscription_id, line.brick_id),
            "name": LineByName(str(line.number)),
            "subscription": LineByName(str(line.subscription_id)),
        }[one.address]
    return RecordUsage(
        origin=origin_of(workspace),
        address=address,
        quantity=one.quantity,
        occurred_at=at,
        key=one.key,
        accepts_part=one.accepts_part,
    )


def ledger_of(workspace: Workspace, lines: list[Line]) -> list[list[tuple[Any, ...]]]:
    """Return the records of each line in the order of their ids, and the events. Keys that were made differ."""
    columns = ("quantity", "customer_alias", "customer__reference", "kind", "occurred_at", "recorded_at", "is_late")
    rows = UsageRecord.objects.filter(workspace=workspace).order_by("pk").values_list(*columns, "key")
    by_line = [
        [(*row, key if len(key or "") < 5 else None) for *row, key in rows.filter(line=line)] for line in (*lines, None)
    ]
    return [*by_line[:-1], sorted(by_line[-1], key=str)]


def seen(outcome: Outcome, lines: list[Line]) -> Any:
    if isinstance(outcome, ledger.DuplicateKey):
        same = UsageRecord.objects.get(pk=outcome.record_id)
        return "duplicate of", same.quantity, same.occurred_at
    if isinstance(outcome, ledger.UnableToRecord):
        return type(outcome), str(outcome)
    if isinstance(outcome, ledger.RecordedEvent):
        return outcome.customer_id is None, outcome.customer_alias, outcome.occurred_at, outcome.is_late
    place = [line.pk for line in lines].index(outcome.line_id)
    return replace(outcome, id=0, handle=0, line_id=place, line_number=0)


@settings(max_examples=15)
@given(story=st.lists(sent | happened, max_size=12))
def test_a_batch_is_as_good_as_its_records_one_after_the_other(story):
    with transaction.atomic():
        (one, ones_lines), (other, others_lines) = world("acme"), world("umbrella")

        at_once = record_many(*(command_of(each, one, ones_lines) for each in story))
        in_turn = record_each(*(command_of(each, other, others_lines) for each in story))

        assert [seen(outcome, ones_lines) for outcome in at_once] == [
            seen(outcome, others_lines) for outcome in in_turn
        ]
        assert ledger_of(one, ones_lines) == ledger_of(other, others_lines)
        transaction.set_rollback(True)
