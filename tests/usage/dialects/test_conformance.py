"""The same facts through every way in: the same ledger and the same invoices, to the byte.

A month's counter at $2 a unit and a gauge at $2 a unit-day, and one record that comes after the month was closed:

    counter 6 + 4 + 8 + 5 + 3 = 26 units, $52
    gauge   3 for 6 days, 4 for 8, 8 for 6, 5 for 3, then 0: 18 + 32 + 48 + 15 = 113 unit-days, $226
    late    4 units more in January, billed with February: $8
"""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from billing import contracts, parties
from billing.models import Invoice, Line, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, post_and_confirm
from tests.scenarios.closing import all_replay_identically, close_and_issue
from tests.usage.dialects.clients import ServiceClient
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

COUNTER = [
    ("6", "2026-01-02T08:00:00Z"),
    ("4", "2026-01-09T09:30:00Z"),
    ("8", "2026-01-16T10:15:30Z"),
    ("5", "2026-01-23T23:59:59Z"),
    ("3", "2026-01-31T23:59:59Z"),
]
LATE = ("4", "2026-01-30T12:00:00Z")
GAUGE = [
    ("3", "2026-01-01T00:00:00Z"),
    ("4", "2026-01-07T00:00:00Z"),
    ("8", "2026-01-15T00:00:00Z"),
    ("5", "2026-01-21T00:00:00Z"),
    ("0", "2026-01-24T00:00:00Z"),
]

Facts = list[tuple[Line, str, str]]


@dataclass
class World:
    workspace: Workspace
    counter: Line
    gauge: Line | None
    key: str

    def client(self, mount: str, **headers: str) -> ServiceClient:
        return ServiceClient(mount, {name.replace("_", "-"): value for name, value in headers.items()})


def build(*, counts_events: bool) -> World:
    """One workspace as every channel finds it; an event brick in place of the counter for those that send events."""
    workspace = make.workspace()
    customer = parties.create_customer(workspace=workspace, name="Globex", aliases=("globex",))
    subscription = make.subscription(customer, id=uuid.UUID(int=1))
    if counts_events:
        counted = make.event_brick(workspace, "API calls", event_type="used", aggregation="sum", property="quantity")
    else:
        counted = make.brick(workspace, "API calls")
    lines = [contracts.add_line(subscription=subscription, brick=counted, price=make.price(counted), reference="calls")]
    if not counts_events:
        seats = make.brick(workspace, "Seats", aggregation="unit_days")
        lines.append(contracts.add_line(subscription=subscription, brick=seats, price=make.price(seats)))
    gauge = None if counts_events else lines[1]
    return World(workspace=workspace, counter=lines[0], gauge=gauge, key=make.api_key(workspace))


def number(quantity: str) -> Decimal:
    return Decimal(quantity)


def sent(response: Any, *statuses: int) -> Any:
    assert response.status_code in statuses, response.content
    return response.json()


def by_piriod(world: World, facts: Facts) -> None:
    send = world.client("/piriod", authorization=f"Token {world.key}", x_simple_workspace="acme")
    for line, quantity, at in facts:
        body = {"subscription_line": line.number, "date_time": at, "quantity": number(quantity)}
        sent(send("POST", "/usages/", body), 201)


def by_salesbricks_v2(world: World, facts: Facts) -> None:
    send = world.client("/salesbricks/api/v2", x_salesbricks_key=world.key)
    for line, quantity, at in facts:
        ids = {"subscription_id": str(line.subscription_id), "brick_id": str(line.brick_id)}
        body = {**ids, "transaction_id": f"{line.number} {at}", "value": number(quantity), "time": at}
        sent(send("POST", "/usage", body), 201)


def by_salesbricks_v1(world: World, facts: Facts) -> None:
    send = world.client("/salesbricks/api/v1", x_salesbricks_key=world.key)
    for line, quantity, at in facts:
        mutation, argument = ("incrementCounter", "count") if line == world.counter else ("setGauge", "value")
        arguments = f'timestamp: "{at}", subscriptionId: "{line.subscription_id}", brickId: "{line.brick_id}"'
        query = f"mutation {{ {mutation}({arguments}, {argument}: {quantity}) {{ success }} }}"
        reply = sent(send("POST", "/usage", {"query": query}), 200)
        assert reply == {"data": {mutation: {"success": True}}}


def by_rebilly(world: World, facts: Facts) -> None:
    send = world.client("/rebilly/organizations/acme", reb_apikey=world.key)
    for line, quantity, at in facts:
        if number(quantity) == 0:
            # The vendor's least quantity is 0.001: finance sets the gauge back by hand.
            by_panel(world, [(line, quantity, at)])
            continue
        body = {"subscriptionId": line.reference or str(line.number), "quantity": number(quantity), "usageTime": at}
        sent(send("POST", "/usages", body), 201)


def by_sequence(world: World, facts: Facts) -> None:
    credentials = "Basic " + base64.b64encode(f"acme:{world.key}".encode()).decode()
    send = world.client("/sequence/api", authorization=credentials)
    for _, quantity, at in facts:
        event = {"customerAlias": "globex", "eventType": "used", "eventTimestamp": at}
        sent(send("POST", "/usage-events", event | {"eventProperties": {"quantity": number(quantity)}}), 201)


def by_native(world: World, facts: Facts) -> None:
    send = world.client("/api", authorization=f"Bearer {world.key}")
    for line, quantity, at in facts:
        sent(send("POST", "/usage/", {"line": line.number, "quantity": quantity, "occurred_at": at}), 201)


def by_native_batch(world: World, facts: Facts) -> None:
    send = world.client("/api", authorization=f"Bearer {world.key}")
    records = [{"line": line.number, "quantity": quantity, "occurred_at": at} for line, quantity, at in facts]
    reply = sent(send("POST", "/usage/batch/", {"records": records}), 200, 201, 207)
    assert reply["recorded"] == len(facts)


def by_panel(world: World, facts: Facts) -> None:
    client = administrator()
    for line, quantity, at in facts:
        day, _, time = at.removesuffix("Z").partition("T")
        form = {
            "line": line.pk,
            "occurred_at_0": day,
            "occurred_at_1": time,
            "quantity": quantity,
            "note": "report",
        }
        url = f"{reverse('admin:usage_usagerecord_add')}?customer={line.subscription.customer_id}"
        # What is late lies in a closed period, and the form asks whether that is meant.
        send = client.post if (quantity, at) != LATE else partial(post_and_confirm, client)
        response = send(url, form | {"key": str(uuid.uuid4())})
        assert response.status_code == 302, response.context["form"].errors


Channel = Callable[[World, Facts], None]
LINES: list[Channel] = [
    by_piriod,
    by_salesbricks_v2,
    by_salesbricks_v1,
    by_rebilly,
    by_native,
    by_native_batch,
    by_panel,
]


def name_of(channel: Channel) -> str:
    return channel.__name__.removeprefix("by_")


def bill(world: World, report: Channel) -> list[Invoice]:
    """Report the facts, close January, report what is late, close February."""
    january: Facts = [(world.counter, *fact) for fact in COUNTER]
    if world.gauge is not None:
        january += [(world.gauge, *fact) for fact in GAUGE]
    with time_machine.travel("2026-02-01T00:00:00Z", tick=False):
        report(world, january)
        close_and_issue(world.workspace, "2026-02-01")
    with time_machine.travel("2026-02-03T00:00:00Z", tick=False):
        report(world, [(world.counter, *LATE)])
    with time_machine.travel("2026-03-01T00:00:00Z", tick=False):
        close_and_issue(world.workspace, "2026-03-01")
    return list(world.workspace.invoices.order_by("id"))


def amounts(invoices: list[Invoice]) -> list[list[tuple[str, str, str, str]]]:
    return [
        [
            (line.description, line.kind, f"{line.quantity.normalize():f}", f"{line.amount:.2f}")
            for line in invoice.lines.order_by("position")
        ]
        for invoice in invoices
    ]


def ledger(world: World) -> list[tuple[Any, ...]]:
    fields = ("line", "quantity", "occurred_at", "kind", "is_late", "superseded_by")
    return list(UsageRecord.objects.filter(workspace=world.workspace).order_by("id").values_list(*fields))


EXPECTED_COUNTER = [
    [("API calls", "usage", "26", "52.00")],
    [("API calls", "usage", "0", "0.00"), ("API calls", "true_up", "30", "8.00")],
]
EXPECTED = [
    [("API calls", "usage", "26", "52.00"), ("Seats", "usage", "113", "226.00")],
    [("API calls", "usage", "0", "0.00"), ("Seats", "usage", "0", "0.00"), ("API calls", "true_up", "30", "8.00")],
]


@pytest.mark.parametrize("channel", LINES, ids=name_of)
def test_the_ledger_and_the_invoices_are_the_same_whoever_reports(channel):
    world = build(counts_events=False)

    invoices = bill(world, channel)

    assert amounts(invoices) == EXPECTED
    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["278.00", "8.00"]
    assert all_replay_identically(world.workspace)
    expected = [
        (line.pk, number(quantity), make.moment(at.removesuffix("Z")), "entry", late, None)
        for line, facts, late in (
            (world.counter, COUNTER, False),
            (world.gauge, GAUGE, False),
            (world.counter, [LATE], True),
        )
        for quantity, at in facts
        if line is not None
    ]
    assert ledger(world) == expected


def by_native_events(world: World, facts: Facts) -> None:
    send = world.client("/api", authorization=f"Bearer {world.key}")
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


@pytest.mark.parametrize("channel", [by_sequence, by_native_events], ids=name_of)
def test_events_that_say_the_same_cost_the_same(channel):
    world = build(counts_events=True)

    invoices = bill(world, channel)

    assert amounts(invoices) == EXPECTED_COUNTER
    assert [f"{invoice.total:.2f}" for invoice in invoices] == ["52.00", "8.00"]
    assert all_replay_identically(world.workspace)
    events = UsageRecord.objects.filter(workspace=world.workspace).order_by("id")
    assert [(event.properties["quantity"], event.occurred_at, event.is_late) for event in events] == [
        (number(quantity), make.moment(at.removesuffix("Z")), late)
        for facts, late in ((COUNTER, False), ([LATE], True))
        for quantity, at in facts
    ]
