"""Many records at once: each becomes what it would alone, with a fixed number of statements."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from tests.scenarios.closing import close
from tests.usage.ledger.commands import NOW, event, origin_of, record_many, report, told
from usage import ledger
from usage.commands import LineByNumber
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


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
        "Usage with this id was already recorded.",
        "These properties are nested too deeply, or contain a number with too many digits.",
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
        ("Usage with this id was already recorded.", "key"),
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
