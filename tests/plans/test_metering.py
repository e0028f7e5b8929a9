"""A few windows are measured by index, also where each line or customer has a good part of the ledger."""

from itertools import product

import pytest

from billing.models import Customer, Line
from tests import factories as make
from tests.plans import MODES, analyse, reads, statements_of
from tests.skewed import copy_rows, drop_foreign_keys
from usage.metering import CUTOFF_OF_NOW, Window, measure
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

LINES, RECORDS = 10, 50_000
START, END = make.moment("2026-01-10"), make.moment("2026-01-11")
EVERY_MINUTE = "timestamptz '2026-01-01' + n %% 40000 * interval '1 minute'"


@pytest.fixture
def windows() -> dict[str, Window]:
    """Return a day of a counter, of a gauge, and of a customer's events, beside many records of few others."""
    drop_foreign_keys()
    owner = make.workspace()
    line = make.line(owner)
    counting = make.counting_line(make.customer(owner, "Globex", aliases=["gx"]), make.event_brick(owner))
    customer, rule = counting.subscription.customer, counting.brick.event_rules.get()
    make.use(line, "3", "2026-01-05")
    make.event(owner, "gx", "2026-01-05")
    copy_rows(Line, of=line.pk, count=LINES, number="1000 + n", subscription_id="md5('s ' || n)::uuid")
    copy_rows(Customer, of=customer.pk, count=LINES, id="md5('c ' || n)::uuid")
    first = Line.objects.filter(number__gt=1000).order_by("pk")[0]
    record, event = UsageRecord.objects.order_by("pk")
    copy_rows(UsageRecord, of=record.pk, count=RECORDS, line_id=f"{first.pk} + n %% {LINES}", occurred_at=EVERY_MINUTE)
    copy_rows(
        UsageRecord,
        of=event.pk,
        count=RECORDS,
        customer_id=f"md5('c ' || (1 + n %% {LINES}))::uuid",
        key="'k ' || n",
        occurred_at=EVERY_MINUTE,
    )
    analyse(UsageRecord, Line, Customer)
    busy = UsageRecord.objects.filter(line=None).latest("pk").customer_id
    of_line = {name: Window(owner.pk, name, first.pk, START, END, CUTOFF_OF_NOW) for name in ("sum", "unit_days")}
    return of_line | {"events": Window(owner.pk, "events", None, START, END, CUTOFF_OF_NOW, busy, rule)}


def test_a_few_windows_are_looked_up(windows):
    for (name, window), count in product(windows.items(), (1, 3)):
        (statement,) = statements_of(lambda window=window, count=count: measure([window] * count))
        for mode in MODES:
            steps = [step for step in reads(statement, mode=mode) if step.table == UsageRecord._meta.db_table]
            assert {step.node for step in steps} <= {"Index Scan", "Index Only Scan"}, (name, count, mode)
            assert steps

    assert [each.record_count for each in measure(list(windows.values()))] == [144, 144, 144]
