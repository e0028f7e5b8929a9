"""Salesbricks v1, as the shared suite needs it described."""

from typing import Any

from billing.models import Line
from tests.usage.dialects.facts import Books, Facts, sent
from tests.usage.dialects.vendor import Endpoint, Vendor


def graphql_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    named = {"extensions": {"code": "BAD_USER_INPUT", "field": field}} if field else {}
    return {"errors": [{"message": message, **named}]}


def increment(line: Line) -> dict[str, Any]:
    variables = {
        "timestamp": "2026-07-16T10:15:30Z",
        "subscriptionId": str(line.subscription_id),
        "brickId": str(line.brick_id),
        "count": 7,
    }
    query = (
        "mutation ($timestamp: DateTime!, $subscriptionId: String!, $brickId: String!, $count: Int!)\n"
        "{ incrementCounter(timestamp: $timestamp, subscriptionId: $subscriptionId, brickId: $brickId, count: $count)"
        " { success } }"
    )
    return {"query": query, "variables": variables, "operationName": None}


def not_incremented(line: Line) -> dict[str, Any]:
    (error,) = graphql_error(200, "Unknown subscription or brick.", "brickId")["errors"]
    where = {"locations": [{"line": 2, "column": 3}], "path": ["incrementCounter"]}
    return {"data": None, "errors": [{**error, **where}]}


def report_facts(books: Books, facts: Facts) -> None:
    send = books.client("/salesbricks/api/v1", x_salesbricks_key=books.key)
    for line, quantity, at in facts:
        mutation, argument = ("incrementCounter", "count") if line == books.counter else ("setGauge", "value")
        arguments = f'timestamp: "{at}", subscriptionId: "{line.subscription_id}", brickId: "{line.brick_id}"'
        query = f"mutation {{ {mutation}({arguments}, {argument}: {quantity}) {{ success }} }}"
        reply = sent(send("POST", "/usage", {"query": query}), 200)
        assert reply == {"data": {mutation: {"success": True}}}


VENDOR = Vendor(
    name="salesbricks_v1",
    report_facts=report_facts,
    path="/salesbricks/api/v1/usage",
    headers=lambda key, workspace: {"x-salesbricks-key": key},
    report=increment,
    error=graphql_error,
    wrong_key="Invalid API key.",
    challenge="X-SALESBRICKS-KEY",
    accepted=200,
    # GraphQL answers 200 to what its fields refuse.
    refusals=(200,),
    endpoints=(Endpoint("POST", "/salesbricks/api/v1/usage", lambda things: increment(things["line"])),),
    unserved=(
        Endpoint("GET", "/salesbricks/api/v1/usage"),
        Endpoint("GET", "/salesbricks/api/v1/elsewhere"),
    ),
    foreign=lambda line: (200, not_incremented(line)),
    # How the brick is aggregated is asked for once.
    statements=("SELECT", "SELECT", "INSERT"),
)
