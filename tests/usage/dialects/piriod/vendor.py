"""Piriod, as the shared suite needs it described."""

from typing import Any

from billing.models import Line
from tests.usage.dialects.facts import Books, Facts, number, sent
from tests.usage.dialects.vendor import Endpoint, Vendor, used


def piriod_error(status: int, message: str, field: str | None = None) -> dict[str, Any]:
    return {field or "non_field_errors": [message]} if status == 400 else {"detail": message}


def piriod_usage(line: Line) -> dict[str, Any]:
    return {"subscription_line": line.number, "date_time": "2026-07-16T10:15:30Z", "quantity": 7}


def report_facts(books: Books, facts: Facts) -> None:
    send = books.client("/piriod", authorization=f"Token {books.key}", x_simple_workspace="acme")
    for line, quantity, at in facts:
        body = {"subscription_line": line.number, "date_time": at, "quantity": number(quantity)}
        sent(send("POST", "/usages/", body), 201)


VENDOR = Vendor(
    name="piriod",
    report_facts=report_facts,
    path="/piriod/usages/",
    headers=lambda key, workspace: {"authorization": f"Token {key}", "x-simple-workspace": workspace},
    report=piriod_usage,
    quantity="quantity",
    moment="date_time",
    takes_days=True,
    error=piriod_error,
    wrong_key="Invalid token.",
    challenge="Token",
    populate=lambda line: {"usage": used(line, "piriod")},
    endpoints=(
        Endpoint("GET", "/piriod/usages/", names_things=False),
        Endpoint("POST", "/piriod/usages/", lambda things: piriod_usage(things["line"])),
        Endpoint("GET", "/piriod/usages/{usage.handle}/"),
        Endpoint("DELETE", "/piriod/usages/{usage.handle}/"),
    ),
    unserved=(
        Endpoint("PUT", "/piriod/usages/"),
        Endpoint("PATCH", "/piriod/usages/{usage.handle}/"),
        Endpoint("GET", "/piriod/elsewhere/"),
    ),
    foreign=lambda line: (400, {"subscription_line": [f'Invalid pk "{line.number}" - object does not exist.']}),
)
