"""Sequence: events billed month by month."""

from typing import Any

import pytest
import time_machine

from billing import contracts, parties
from billing.models import Brick, Customer, Invoice, InvoiceLine
from tests import factories as make
from tests.scenarios.closing import all_replay_identically, close_and_issue, totals
from tests.usage.dialects.sequence.client import Sequence

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make.workspace()


@pytest.fixture
def sequence(workspace):
    return Sequence(workspace)


@pytest.fixture
def customer(workspace):
    """A customer whom no event names yet."""
    return parties.create_customer(workspace=workspace, name="Globex", reference="G-1", actor=make.ACTOR)


def sell(customer: Customer, metric: Any, unit_price: str) -> None:
    """Bill a customer for a metric since January."""
    brick = Brick.objects.get(pk=metric.json()["id"])
    contracts.add_line(
        subscription=make.subscription(customer),
        brick=brick,
        price=make.price(brick, unit_price=unit_price),
        actor=make.ACTOR,
    )


def report(sequence: Sequence, at: str, **fields: Any) -> Any:
    """Report an event at the moment at which it happens."""
    with time_machine.travel(f"{at}T12:00:00Z", tick=False):
        return sequence.report(**fields)


def quantities() -> list[str]:
    return [f"{line.quantity.normalize():f}" for line in InvoiceLine.objects.order_by("id")]


def test_events_that_waited_for_their_alias_are_billed_with_the_month_they_are_of(workspace, sequence, customer):
    # $0.10 a message: 2 of 3 in January, since the third is under a name that nobody gets.
    sell(customer, sequence.metric(), "0.1")
    report(sequence, "2026-01-10")
    report(sequence, "2026-01-20")
    report(sequence, "2026-01-20", alias="nobody")

    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    close_and_issue(workspace, "2026-02-01")

    assert (quantities(), totals(workspace)) == (["2"], ["0.20"])
    assert all_replay_identically(workspace)


def test_an_alias_given_after_the_close_bills_the_month_with_the_next(workspace, sequence, customer):
    # $2 a message: none in January and one in February; then the two of January turn out to be Globex's: $4 more.
    sell(customer, sequence.metric(), "2")
    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    report(sequence, "2026-01-10", alias="globex-eu")
    report(sequence, "2026-01-20", alias="globex-eu")
    close_and_issue(workspace, "2026-02-01")
    report(sequence, "2026-02-10")

    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex-eu"})
    close_and_issue(workspace, "2026-03-01")

    assert totals(workspace) == ["0.00", "6.00"]
    assert sorted(Invoice.objects.latest("id").lines.values_list("kind", "amount")) == [("true_up", 4), ("usage", 2)]
    assert sequence.events("?unmappedAliasesOnly=true") == []
    assert all_replay_identically(workspace)


def test_a_superseded_event_is_billed_as_it_was_last_received(workspace, sequence, customer):
    # $0.01 a letter: 500 + 300 = 800 letters in January, $8. Then the first is corrected to 100 letters and the second
    # is void: 800 - 100 = 700 letters less, $7 back.
    sell(customer, sequence.metric(aggregationType="SUM", aggregationProperty="length"), "0.01")
    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    first = {"customerEventId": "E-1", "eventTimestamp": "2026-01-10T00:00:00Z"}
    second = {"customerEventId": "E-2", "eventTimestamp": "2026-01-20T00:00:00Z"}
    report(sequence, "2026-01-10", **first, eventProperties={"length": 7})
    report(sequence, "2026-01-11", **first, eventProperties={"length": 500})
    report(sequence, "2026-01-20", **second, eventProperties={"length": 300})
    close_and_issue(workspace, "2026-02-01")

    report(sequence, "2026-02-02", **first, eventProperties={"length": 100})
    report(sequence, "2026-02-03", **second, alias="VOID")
    close_and_issue(workspace, "2026-03-01")

    assert totals(workspace) == ["8.00", "-7.00"]
    assert all_replay_identically(workspace)


def test_an_event_moved_to_another_month_is_billed_there(workspace, sequence, customer):
    # $2 a message: one in January, $2; moved to February: $2 back and $2 to pay.
    sell(customer, sequence.metric(), "2")
    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    report(sequence, "2026-01-10", customerEventId="E-1")
    close_and_issue(workspace, "2026-02-01")

    report(sequence, "2026-02-02", customerEventId="E-1", eventTimestamp="2026-02-01T00:00:00Z")
    close_and_issue(workspace, "2026-03-01")

    assert totals(workspace) == ["2.00", "0.00"]
    assert sorted(Invoice.objects.latest("id").lines.values_list("kind", "amount")) == [("true_up", -2), ("usage", 2)]
    assert all_replay_identically(workspace)


def test_a_changed_metric_leaves_what_was_billed(workspace, sequence, customer):
    # $2 for each message that counts: all 2 in January; from then on only those by mail: 1 of 2 in February.
    metric = sequence.metric()
    sell(customer, metric, "2")
    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    for channel in ("sms", "mail"):
        report(sequence, "2026-01-10", eventProperties={"channel": channel})
        report(sequence, "2026-02-10", eventProperties={"channel": channel})
    close_and_issue(workspace, "2026-02-01")

    terms = {name: metric.json()[name] for name in ("name", "metricType", "eventType", "aggregationType")}
    sequence("PUT", f"usage-metrics/{metric.json()['id']}", {**terms, "propertyFilters": {"channel": ["mail"]}})
    close_and_issue(workspace, "2026-03-01")

    assert totals(workspace) == ["4.00", "2.00"]
    assert all_replay_identically(workspace)


def test_what_a_metric_comes_to_is_what_is_billed(workspace, sequence, customer):
    # $1 for each channel that was used: sms and mail, whatever the number of messages.
    metric = sequence.metric(aggregationType="UNIQUE", aggregationProperty="channel")
    sell(customer, metric, "1")
    sequence("POST", "customer-aliases", {"customerId": "G-1", "value": "globex"})
    for day, channel in enumerate(("sms", "mail", "sms"), start=1):
        report(sequence, f"2026-01-0{day}", eventProperties={"channel": channel})

    told = sequence(
        "GET",
        f"usage-metrics/{metric.json()['id']}/calculate"
        "?customerAliases=globex&periodStart=2026-01-01&periodEnd=2026-01-31",
    ).json()
    close_and_issue(workspace, "2026-02-01")

    assert (told["eventCount"], told["value"]) == (3, 2)
    assert (quantities(), totals(workspace)) == (["2"], ["2.00"])
