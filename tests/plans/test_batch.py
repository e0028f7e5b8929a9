"""A batch looks up everything by index: its cost does not grow with the tables."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Customer, CustomerAlias, Line, Subscription
from tests import factories as make
from tests.plans import MODES, analyse, reads, statements_of
from tests.skewed import copy_rows, drop_foreign_keys
from usage import ledger
from usage.commands import LineByBrick, LineByName, LineByNumber, Origin, RecordUsage, ReportEvent

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

LARGE = 100_000
TABLES = (Line, Subscription, Customer, CustomerAlias)


@pytest.fixture
def line() -> Line:
    """Return a line beside 100,000 others, each with its own customer and subscription."""
    drop_foreign_keys()
    owner = make.workspace()
    one = make.line(owner)
    sub = one.subscription
    make.customer(owner, "Initech", aliases=["initech"])
    drawn = "md5('{} ' || n)::uuid"
    copy_rows(Customer, of=sub.customer_id, count=LARGE, id=drawn.format("c"), reference="'c ' || n")
    copy_rows(
        Subscription,
        of=sub.pk,
        count=LARGE,
        id=drawn.format("s"),
        customer_id=drawn.format("c"),
        reference="'s ' || n",
    )
    copy_rows(Line, of=one.pk, count=LARGE, subscription_id=drawn.format("s"), number="1000 + n", reference="'l ' || n")
    copy_rows(
        CustomerAlias,
        of=CustomerAlias.objects.get().pk,
        count=LARGE,
        customer_id=drawn.format("c"),
        value="'a ' || n",
    )
    return one


def batch_of(line: Line) -> Callable[[], Any]:
    def usage(address: LineByNumber | LineByBrick | LineByName, key: str) -> RecordUsage:
        return RecordUsage(
            origin=origin, address=address, quantity=Decimal(1), occurred_at=make.moment("2026-01-10"), key=key
        )

    def event(name: str) -> ReportEvent:
        return ReportEvent(
            origin=origin,
            customer_alias=name,
            event_type="message-sent",
            occurred_at=make.moment("2026-01-10"),
            key=None,
            properties={},
            supersedes=False,
        )

    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="native", recorded_by="tests")
    known = Line.objects.order_by("-pk")[0]
    names = ["s 7", "l 8", str(known.number), str(known.subscription_id)]
    commands: list[RecordUsage | ReportEvent] = [
        usage(LineByNumber(known.number), "1"),
        usage(LineByBrick(known.subscription_id, known.brick_id), "2"),
        *(usage(LineByName(name), f"name {name}") for name in names),
        usage(LineByNumber(known.number), "1"),
        *(event(name) for name in ("c 9", "a 10", "initech", str(known.subscription.customer_id), "nobody")),
    ]
    return lambda: ledger.record_many(commands=commands, recorded_at=make.moment("2026-01-10"))


@pytest.mark.parametrize("is_analysed", [False, True], ids=["never analysed", "analysed"])
def test_a_batch_beside_100_000_lines_reads_no_table_as_a_whole(line, is_analysed):
    if is_analysed:
        analyse(*TABLES)

    statements = statements_of(batch_of(line))

    tables = {model._meta.db_table for model in TABLES}
    for statement in statements:
        for mode in MODES:
            whole = [step for step in reads(statement, mode=mode) if step.node == "Seq Scan" and step.table in tables]
            assert whole == [], (mode, statement.text)
    assert sum("FOR KEY SHARE" in statement.text for statement in statements) == 1
    assert sum("FOR SHARE" in statement.text for statement in statements) == 1
