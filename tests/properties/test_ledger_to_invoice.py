"""Property test from ledger to invoice: the amount billed for a period equals a calculation by hand."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.models import InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close, issue
from usage import closing, ledger
from usage.commands import LineByNumber, Origin, RecordUsage

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 5))
DAY = Decimal(86_400_000_000)

quantities = st.decimals(min_value=0, max_value=10**6, places=9)
moments = st.timedeltas(timedelta(0), timedelta(days=89)).map(lambda after: datetime(2026, 1, 1, tzinfo=UTC) + after)


@dataclass(frozen=True)
class Entry:
    quantity: Decimal
    at: datetime


# A step: a record, a change of an earlier one (by position), or a close and issue.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.builds(Entry, quantities, moments)),
        st.tuples(st.just("fix"), st.integers(0, 30), st.builds(Entry, quantities, moments)),
        st.tuples(st.just("retract"), st.integers(0, 30)),
        st.tuples(st.just("close"), st.sampled_from(["2026-02-01", "2026-03-01"])),
    ),
    max_size=14,
)


def on_paper(entries: list[Entry], aggregation: str, starts_at: datetime, ends_at: datetime) -> Decimal:
    """Return the quantity of a period, computed the slow way. Entries are in the order of their ledger ids."""
    if aggregation == "sum":
        return sum((entry.quantity for entry in entries if starts_at <= entry.at < ends_at), Decimal(0))
    total, value, since = Decimal(0), Decimal(0), starts_at
    for entry in sorted(entries, key=lambda entry: entry.at):
        if entry.at >= ends_at:
            break
        if entry.at > since:
            total += value * ((entry.at - since) // timedelta(microseconds=1))
            since = entry.at
        value = entry.quantity
    total += value * ((ends_at - since) // timedelta(microseconds=1))
    return (total / DAY).quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)


@pytest.mark.parametrize("aggregation", ["sum", "unit_days"])
@settings(max_examples=15)
@given(story=steps)
def test_every_period_is_billed_what_its_live_records_cost(aggregation, story):
    with transaction.atomic():
        line = make.line(aggregation=aggregation, unit_price="1.5")
        tell(line, story)
        for until in ("2026-02-01", "2026-03-01", "2026-04-01"):
            try:
                issue(close(line.workspace, until), until)
            except closing.NothingToClose:
                continue
        live = [Entry(record.quantity, record.occurred_at) for record in line.usage_records.live().order_by("id")]
        for starts_at, ends_at in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH)):
            billed = InvoiceLine.objects.filter(line=line, starts_at=starts_at)
            price = (on_paper(live, aggregation, starts_at, ends_at) * Decimal("1.5")).quantize(
                Decimal("0.01"), rounding=ROUND_HALF_UP
            )
            assert sum((row.amount for row in billed), Decimal(0)) == price
        assert all_replay_identically(line.workspace)
        transaction.set_rollback(True)


def tell(line, story) -> None:
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="piriod", recorded_by="tests")
    known: list[ledger.Recorded] = []
    for kind, *details in story:
        if kind == "record":
            entry = details[0]
            command = RecordUsage(
                origin=origin, address=LineByNumber(line.number), quantity=entry.quantity, occurred_at=entry.at
            )
            known.append(ledger.record(command=command, recorded_at=entry.at))
        elif kind == "close":
            try:
                issue(close(line.workspace, details[0]), details[0])
            except closing.NothingToClose:
                continue
        elif known:
            change(kind, known, *details)


def change(kind: str, known: list[ledger.Recorded], position: int, entry: Entry | None = None) -> None:
    record = known[position % len(known)]
    if kind == "retract" or entry is None:
        make.take_back(record)
        known.remove(record)
    else:
        at = f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"
        known[position % len(known)] = replace(make.fix(record, str(entry.quantity), at=at), handle=record.handle)
