"""A month's usage that every dialect reports, the workspace that it belongs to, and how the panel reports it."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.urls import reverse

from billing import contracts, parties
from billing.models import Line, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, post_and_confirm
from tests.usage.dialects.clients import ServiceClient

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
class Books:
    """A workspace, the lines that usage is reported of, and an API key."""

    workspace: Workspace
    counter: Line
    gauge: Line | None
    key: str

    def client(self, mount: str, **headers: str) -> ServiceClient:
        return ServiceClient(mount, {name.replace("_", "-"): value for name, value in headers.items()})


def build(*, counts_events: bool) -> Books:
    """Return the same workspace for every channel; with an event brick as the counter where ``counts_events``."""
    workspace = make.workspace()
    customer = parties.create_customer(workspace=workspace, name="Globex", aliases=("globex",), actor=make.ACTOR)
    subscription = make.subscription(customer, id=uuid.UUID(int=1))
    if counts_events:
        counted = make.event_brick(workspace, "API calls", event_type="used", aggregation="sum", property="quantity")
    else:
        counted = make.brick(workspace, "API calls")
    lines = [
        contracts.add_line(
            subscription=subscription, brick=counted, price=make.price(counted), reference="calls", actor=make.ACTOR
        )
    ]
    if not counts_events:
        seats = make.brick(workspace, "Seats", aggregation="unit_days")
        lines.append(
            contracts.add_line(subscription=subscription, brick=seats, price=make.price(seats), actor=make.ACTOR)
        )
    gauge = None if counts_events else lines[1]
    return Books(workspace=workspace, counter=lines[0], gauge=gauge, key=make.api_key(workspace))


def number(quantity: str) -> Decimal:
    return Decimal(quantity)


def sent(response: Any, *statuses: int) -> Any:
    assert response.status_code in statuses, response.content
    return response.json()


def by_panel(books: Books, facts: Facts) -> None:
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
