"""Sequence, as the shared suite needs it described."""

import base64
from typing import Any

from billing import catalog, parties
from billing.models import Line
from tests import factories as make
from tests.usage.dialects.facts import Books, Facts, number, sent
from tests.usage.dialects.sequence.client import basic
from tests.usage.dialects.vendor import Endpoint, Vendor
from usage.dialects.sequence import identifiers


def sequence_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    return {"errors": [{"field": field, "message": message} if field else {"message": message}]}


def sequence_event(line: Line) -> dict[str, Any]:
    return {
        "customerAlias": str(line.subscription.customer_id),
        "eventType": "message-sent",
        "eventTimestamp": "2026-07-16T10:15:30Z",
        "eventProperties": {"length": 7},
    }


SEQUENCE_METRIC = {"name": "Sent", "metricType": "SIMPLE", "eventType": "message-sent", "aggregationType": "COUNT"}


def sequence_things(line: Line) -> dict[str, Any]:
    """Return a metric, and the line's customer with an alias."""
    customer = line.subscription.customer
    alias = parties.add_alias(customer=customer, value=f"alias-{line.pk}", actor=make.ACTOR)
    metric = catalog.create_brick(
        workspace=line.workspace,
        name="Sent",
        aggregation="events",
        rule=catalog.EventTerms(event_type="message-sent", aggregation="count"),
        as_of=make.moment("2026-07-01"),
        actor=make.ACTOR,
    )
    alias_id = identifiers.public_id(alias.pk, alias.created_at)
    return {"customer": customer, "alias": alias, "alias_id": alias_id, "metric": metric}


def report_facts(books: Books, facts: Facts) -> None:
    credentials = "Basic " + base64.b64encode(f"acme:{books.key}".encode()).decode()
    send = books.client("/sequence/api", authorization=credentials)
    for _, quantity, at in facts:
        event = {"customerAlias": "globex", "eventType": "used", "eventTimestamp": at}
        sent(send("POST", "/usage-events", event | {"eventProperties": {"quantity": number(quantity)}}), 201)


VENDOR = Vendor(
    name="sequence",
    report_facts=report_facts,
    counts_events=True,
    path="/sequence/api/usage-events",
    headers=lambda key, workspace: {"authorization": basic(key)},
    report=sequence_event,
    recorded=lambda line: {"line": None, "customer": line.subscription.customer_id, "properties": {"length": 7}},
    moment="eventTimestamp",
    error=sequence_error,
    wrong_key="Unauthorized",
    challenge="Basic",
    populate=sequence_things,
    endpoints=(
        Endpoint("GET", "/sequence/api/usage-events", names_things=False),
        # Who is not there yet may come.
        Endpoint(
            "POST", "/sequence/api/usage-events", lambda things: sequence_event(things["line"]), names_things=False
        ),
        Endpoint("GET", "/sequence/api/usage-metrics", names_things=False),
        Endpoint("POST", "/sequence/api/usage-metrics", lambda things: SEQUENCE_METRIC, names_things=False),
        Endpoint("GET", "/sequence/api/usage-metrics/{metric.pk}"),
        Endpoint("PUT", "/sequence/api/usage-metrics/{metric.pk}", lambda things: SEQUENCE_METRIC),
        Endpoint("DELETE", "/sequence/api/usage-metrics/{metric.pk}"),
        Endpoint(
            "GET",
            "/sequence/api/usage-metrics/{metric.pk}/calculate",
            query="?customerAliases={alias.value}&periodStart=2026-07-01&periodEnd=2026-07-31",
        ),
        Endpoint("GET", "/sequence/api/customer-aliases", names_things=False),
        Endpoint(
            "POST",
            "/sequence/api/customer-aliases",
            lambda things: {"customerId": str(things["customer"].pk), "value": "another"},
        ),
        Endpoint("PUT", "/sequence/api/customer-aliases/{alias_id}", lambda things: {"label": "CRM"}),
        Endpoint("DELETE", "/sequence/api/customer-aliases/{alias_id}"),
        Endpoint("GET", "/sequence/api/customers/by-alias/{alias.value}"),
        Endpoint("GET", "/sequence/api/customers/{customer.pk}/aliases"),
    ),
    unserved=(
        Endpoint("DELETE", "/sequence/api/usage-events"),
        Endpoint("GET", "/sequence/api/elsewhere"),
    ),
)
