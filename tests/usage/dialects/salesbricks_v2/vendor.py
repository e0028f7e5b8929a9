"""Salesbricks v2, as the shared suite needs it described."""

from typing import Any

from billing.models import Line
from tests.usage.dialects.facts import Books, Facts, number, sent
from tests.usage.dialects.vendor import Endpoint, Vendor, transaction, used


def salesbricks_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    codes = {
        400: "ERR_BAD_REQUEST",
        401: "ERR_UNAUTHORIZED",
        403: "ERR_FORBIDDEN",
        404: "ERR_NOT_FOUND",
        408: "ERR_REQUEST_TIMEOUT",
        411: "ERR_LENGTH_REQUIRED",
        413: "ERR_PAYLOAD_TOO_LARGE",
        415: "ERR_UNSUPPORTED_MEDIA_TYPE",
        500: "ERR_INTERNAL_SERVER_ERROR",
        503: "ERR_SERVICE_UNAVAILABLE",
        507: "ERR_INSUFFICIENT_STORAGE",
    }
    if field is None:
        return {"error": {"code": codes[status], "message": message}}
    return {"error": {"code": codes[status], "message": "The input is invalid.", "details": {field: [message]}}}


def salesbricks_entry(line: Line) -> dict[str, Any]:
    return {
        "transaction_id": "12345",
        "subscription_id": str(line.subscription_id),
        "brick_id": str(line.brick_id),
        "value": 7,
        "time": "2026-07-16T10:15:30Z",
    }


def report_facts(books: Books, facts: Facts) -> None:
    send = books.client("/salesbricks/api/v2", x_salesbricks_key=books.key)
    for line, quantity, at in facts:
        ids = {"subscription_id": str(line.subscription_id), "brick_id": str(line.brick_id)}
        body = {**ids, "transaction_id": f"{line.number} {at}", "value": number(quantity), "time": at}
        sent(send("POST", "/usage", body), 201)


VENDOR = Vendor(
    name="salesbricks_v2",
    report_facts=report_facts,
    path="/salesbricks/api/v2/usage",
    headers=lambda key, workspace: {"x-salesbricks-key": key},
    report=salesbricks_entry,
    quantity="value",
    moment="time",
    takes_days=True,
    number="integer",
    error=salesbricks_error,
    wrong_key="Invalid API key.",
    challenge="X-SALESBRICKS-KEY",
    populate=lambda line: {"usage": used(line, "salesbricks_v2")},
    endpoints=(
        Endpoint("POST", "/salesbricks/api/v2/usage", lambda things: salesbricks_entry(things["line"])),
        Endpoint(
            "PATCH",
            "/salesbricks/api/v2/usage/",
            lambda things: {"transaction_id": transaction(things["line"]), "value": 8},
        ),
        Endpoint(
            "DELETE", "/salesbricks/api/v2/usage/", lambda things: {"transaction_id": transaction(things["line"])}
        ),
        Endpoint("GET", "/salesbricks/api/v2/usage/transactions/T-{line.pk}"),
        *(
            Endpoint("GET", f"/salesbricks/api/v2/subscriptions/{{line.subscription_id}}/bricks/{{line.brick_id}}/{of}")
            for of in ("usage", "usage/series", "usage/entries")
        ),
    ),
    unserved=(
        Endpoint("GET", "/salesbricks/api/v2/usage"),
        Endpoint("GET", "/salesbricks/api/v2/elsewhere"),
    ),
    foreign=lambda line: (404, salesbricks_error(404, "Unknown subscription or brick.")),
)
