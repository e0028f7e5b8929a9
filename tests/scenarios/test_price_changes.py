"""A gauge whose price changes: the following line carries its value on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import contracts, invoicing
from billing.models import Invoice, InvoiceLine, Line
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, close_and_issue, totals
from usage import closing, consumption
from usage.metering import opening_records

pytestmark = pytest.mark.django_db


def seats(unit_price: str = "2") -> Line:
    return make.line(aggregation="unit_days", unit_price=unit_price)


def follow(line: Line, at: str, unit_price: str = "3", *, from_at: str | None = None, **fields) -> Line:
    """Change the price: the line ends, and the next begins at once or later."""
    contracts.end_line(line=line, ends_at=make.moment(at), actor=make.ACTOR)
    return contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, unit_price),
        starts_at=make.moment(from_at or at),
        **fields,
        actor=make.ACTOR,
    )


def billed(of: Line) -> list[tuple[str, str, str]]:
    return [
        (row.kind, f"{row.quantity.normalize():f}", f"{row.amount:.2f}")
        for row in InvoiceLine.objects.filter(line=of).order_by("pk")
    ]


def test_twenty_users_go_on_at_the_new_price():
    # January: 15 days of 20 users at $2 a day, then 16 days of them at $3; February: 28 days at $3.
    line = seats()
    make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")

    close_and_issue(line.workspace, "2026-03-01")

    assert billed(line) == [("usage", "300", "600.00")]
    assert billed(dearer) == [("usage", "320", "960.00"), ("usage", "560", "1680.00")]
    assert totals(line.workspace) == ["1560.00", "1680.00"]
    assert all_replay_identically(line.workspace)


def test_a_line_that_is_told_so_opens_at_zero_and_the_reviewer_is_told():
    line = seats()
    make.use(line, "20", "2026-01-01")
    anew = follow(line, "2026-01-16", carries_on=False)
    make.use(anew, "4", "2026-01-30")

    run = close(line.workspace, "2026-03-01")

    # 4 for the last two days of January.
    assert billed(anew) == [("usage", "8", "24.00"), ("usage", "112", "336.00")]
    assert [(row.line_id, row.surprises) for row in InvoiceLine.objects.filter(invoice__run=run).order_by("pk")] == [
        (line.pk, []),
        (anew.pk, ["opens at 0: the value of the previous line is not carried on"]),
        (anew.pk, []),
    ]


def test_the_first_line_of_a_gauge_surprises_nobody():
    line = seats()

    close(line.workspace, "2026-02-01")

    assert [row.surprises for row in InvoiceLine.objects.all()] == [[]]


def test_a_value_of_its_own_stands_from_its_moment_on():
    # 20 for 16 and 17 January, then 5 for 14 days: 40 + 70.
    line = seats()
    make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    make.use(dearer, "5", "2026-01-18")

    close_and_issue(line.workspace, "2026-02-01")

    assert billed(dearer) == [("usage", "110", "330.00")]


def test_late_usage_of_the_former_line_changes_what_the_later_ones_open_with():
    # 25 since 10 January: 5 x 6 days at $2 more on the first line; 5 x 16 and 5 x 28 days at $3 more on the second.
    line = seats()
    make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    close_and_issue(line.workspace, "2026-03-01")
    make.use(line, "25", "2026-01-10", recorded_at="2026-03-02")

    close_and_issue(line.workspace, "2026-04-01")

    assert billed(line) == [("usage", "300", "600.00"), ("true_up", "330", "60.00")]
    # March: 25 x 31 days at $3.
    assert billed(dearer) == [
        ("usage", "320", "960.00"),
        ("usage", "560", "1680.00"),
        ("usage", "775", "2325.00"),
        ("true_up", "400", "240.00"),
        ("true_up", "700", "420.00"),
    ]
    assert all_replay_identically(line.workspace)


def test_a_correction_and_a_retraction_of_the_former_line_reach_the_later_one():
    line = seats()
    first = make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    close_and_issue(line.workspace, "2026-02-01")

    corrected = make.fix(first, "10", recorded_at="2026-02-02")
    close_and_issue(line.workspace, "2026-03-01")
    make.take_back(corrected, recorded_at="2026-03-02")
    close_and_issue(line.workspace, "2026-04-01")

    # January at half, then January and February at zero (February was 10 x 28 days at $3).
    assert billed(dearer) == [
        ("usage", "320", "960.00"),
        ("usage", "280", "840.00"),
        ("true_up", "160", "-480.00"),
        ("usage", "0", "0.00"),
        ("true_up", "0", "-480.00"),
        ("true_up", "0", "-840.00"),
    ]
    assert all_replay_identically(line.workspace)


def test_a_change_that_its_own_value_hides_bills_nothing_on_the_later_line():
    line = seats()
    first = make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    make.use(dearer, "7", "2026-01-16")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(first, "10", recorded_at="2026-02-02")

    close_and_issue(line.workspace, "2026-03-01")

    assert billed(line) == [("usage", "300", "600.00"), ("true_up", "150", "-300.00")]
    assert billed(dearer) == [("usage", "112", "336.00"), ("usage", "196", "588.00")]


def test_the_value_passes_through_lines_that_had_none_of_their_own_and_stops_at_one_that_opens_at_zero():
    # 20 from the 1st; lines from the 11th, the 21st, the 26th (again) and the 29th of 31 days.
    first = seats("1")
    make.use(first, "20", "2026-01-01")
    second = follow(first, "2026-01-11", "1")
    third = follow(second, "2026-01-21", "1")
    anew = follow(third, "2026-01-26", "1", carries_on=False)
    last = follow(anew, "2026-01-29", "1")

    close_and_issue(first.workspace, "2026-02-01")

    quantities = [billed(line)[0][1] for line in (first, second, third, anew, last)]
    assert quantities == ["200", "200", "100", "0", "0"]


def test_the_value_is_carried_over_a_pause_which_itself_is_not_billed():
    # 20 for 10 days, a pause of 10 days, 20 for 11 days.
    line = seats()
    make.use(line, "20", "2026-01-01")
    later = follow(line, "2026-01-11", from_at="2026-01-21")

    close_and_issue(line.workspace, "2026-02-01")

    assert (billed(line)[0][1], billed(later)[0][1]) == ("200", "220")


def test_a_line_put_between_two_others_is_carried_on_from():
    first = seats()
    make.use(first, "20", "2026-01-01")
    last = follow(first, "2026-01-11", from_at="2026-01-21")
    between = contracts.add_line(
        subscription=first.subscription,
        brick=first.brick,
        price=first.price,
        starts_at=make.moment("2026-01-11"),
        ends_at=make.moment("2026-01-21"),
        actor=make.ACTOR,
    )
    make.use(between, "30", "2026-01-20")

    close_and_issue(first.workspace, "2026-02-01")

    # 20 x 9 days and 30 for one; 30 x 11 days.
    assert (billed(between)[0][1], billed(last)[0][1]) == ("210", "330")


def test_lines_of_before_open_at_zero_as_they_were_billed():
    line = seats()
    make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    Line.objects.update(carries_on=False)

    close_and_issue(line.workspace, "2026-02-01")

    assert billed(dearer) == [("usage", "0", "0.00")]


def test_a_counter_is_not_told_to_carry_on():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)

    with pytest.raises(contracts.UnableToAgree) as error:
        contracts.add_line(
            subscription=line.subscription,
            brick=line.brick,
            price=line.price,
            starts_at=make.moment("2026-01-16"),
            carries_on=True,
            actor=make.ACTOR,
        )

    assert error.value.message_dict == {"carries_on": ["Only a gauge can carry on a value."]}


def test_current_usage_and_the_preview_carry_the_value_on():
    # On 21 January at noon: 20 x 5.5 days.
    line = seats()
    make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    as_of = make.moment("2026-01-21 12:00")

    lines = consumption.lines_of_brick(
        workspace=line.workspace, subscription_id=line.subscription_id, brick_id=line.brick_id
    )
    used = consumption.used_in_current_period(lines=lines, as_of=as_of)
    preview = closing.preview(subscription=line.subscription, as_of=as_of)

    assert used.quantity == 410
    assert [(row.line_id, row.quantity) for row in preview.invoice.lines] == [(line.pk, 300), (dearer.pk, 110)]


def test_the_record_that_opens_is_found_as_of_the_cutoff():
    line = seats()
    first = make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    close_and_issue(line.workspace, "2026-02-01")
    fixed = make.fix(first, "10", recorded_at="2026-02-02")
    close_and_issue(line.workspace, "2026-03-01")

    rows = list(InvoiceLine.objects.filter(line=dearer).order_by("pk"))

    assert opening_records(rows) == [first.id, fixed.id, fixed.id]


def test_a_discarded_run_finds_the_difference_again():
    line = seats()
    first = make.use(line, "20", "2026-01-01")
    dearer = follow(line, "2026-01-16")
    close_and_issue(line.workspace, "2026-02-01")
    make.fix(first, "10", recorded_at="2026-02-02")
    run = close(line.workspace, "2026-03-01")
    invoicing.discard(run=run, actor=make.actor("finance"), as_of=make.moment("2026-03-02"))
    close_and_issue(line.workspace, "2026-03-01")

    assert billed(dearer) == [("usage", "320", "960.00"), ("usage", "280", "840.00"), ("true_up", "160", "-480.00")]


# A hundredth of a day is 864 seconds: with whole quantities, every amount is in whole cents.
steps = st.integers(1, 31 * 100 - 1)


@settings(max_examples=20)
@given(
    values=st.lists(st.tuples(st.integers(0, 31 * 100 - 1), st.integers(0, 50)), max_size=6, unique_by=lambda v: v[0]),
    splits=st.lists(steps, min_size=1, max_size=3, unique=True),
)
def test_a_gauge_split_at_any_moment_is_billed_like_one_that_is_not(values, splits):
    def at(step: int) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + step * timedelta(seconds=864)

    with transaction.atomic():
        whole, first = seats("1"), seats_of("other")
        parts = [first]
        for moment in map(at, sorted(splits)):
            parts.append(follow(parts[-1], f"{moment:%Y-%m-%d %H:%M:%S}", "1"))
        for step, value in values:
            moment = f"{at(step):%Y-%m-%d %H:%M:%S}"
            make.use(whole, str(value), moment)
            taking = next(part for part in reversed(parts) if part.starts_at <= at(step))
            make.use(taking, str(value), moment)
        for line in (whole, first):
            close_and_issue(line.workspace, "2026-03-01")
        one, many = (list(Invoice.objects.filter(workspace=line.workspace).order_by("pk")) for line in (whole, first))
        assert [invoice.total for invoice in one] == [invoice.total for invoice in many]
        assert all_replay_identically(first.workspace)
        transaction.set_rollback(True)


def seats_of(code: str) -> Line:
    return make.line(make.workspace(code), aggregation="unit_days", unit_price="1")


def test_what_was_measured_is_exact():
    # 20 users from 1 January; a split at 16 January, 08:00: 15 1/3 and 15 2/3 days.
    line = seats("1")
    make.use(line, "20", "2026-01-01")
    later = follow(line, "2026-01-16 08:00", "1")

    close_and_issue(line.workspace, "2026-02-01")

    found = {row.line_id: row.quantity for row in InvoiceLine.objects.all()}
    assert found == {line.pk: Decimal("306.666666667"), later.pk: Decimal("313.333333333")}


def test_a_flat_price_that_changes_at_noon_is_billed_in_sum_for_the_days_there_are():
    # $31 a month, changed to $62 on 16 January at 12:00: 15 days at $1, 16 at $2. No day is billed twice.
    line = make.line(aggregation="none", model="flat", unit_price="31")
    dearer = make.price(line.brick, "62", model="flat")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16 12:00"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=dearer,
        starts_at=make.moment("2026-01-16 12:00"),
        actor=make.ACTOR,
    )

    close_and_issue(line.workspace, "2026-02-01")

    rows = InvoiceLine.objects.order_by("position")
    assert [(row.days, row.of_days, f"{row.amount:.2f}") for row in rows] == [(15, 31, "15.00"), (16, 31, "32.00")]
    assert all_replay_identically(line.workspace)


def test_a_line_of_a_few_hours_leaves_its_day_to_the_next():
    line = make.line(aggregation="none", model="flat", unit_price="31")
    for at in ("2026-01-16 09:00", "2026-01-16 12:00"):
        contracts.end_line(line=Line.objects.get(ends_at=None), ends_at=make.moment(at), actor=make.ACTOR)
        contracts.add_line(
            subscription=line.subscription,
            brick=line.brick,
            price=line.price,
            starts_at=make.moment(at),
            actor=make.ACTOR,
        )

    close_and_issue(line.workspace, "2026-02-01")

    rows = InvoiceLine.objects.order_by("position")
    assert [(row.days, f"{row.amount:.2f}") for row in rows] == [(15, "15.00"), (0, "0.00"), (16, "16.00")]
    assert totals(line.workspace) == ["31.00"]
    assert all_replay_identically(line.workspace)


def test_what_was_billed_for_a_shared_day_before_is_not_taken_back_by_late_usage():
    # A metered brick at a flat price, billed when both lines counted the day: 16 + 16 days.
    line = make.line(model="flat", unit_price="31")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16 12:00"), actor=make.ACTOR)
    contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=line.price,
        starts_at=make.moment("2026-01-16 12:00"),
        actor=make.ACTOR,
    )
    close_and_issue(line.workspace, "2026-02-01")
    InvoiceLine.objects.filter(line=line).update(days=16, rated=16, amount=16)
    make.use(line, "1", "2026-01-05", recorded_at="2026-02-02")

    second = close(line.workspace, "2026-03-01")

    assert [row.kind for row in InvoiceLine.objects.filter(invoice__run=second)] == ["usage"]
