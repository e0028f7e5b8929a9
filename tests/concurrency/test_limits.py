from decimal import Decimal

import pytest

from billing import contracts
from billing.contracts import Limits
from billing.storage.exact import ExactSum
from tests import factories as make
from tests.concurrency.threads import at_once
from tests.scenarios.closing import close
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

AT = "2026-01-10"
CLIENTS = 8


def bounded(**limits):
    return contracts.set_limits(
        line=make.line(), limits=Limits(**{name: Decimal(value) for name, value in limits.items()}), actor=make.ACTOR
    )


def total() -> Decimal:
    return UsageRecord.objects.live().aggregate(total=ExactSum("quantity"))["total"] or Decimal(0)


def send(line, quantity: str, *, accepts_part: bool = False) -> Decimal:
    """Return the accepted part of a quantity."""
    command = RecordUsage(
        origin=Origin(workspace_id=line.workspace_id, source="api", dialect="rebilly", recorded_by="tests"),
        address=LineByNumber(line.number),
        quantity=Decimal(quantity),
        occurred_at=make.moment(AT),
        accepts_part=accepts_part,
    )
    try:
        return ledger.record(command=command, recorded_at=make.moment(AT)).quantity
    except ledger.LimitReached:
        return Decimal(0)


@pytest.mark.parametrize("limits", [{"hard_limit_quantity": "10"}, {"hard_limit_amount": "20"}], ids=str)
def test_at_once_they_never_exceed_a_limit(limits):
    line = bounded(**limits)

    taken = at_once([lambda: send(line, "3")] * CLIENTS)

    assert sorted(taken) == [0] * (CLIENTS - 3) + [3] * 3
    assert total() == 9


@pytest.mark.parametrize("limits", [{"hard_limit_quantity": "10"}, {"hard_limit_amount": "20"}], ids=str)
def test_at_once_and_content_with_a_part_they_fill_a_limit_exactly(limits):
    line = bounded(**limits)

    taken = at_once([lambda: send(line, "3", accepts_part=True)] * CLIENTS)

    assert sorted(taken) == [0] * (CLIENTS - 4) + [1] + [3] * 3
    assert total() == 10


def test_a_limit_that_is_set_meanwhile_counts_what_is_being_recorded():
    line = make.line()

    def limit() -> Decimal:
        contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(4)), actor=make.ACTOR)
        return send(line, "4", accepts_part=True)

    of_limiter, *of_others = at_once([limit, *[lambda: send(line, "1", accepts_part=True)] * (CLIENTS - 1)])

    # Usage before the limit was counted, even if it was being recorded, and usage after it did not exceed it.
    assert of_limiter + sum(of_others) <= max(4, sum(of_others))
    assert send(line, "1") == 0


def test_corrections_and_records_at_once_never_exceed_a_limit():
    line = bounded(hard_limit_quantity="10")
    records = [make.use(line, "1", AT) for _ in range(4)]

    def raise_to_three(record: ledger.Recorded) -> Decimal:
        try:
            make.fix(record, "3")
        except ledger.LimitReached:
            return Decimal(0)
        return Decimal(2)

    added = at_once(
        [lambda record=record: raise_to_three(record) for record in records] + [lambda: send(line, "2")] * 4
    )

    assert sum(added, Decimal(0)) == 6
    assert total() == 10


def test_beside_a_close_a_bounded_line_loses_nothing():
    line = bounded(hard_limit_quantity="1000")

    at_once([lambda: send(line, "1"), lambda: close(line.workspace, "2026-02-01"), *[lambda: send(line, "1")] * 6])

    invoiced = line.invoice_lines.get()
    counted = line.usage_records.as_of(invoiced.cutoff).count()
    assert invoiced.record_count == counted
    assert line.usage_records.filter(is_late=True).count() == 7 - counted
