"""The same facts through every way in: the same ledger and the same invoices, to the byte.

A month's counter at $2 a unit and a gauge at $2 a unit-day, and one record that comes after the month was closed:

    counter 6 + 4 + 8 + 5 + 3 = 26 units, $52
    gauge   3 for 6 days, 4 for 8, 8 for 6, 5 for 3, then 0: 18 + 32 + 48 + 15 = 113 unit-days, $226
    late    4 units more in January, billed with February: $8
"""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from billing.models import Invoice
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close_and_issue
from tests.usage.dialects.facts import COUNTER, GAUGE, LATE, Books, Facts, build, by_panel, number, sent
from tests.usage.dialects.vendors import VENDORS
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db


def by_native_batch(books: Books, facts: Facts) -> None:
    send = books.client("/api", authorization=f"Bearer {books.key}")
    records = [{"line": line.number, "quantity": quantity, "occurred_at": at} for line, quantity, at in facts]
    reply = sent(send("POST", "/usage/batch/", {"records": records}), 200, 201, 207)
    assert reply["recorded"] == len(facts)


Channel = Callable[[Books, Facts], None]


def each_channel(*others: Channel, counts_events: bool) -> pytest.MarkDecorator:
    """Run a test for every dialect of the table, and for the other ways to report."""
    dialects = {vendor.name: vendor.report_facts for vendor in VENDORS if vendor.counts_events is counts_events}
    channels = dialects | {other.__name__.removeprefix("by_"): other for other in others}
    return pytest.mark.parametrize("channel", channels.values(), ids=channels.keys())


def bill(books: Books, report: Channel) -> list[Invoice]:
    """Report the facts, close January, report what is late, close February."""
    january: Facts = [(books.counter, *fact) for fact in COUNTER]
    if books.gauge is not None:
        january += [(books.gauge, *fact) for fact in GAUGE]
    with time_machine.travel("2026-02-01T00:00:00Z", tick=False):
        report(books, january)
        close_and_issue(books.workspace, "2026-02-01")
    with time_machine.travel("2026-02-03T00:00:00Z", tick=False):
        report(books, [(books.counter, *LATE)])
    with time_machine.travel("2026-03-01T00:00:00Z", tick=False):
        close_and_issue(books.workspace, "2026-03-01")
    return list(books.workspace.invoices.order_by("id"))


def amounts(invoices: list[Invoice]) -> list[list[tuple[str, str, str, str]]]:
    return [
        [
            (line.description, line.kind, f"{line.quantity.normalize():f}", f"{line.amount:.2f}")
            for line in invoice.lines.order_by("position")
        ]
        for invoice in invoices
    ]


def ledger(books: Books) -> list[tuple[Any, ...]]:
    fields = ("line", "quantity", "occurred_at", "kind", "is_late", "superseded_by")
    return list(UsageRecord.objects.filter(workspace=books.workspace).order_by("id").values_list(*fields))


EXPECTED_COUNTER = [
    [("API calls", "usage", "26", "52.00")],
    [("API calls", "usage", "0", "0.00"), ("API calls", "true_up", "30", "8.00")],
]
EXPECTED = [
    [("API calls", "usage", "26", "52.00"), ("Seats", "usage", "113", "226.00")],
    [("API calls", "usage", "0", "0.00"), ("Seats", "usage", "0", "0.00"), ("API calls", "true_up", "30", "8.00")],
]


@each_channel(by_native_batch, by_panel, counts_events=False)
def test_the_ledger_and_the_invoices_are_the_same_whoever_reports(channel):
    books = build(counts_events=False)

    invoices = bill(books, channel)

    assert amounts(invoices) == EXPECTED
    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["278.00", "8.00"]
    assert all_replay_identically(books.workspace)
    expected = [
        (line.pk, number(quantity), make.moment(at.removesuffix("Z")), "entry", late, None)
        for line, facts, late in (
            (books.counter, COUNTER, False),
            (books.gauge, GAUGE, False),
            (books.counter, [LATE], True),
        )
        for quantity, at in facts
        if line is not None
    ]
    assert ledger(books) == expected


def by_native_events(books: Books, facts: Facts) -> None:
    send = books.client("/api", authorization=f"Bearer {books.key}")
    records = [
        {
            "customer_alias": "globex",
            "event_type": "used",
            "occurred_at": at,
            "properties": {"quantity": number(quantity)},
        }
        for _, quantity, at in facts
    ]
    reply = sent(send("POST", "/usage/batch/", {"records": records}), 200, 201, 207)
    assert reply["recorded"] == len(facts)


@each_channel(by_native_events, counts_events=True)
def test_events_that_say_the_same_cost_the_same(channel):
    books = build(counts_events=True)

    invoices = bill(books, channel)

    assert amounts(invoices) == EXPECTED_COUNTER
    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["52.00", "8.00"]
    assert all_replay_identically(books.workspace)
    events = UsageRecord.objects.filter(workspace=books.workspace).order_by("id")
    assert [(event.properties["quantity"], event.occurred_at, event.is_late) for event in events] == [
        (number(quantity), make.moment(at.removesuffix("Z")), late)
        for facts, late in ((COUNTER, False), ([LATE], True))
        for quantity, at in facts
    ]
