"""Rebilly, as the shared suite needs it described."""

from typing import Any

from billing.models import Line
from tests.usage.dialects.facts import Books, Facts, by_panel, number, sent
from tests.usage.dialects.vendor import Endpoint, Vendor, used
from usage.dialects.rebilly import identifiers


def rebilly_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    titles = {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        408: "Request Timeout",
        411: "Length Required",
        413: "Content Too Large",
        415: "Unsupported Media Type",
        422: "Validation error",
        500: "Internal Server Error",
        503: "Service Unavailable",
        507: "Insufficient Storage",
    }
    told = {"type": "about:blank", "title": titles[status], "status": status}
    if field is None:
        return {**told, "detail": message}
    return {**told, "detail": "The input is invalid.", "invalidFields": [{"field": field, "message": message}]}


def rebilly_usage(line: Line) -> dict[str, Any]:
    return {"subscriptionId": str(line.subscription_id), "quantity": 7, "usageTime": "2026-07-16T10:15:30Z"}


def rebilly_endpoints(mount: str) -> tuple[Endpoint, ...]:
    return (
        Endpoint("GET", f"{mount}/usages", names_things=False),
        Endpoint("POST", f"{mount}/usages", lambda things: rebilly_usage(things["line"])),
        Endpoint("GET", f"{mount}/usages/{{usage_id}}"),
        Endpoint("DELETE", f"{mount}/usages/{{usage_id}}"),
    )


def report_facts(books: Books, facts: Facts) -> None:
    send = books.client("/rebilly/organizations/acme", reb_apikey=books.key)
    for line, quantity, at in facts:
        if number(quantity) == 0:
            # The vendor's least quantity is 0.001: finance sets the gauge back by hand.
            by_panel(books, [(line, quantity, at)])
            continue
        body = {"subscriptionId": line.reference or str(line.number), "quantity": number(quantity), "usageTime": at}
        sent(send("POST", "/usages", body), 201)


VENDOR = Vendor(
    name="rebilly",
    report_facts=report_facts,
    path="/rebilly/organizations/{workspace}/usages",
    headers=lambda key, workspace: {"reb-apikey": key},
    report=rebilly_usage,
    quantity="quantity",
    error=rebilly_error,
    wrong_key="Invalid API key.",
    challenge="Bearer",
    populate=lambda line: {"usage_id": identifiers.shown(identifiers.USAGE, used(line, "rebilly").handle)},
    endpoints=(*rebilly_endpoints("/rebilly"), *rebilly_endpoints("/rebilly/organizations/{workspace}")),
    unserved=(
        Endpoint("PUT", "/rebilly/usages"),
        Endpoint("PATCH", "/rebilly/organizations/{workspace}/usages/{usage_id}"),
        Endpoint("GET", "/rebilly/elsewhere"),
    ),
    foreign=lambda line: (
        422,
        {
            **rebilly_error(422, "There is no such line.", "subscriptionId"),
            "detail": "There is no such line.",
        },
    ),
    invalid=422,
)
