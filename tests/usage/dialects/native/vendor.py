"""The native API, as the shared suite needs it described."""

from datetime import date
from typing import Any

from billing import parties
from billing.models import Line
from tests import factories as make
from tests.scenarios.closing import close
from tests.usage.dialects.facts import Books, Facts, sent
from tests.usage.dialects.vendor import Endpoint, Things, Vendor, used


def native_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    titles = {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        408: "Request Timeout",
        411: "Length Required",
        413: "Content Too Large",
        415: "Unsupported Media Type",
        422: "Unprocessable Content",
        500: "Internal Server Error",
        503: "Service Unavailable",
        507: "Insufficient Storage",
    }
    told = {"type": "about:blank", "title": titles[status], "status": status}
    if field is None:
        return {**told, "detail": message}
    return {**told, "detail": "The input is invalid.", "errors": [{"field": field, "message": message}]}


def native_usage(line: Line) -> dict[str, Any]:
    return {"line": line.number, "occurred_at": "2026-07-16T10:15:30Z", "quantity": 7}


def native_things(line: Line) -> dict[str, Any]:
    alias = parties.add_alias(customer=line.subscription.customer, value=f"alias of {line.pk}", actor=make.ACTOR)
    price = make.price(make.brick(line.workspace, "Seats"))
    run = close(line.workspace, "2026-02-01")
    # The run holds the subscription that it has drafted; a further one is left to be closed.
    make.line(line.workspace, starts_on=date(2026, 2, 1))
    return {"usage": used(line, "native"), "alias": alias, "price": price, "run": run, "invoice": run.invoices.get()}


def native_line(things: Things) -> dict[str, Any]:
    return {"brick": str(things["price"].brick_id), "price": things["price"].pk, "starts_at": "2026-03-01T00:00:00Z"}


def native_subscription(things: Things) -> dict[str, Any]:
    customer = str(things["line"].subscription.customer_id)
    return {"customer": customer, "starts_on": "2026-02-01", "lines": [native_line(things)]}


NATIVE_SUBSCRIPTION = "/api/subscriptions/{line.subscription_id}/"
NATIVE_CUSTOMER = "/api/customers/{line.subscription.customer_id}/"
ENDED = {"ends_at": "2026-08-01T00:00:00Z"}
NATIVE_PROVISIONING = (
    Endpoint("GET", "/api/customers/", names_things=False),
    Endpoint("POST", "/api/customers/", lambda things: {"name": "Initech", "aliases": ["a"]}, names_things=False),
    Endpoint("GET", NATIVE_CUSTOMER),
    Endpoint("PATCH", NATIVE_CUSTOMER, lambda things: {"name": "Initech"}),
    Endpoint("GET", f"{NATIVE_CUSTOMER}aliases/"),
    Endpoint("POST", f"{NATIVE_CUSTOMER}aliases/", lambda things: {"value": "b"}),
    Endpoint("GET", f"{NATIVE_CUSTOMER}aliases/{{alias.pk}}/"),
    Endpoint("DELETE", f"{NATIVE_CUSTOMER}aliases/{{alias.pk}}/"),
    Endpoint("GET", f"{NATIVE_CUSTOMER}matchings/"),
    Endpoint("GET", "/api/bricks/", names_things=False),
    Endpoint("POST", "/api/bricks/", lambda things: {"name": "Seats", "aggregation": "sum"}, names_things=False),
    Endpoint("GET", "/api/bricks/{line.brick_id}/"),
    Endpoint("PATCH", "/api/bricks/{line.brick_id}/", lambda things: {"name": "Seats"}),
    Endpoint("POST", "/api/bricks/{line.brick_id}/archive/"),
    Endpoint("GET", "/api/prices/", names_things=False),
    Endpoint(
        "POST",
        "/api/prices/",
        lambda things: {"brick": str(things["line"].brick_id), "model": "flat", "unit_price": "5"},
    ),
    Endpoint("GET", "/api/prices/{line.price_id}/"),
    Endpoint("GET", "/api/subscriptions/", names_things=False),
    Endpoint("POST", "/api/subscriptions/", native_subscription),
    Endpoint("GET", NATIVE_SUBSCRIPTION),
    Endpoint("POST", f"{NATIVE_SUBSCRIPTION}end/", lambda things: ENDED),
    Endpoint("POST", f"{NATIVE_SUBSCRIPTION}lines/", native_line),
    Endpoint("GET", f"{NATIVE_SUBSCRIPTION}lines/{{line.number}}/"),
    Endpoint("PATCH", f"{NATIVE_SUBSCRIPTION}lines/{{line.number}}/", lambda things: {"limits": {"soft": None}}),
    Endpoint("POST", f"{NATIVE_SUBSCRIPTION}lines/{{line.number}}/end/", lambda things: ENDED),
)
NATIVE_BILLING = (
    Endpoint("GET", f"{NATIVE_SUBSCRIPTION}usage/"),
    Endpoint("GET", f"{NATIVE_SUBSCRIPTION}upcoming-invoice/"),
    Endpoint("GET", "/api/close-runs/", names_things=False),
    Endpoint("POST", "/api/close-runs/", lambda things: {"until": "2026-02-28"}, names_things=False),
    Endpoint("GET", "/api/close-runs/{run.pk}/"),
    Endpoint("POST", "/api/close-runs/{run.pk}/issue/"),
    Endpoint("POST", "/api/close-runs/{run.pk}/discard/"),
    Endpoint("GET", "/api/invoices/", names_things=False),
    Endpoint("GET", "/api/invoices/{invoice.pk}/"),
    Endpoint("GET", "/api/invoices/{invoice.pk}/lines/1/records/"),
)


def report_facts(books: Books, facts: Facts) -> None:
    send = books.client("/api", authorization=f"Bearer {books.key}")
    for line, quantity, at in facts:
        sent(send("POST", "/usage/", {"line": line.number, "quantity": quantity, "occurred_at": at}), 201)


VENDOR = Vendor(
    name="native",
    report_facts=report_facts,
    path="/api/usage/",
    headers=lambda key, workspace: {"authorization": f"Bearer {key}"},
    report=native_usage,
    quantity="quantity",
    moment="occurred_at",
    error=native_error,
    error_type="application/problem+json",
    wrong_key="Invalid API key.",
    challenge="Bearer",
    populate=native_things,
    endpoints=(
        *NATIVE_PROVISIONING,
        *NATIVE_BILLING,
        Endpoint("GET", "/api/usage/", names_things=False),
        Endpoint("POST", "/api/usage/", lambda things: native_usage(things["line"])),
        Endpoint(
            "POST", "/api/usage/batch/", lambda things: {"records": [native_usage(things["line"])]}, names_things=False
        ),
        Endpoint("GET", "/api/usage/{usage.handle}/"),
        Endpoint("PATCH", "/api/usage/{usage.handle}/", lambda things: {"quantity": 8}),
        Endpoint("DELETE", "/api/usage/{usage.handle}/"),
    ),
    unserved=(
        Endpoint("PUT", "/api/usage/"),
        Endpoint("DELETE", NATIVE_CUSTOMER),
        Endpoint("PATCH", "/api/prices/{line.price_id}/", lambda things: {"unit_price": "5"}),
        Endpoint("GET", "/api/elsewhere/"),
    ),
    foreign=lambda line: (422, native_error(422, "There is no such line.", "line")),
    wrong_query=422,
    invalid=422,
)
