"""Usage so far, by billing period."""

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.calendar import Period
from billing.models import Line
from tests import factories as make
from usage import consumption, ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def line():
    return make.line()


def plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


def by_period(*lines: Line, as_of: str, **options: str) -> list[tuple[str, str]]:
    """Return the local day on which each period begins, and what was used in it."""
    tz = lines[0].workspace.tz
    moments = {name: make.moment(text, tz=str(tz)) for name, text in options.items()}
    used = consumption.used_by_period(lines=lines, as_of=make.moment(as_of, tz=str(tz)), **moments)
    return [(f"{one.period.starts_at.astimezone(tz):%m-%d}", plain(one.quantity)) for one in used]


def change_price(line: Line, unit_price: str, at: str) -> Line:
    moment = make.moment(at)
    contracts.end_line(line=line, ends_at=moment, actor=make.ACTOR)
    price = make.price(line.brick, unit_price)
    return contracts.add_line(
        subscription=line.subscription, brick=line.brick, price=price, starts_at=moment, actor=make.ACTOR
    )


def lines_of(line: Line) -> list[Line]:
    return consumption.lines_of_brick(
        workspace=line.workspace, subscription_id=line.subscription_id, brick_id=line.brick_id
    )


def test_a_counter_is_added_up_in_each_period_that_has_begun(line):
    for quantity, at in [
        ("5", "2026-01-10"),
        ("7", "2026-02-01"),
        ("1", "2026-02-28 23:59:59.999999"),
        ("2", "2026-03-01"),
    ]:
        make.use(line, quantity, at)

    assert by_period(line, as_of="2026-03-15") == [("01-01", "5"), ("02-01", "8"), ("03-01", "2")]
    assert by_period(line, as_of="2026-03-01") == [("01-01", "5"), ("02-01", "8"), ("03-01", "0")]
    assert by_period(line, as_of="2026-02-28 23:00") == [("01-01", "5"), ("02-01", "7")]
    assert by_period(line, as_of="2025-12-31") == []


def test_a_gauge_counts_the_days_that_have_passed():
    gauge = make.line(aggregation="unit_days")
    make.use(gauge, "3", "2026-01-01")
    make.use(gauge, "5", "2026-02-06")

    # January 3 x 31, February 3 x 5 + 5 x 4.5.
    assert by_period(gauge, as_of="2026-02-10 12:00") == [("01-01", "93"), ("02-01", "37.5")]


def test_periods_follow_the_anchor_and_the_end_of_the_subscription():
    line = make.line(starts_on=date(2026, 1, 31), ends_on=date(2026, 3, 10))
    for at in ("2026-02-27 23:59", "2026-02-28", "2026-03-09 23:59"):
        make.use(line, "1", at)

    assert by_period(line, as_of="2026-06-01") == [("01-31", "1"), ("02-28", "2")]
    assert consumption.used_in_current_period(lines=[line], as_of=make.moment("2026-03-10")) is None


def test_periods_begin_at_midnight_of_the_workspace():
    line = make.line(make.workspace(time_zone="America/New_York"))
    make.use(line, "1", "2026-02-01 04:59:59")
    make.use(line, "20", "2026-02-01 05:00")

    assert by_period(line, as_of="2026-02-02") == [("01-01", "1"), ("02-01", "20")]


def test_periods_can_be_left_out_by_their_start_and_end(line):
    for month in (1, 2, 3, 4):
        make.use(line, str(month), f"2026-0{month}-20")

    assert by_period(line, as_of="2026-04-25", starts_from="2026-02-01", ends_by="2026-04-01") == [
        ("02-01", "2"),
        ("03-01", "3"),
    ]
    assert by_period(line, as_of="2026-04-25", starts_from="2026-02-01 00:01", ends_by="2026-04-30") == [("03-01", "3")]
    assert by_period(line, as_of="2026-04-25", starts_from="2026-03-01", ends_by="2026-02-01") == []


def test_both_lines_of_a_brick_whose_price_changed_make_up_the_period(line):
    later = change_price(line, "3", "2026-02-15")
    make.use(line, "4", "2026-02-14")
    make.use(later, "6", "2026-02-15")

    used = consumption.used_by_period(lines=lines_of(line), as_of=make.moment("2026-02-20"))

    assert [(plain(one.quantity), one.line.pk) for one in used] == [("0", line.pk), ("10", later.pk)]


def test_periods_from_before_the_brick_was_added_are_left_out(line):
    other = make.brick(line.workspace, "Storage")
    added = contracts.add_line(
        subscription=line.subscription,
        brick=other,
        price=make.price(other),
        starts_at=make.moment("2026-02-10"),
        actor=make.ACTOR,
    )
    make.use(added, "3", "2026-02-10")

    assert by_period(added, as_of="2026-03-02") == [("02-01", "3"), ("03-01", "0")]


def test_what_was_corrected_or_taken_back_counts_as_it_stands_now(line):
    make.fix(make.use(line, "100", "2026-01-10"), "7")
    make.take_back(make.use(line, "50", "2026-01-11"))
    make.use(make.line(line.workspace), "1000", "2026-01-10")

    assert by_period(line, as_of="2026-01-20") == [("01-01", "7")]


def test_the_current_period_is_the_one_that_runs(line):
    make.use(line, "5", "2026-01-10")
    make.use(line, "7", "2026-02-03")

    used = consumption.used_in_current_period(lines=[line], as_of=make.moment("2026-02-10"))

    assert used == consumption.PeriodUsage(
        period=Period(make.moment("2026-02-01"), make.moment("2026-03-01")), line=line, quantity=Decimal(7)
    )
    assert consumption.used_in_current_period(lines=[line], as_of=make.moment("2025-12-31")) is None


def test_each_line_is_measured_in_a_span_of_its_own(line):
    gauge = make.line(line.workspace, aggregation="unit_days", starts_on=date(2026, 1, 10))
    make.use(line, "5", "2026-01-05")
    make.use(gauge, "2", "2026-01-10")
    january = Period(make.moment("2026-01-01"), make.moment("2026-02-01"))
    before = Period(make.moment("2025-12-01"), make.moment("2026-01-01"))

    used = consumption.used(
        spans=[(line, january), (gauge, january), (line, before)], as_of=make.moment("2026-01-13 12:00")
    )

    assert [(plain(one.quantity), one.record_count) for one in used] == [("5", 1), ("7", 1), ("0", 0)]


def test_events_are_counted_where_the_brick_counts_them():
    globex = make.customer(make.workspace(), aliases=("globex",))
    brick = make.event_brick(globex.workspace)
    line = make.counting_line(globex, brick)
    for at in ("2026-01-31 23:59", "2026-02-01", "2026-02-10"):
        make.event(globex.workspace, "globex", at)
    make.event(globex.workspace, "globex", "2026-02-02", event_type="call-made")
    make.event(globex.workspace, "nobody we know", "2026-02-02")

    assert by_period(line, as_of="2026-02-10") == [("01-01", "1"), ("02-01", "1")]


def test_any_number_of_periods_takes_one_query(line):
    later = change_price(line, "3", "2026-02-15")
    make.use(later, "1", "2026-03-01")
    lines = lines_of(line)

    with CaptureQueriesContext(connection) as queries:
        used = consumption.used_by_period(lines=lines, as_of=make.moment("2031-01-01"))

    assert (len(used), len(queries)) == (61, 1)


def test_lines_are_those_of_the_workspace(line):
    def find(**ids: uuid.UUID) -> list[Line]:
        given = {"subscription_id": line.subscription_id, "brick_id": line.brick_id, **ids}
        return consumption.lines_of_brick(workspace=line.workspace, **given)

    theirs = make.line(make.workspace("other"))
    seats = make.line(line.workspace, aggregation="none", model="flat")

    assert find() == [line]
    for ids in (
        {"subscription_id": theirs.subscription_id, "brick_id": theirs.brick_id},
        {"subscription_id": seats.subscription_id},
        {"brick_id": uuid.uuid4()},
    ):
        with pytest.raises(ledger.LineNotFound):
            find(**ids)
    with pytest.raises(ledger.LineNotMetered):
        find(subscription_id=seats.subscription_id, brick_id=seats.brick_id)


@pytest.mark.bound("USAGE_PERIODS")
def test_more_periods_than_a_reply_has_are_refused(settings):
    # 24,298 months since the year 2; and three that have begun.
    settings.USAGE_PERIODS = 2
    ancient, line = make.line(make.workspace("ancient"), starts_on=date(2, 1, 1)), make.line()

    with pytest.raises(consumption.SpanRefused, match="At most 2 periods"):
        by_period(ancient, as_of="2026-10-15")
    with pytest.raises(consumption.SpanRefused, match="At most 2 periods") as refusal:
        by_period(line, as_of="2026-03-02")

    assert refusal.value.field == "starts_at"
    assert by_period(line, as_of="2026-02-28") == [("01-01", "0"), ("02-01", "0")]
    assert by_period(ancient, as_of="2026-10-15", starts_from="2026-09-01") == [("09-01", "0"), ("10-01", "0")]
