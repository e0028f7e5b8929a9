"""A hard limit bounds what a counter takes in a period, whichever way the usage comes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.contracts import NO_LIMITS, Limits
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close_and_issue, totals
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def limited(line=None, **limits):
    line = line or make.line()
    quantities = {name: Decimal(value) for name, value in limits.items()}
    return contracts.set_limits(line=line, limits=Limits(**quantities), actor=make.ACTOR)


def use_part(line, quantity, at=AT):
    command = RecordUsage(
        origin=Origin(workspace_id=line.workspace_id, source="api", dialect="rebilly", recorded_by="tests"),
        address=LineByNumber(line.number),
        quantity=Decimal(quantity),
        occurred_at=make.moment(at),
        accepts_part=True,
    )
    return ledger.record(command=command, recorded_at=make.moment(at)).quantity


def counted(line):
    return sum((record.quantity for record in line.usage_records.live()), Decimal(0))


def test_a_period_is_filled_to_its_limit_and_not_beyond():
    line = limited(hard_limit_quantity="10")

    make.use(line, "6.5", AT)
    with pytest.raises(ledger.LimitReached, match=r"^The limit of this line leaves 3\.5 in the period\.$") as refused:
        make.use(line, "3.500000001", AT)
    make.use(line, "3.5", AT)
    with pytest.raises(ledger.LimitReached, match="leaves 0 in"):
        make.use(line, "0.001", AT)

    assert (refused.value.field, refused.value.left) == ("quantity", Decimal("3.5"))
    assert counted(line) == 10


def test_a_part_is_taken_where_a_part_is_accepted():
    line = limited(hard_limit_quantity="10")

    assert use_part(line, "6.4996") == Decimal("6.4996")
    # 3.5004 are left, and a part is whole thousandths.
    assert use_part(line, "9") == Decimal("3.5")
    with pytest.raises(ledger.LimitReached):
        use_part(line, "1")

    assert counted(line) == Decimal("9.9996")


def test_each_period_has_its_own_limit_late_usage_too():
    line = limited(hard_limit_quantity="10")
    make.use(line, "8", AT)
    make.use(line, "10", "2026-02-28 23:59:59.999999")
    close_and_issue(line.workspace, "2026-02-01")

    late = make.use(line, "2", "2026-01-31 23:59:59.999999", recorded_at="2026-02-15")
    with pytest.raises(ledger.LimitReached):
        make.use(line, "1", AT)
    with pytest.raises(ledger.LimitReached):
        make.use(line, "1", "2026-02-01")
    make.use(line, "10", "2026-03-01")

    assert late.is_late


def test_the_period_of_a_limit_is_that_of_the_workspaces_zone():
    line = limited(make.line(make.workspace(time_zone="America/New_York")), hard_limit_quantity="10")

    make.use(line, "10", "2026-02-01 04:59:59")
    make.use(line, "10", "2026-02-01 05:00")
    with pytest.raises(ledger.LimitReached):
        make.use(line, "1", "2026-02-01 04:00")


def test_a_line_that_follows_another_starts_at_zero():
    first = limited(hard_limit_quantity="10")
    make.use(first, "10", AT)
    contracts.end_line(line=first, ends_at=make.moment("2026-01-15"), actor=make.ACTOR)
    second = contracts.add_line(
        subscription=first.subscription,
        brick=first.brick,
        price=first.price,
        starts_at=make.moment("2026-01-15"),
        limits=Limits(hard_limit_quantity=Decimal(4)),
        actor=make.ACTOR,
    )

    make.use(second, "4", "2026-01-20")
    with pytest.raises(ledger.LimitReached):
        make.use(second, "1", "2026-01-20")


def test_other_lines_are_not_bounded():
    limited(make.line(make.workspace("other")), hard_limit_quantity="1")

    make.use(make.line(), "1000", AT)

    assert UsageRecord.objects.count() == 1


def test_what_was_taken_back_makes_room():
    line = limited(hard_limit_quantity="10")
    record = make.use(line, "10", AT)

    make.use(line, "-3", AT)
    make.use(line, "3", AT)
    make.take_back(record)
    make.use(line, "10", AT)

    assert counted(line) == 10


def test_negative_usage_and_none_are_taken_whatever_the_limit():
    line = limited(hard_limit_quantity="10")
    make.use(line, "10", AT)

    make.use(line, "0", AT)
    make.use(line, "-30", AT)
    make.use(line, "30", AT)

    assert counted(line) == 10


def test_an_amount_bounds_what_its_price_makes_of_it():
    line = limited(make.line(unit_price="3"), hard_limit_amount="10")

    assert use_part(line, "2") == 2
    with pytest.raises(ledger.LimitReached, match=r"leaves 1\.333 in"):
        make.use(line, "1.334", AT)
    assert use_part(line, "2") == Decimal("1.333")
    with pytest.raises(ledger.LimitReached):
        use_part(line, "0.001")

    close_and_issue(line.workspace, "2026-02-01")
    assert totals(line.workspace) == ["10.00"]


def test_under_an_amount_a_great_volume_may_fit_where_a_smaller_one_does_not():
    tiers = [("100", "1", "0"), (None, "0.5", "0")]
    line = limited(make.line(model="volume", tiers=tiers), hard_limit_amount="60")

    with pytest.raises(ledger.LimitReached, match="leaves 60 in"):
        make.use(line, "90", AT)
    make.use(line, "110", AT)
    assert use_part(line, "20") == 10

    assert counted(line) == 120


def test_a_correction_raises_a_total_up_to_the_limit():
    line = limited(hard_limit_quantity="10")
    record, other = make.use(line, "4", AT), make.use(line, "5", AT)

    with pytest.raises(ledger.LimitReached, match="leaves 1 in"):
        make.fix(record, "5.001")
    raised = make.fix(record, "5")
    with pytest.raises(ledger.LimitReached):
        make.fix(replace(raised, handle=record.handle), at="2026-01-11", quantity="6")
    make.fix(other, "1")

    assert counted(line) == 6


def test_a_correction_moves_usage_into_a_period_that_has_room_for_it():
    line = limited(hard_limit_quantity="10")
    january = make.use(line, "6", AT)
    make.use(line, "5", "2026-02-10")

    with pytest.raises(ledger.LimitReached, match="leaves 5 in"):
        make.fix(january, at="2026-02-11")
    make.fix(january, "5", at="2026-02-11")

    assert counted(line) == 10


def test_beyond_a_limit_that_came_later_totals_can_only_fall():
    line = make.line()
    record = make.use(line, "20", AT)
    limited(line, hard_limit_quantity="10")

    with pytest.raises(ledger.LimitReached, match="leaves 0 in"):
        use_part(line, "1")
    make.fix(record, "15")
    with pytest.raises(ledger.LimitReached):
        make.fix(record, "16")
    make.fix(record, at="2026-01-11")
    contracts.set_limits(line=line, limits=NO_LIMITS, actor=make.ACTOR)
    make.use(line, "1", AT)

    assert counted(line) == 16


def test_limits_change_nothing_of_what_is_billed():
    line = make.line()
    make.use(line, "20", AT)
    limited(line, hard_limit_quantity="10", soft_limit_quantity="1")

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["40.00"]
    assert all_replay_identically(line.workspace)


def test_a_soft_limit_keeps_nothing_out_and_costs_nothing():
    line = limited(soft_limit_quantity="1")

    with CaptureQueriesContext(connection) as queries:
        make.use(line, "1000", AT)

    assert len(queries) == 1


def test_a_bounded_line_is_measured_with_a_fixed_number_of_queries():
    line = limited(make.line(model="graduated", tiers=[("10", "1", "0"), (None, "2", "0")]), hard_limit_amount="9000")

    def queries_of_one():
        with CaptureQueriesContext(connection) as queries:
            make.use(line, "1", AT)
        return len(queries)

    first = queries_of_one()
    for _ in range(5):
        make.use(line, "1", AT)

    assert queries_of_one() == first


def test_a_voided_line_shares_no_day_with_the_one_before_it():
    # Until noon of 10 January: 10 of 31 days at 31.00 a month are 10.00, and no line that counts takes the tenth day.
    line = make.line(model="flat", unit_price="31")
    noon = make.moment("2026-01-10 12:00")
    contracts.end_line(line=line, ends_at=noon, actor=make.ACTOR)
    wrong = contracts.add_line(
        subscription=line.subscription, brick=line.brick, price=line.price, starts_at=noon, actor=make.ACTOR
    )
    contracts.end_line(line=wrong, ends_at=noon, actor=make.ACTOR)
    limited(line, hard_limit_amount="9.5")

    with pytest.raises(ledger.LimitReached, match="leaves 0 in"):
        make.use(line, "1", "2026-01-05")

    limited(line, hard_limit_amount="10")
    make.use(line, "1", "2026-01-05")
    close_and_issue(line.workspace, "2026-02-01")
    assert totals(line.workspace) == ["10.00"]


def test_a_repeat_is_told_so_even_where_nothing_is_left():
    line = limited(hard_limit_quantity="10")
    record = make.use(line, "10", AT, key="k")

    with pytest.raises(ledger.DuplicateKey) as duplicate:
        make.use(line, "10", AT, key="k")

    assert duplicate.value.record_id == record.id


def test_a_repeat_within_the_limit_is_one_record():
    line = limited(hard_limit_quantity="10")
    make.use(line, "1", AT, key="k")

    with pytest.raises(ledger.DuplicateKey):
        make.use(line, "2", AT, key="k")

    assert counted(line) == 1


def test_a_bounded_line_has_a_beginning_and_an_end():
    line = limited(make.line(ends_on=date(2026, 3, 1)), hard_limit_quantity="10")

    for at in ("2025-12-31", "2026-03-01"):
        with pytest.raises(ledger.OutsideLine):
            make.use(line, "1", at)


def test_what_is_refused_changes_nothing():
    line = limited(hard_limit_quantity="10")
    make.use(line, "10", AT)
    before = list(UsageRecord.objects.values())

    with pytest.raises(ledger.LimitReached):
        make.use(line, "1", AT, key="k")

    assert list(UsageRecord.objects.values()) == before
