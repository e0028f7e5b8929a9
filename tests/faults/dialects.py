"""Requests with which each vendor's clients report, correct and retract usage, and their answers' meaning."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from billing.storage.jsontext import encode
from tests.faults.journal import Entry
from tests.faults.setting import EVENT_TYPE, NOBODYS_NAME, PROPERTY, VOID, Setting, Target, alias_of


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None

    @property
    def text(self) -> bytes | None:
        return None if self.body is None else encode(self.body)


@dataclass(frozen=True)
class Dialect:
    """Requests of a dialect.

    ``handle`` reads the record's id from an answer; ``decimals`` is the precision of quantities.
    """

    name: str
    headers: Callable[[Setting], dict[str, str]]
    report: Callable[[Any, Entry], tuple[str, Any]]
    handle: Callable[[Any], Any] = lambda body: None
    decimals: int = 0
    has_keys: bool = False
    is_of_events: bool = False
    correct: Callable[[Entry], tuple[str, str, Any]] | None = None
    retract: Callable[[Entry], tuple[str, str, Any]] | None = None

    def reporting(self, setting: Setting, entry: Entry) -> Call:
        target = None if entry.subscription is None else setting.targets[entry.subscription]
        path, body = self.report(target, entry)
        return Call("POST", path, self.headers(setting), body)

    def changing(self, setting: Setting, entry: Entry, how: Callable[[Entry], tuple[str, str, Any]]) -> Call:
        method, path, body = how(entry)
        return Call(method, path, self.headers(setting), body)


def written(entry: Entry) -> str:
    return entry.moment.isoformat().replace("+00:00", "Z")


def native_record(target: Target, entry: Entry) -> dict[str, Any]:
    record = {"line": target.reference, "quantity": str(entry.quantity), "occurred_at": written(entry)}
    return record if entry.key is None else {**record, "key": entry.key}


def _increment(target: Target, entry: Entry) -> Any:
    query = (
        "mutation ($at: DateTime!, $of: String!, $brick: String!, $count: Int!)"
        " { incrementCounter(timestamp: $at, subscriptionId: $of, brickId: $brick, count: $count) { success } }"
    )
    variables = {
        "at": written(entry),
        "of": target.subscription,
        "brick": target.brick,
        "count": int(entry.quantity),
    }
    return {"query": query, "variables": variables}


def _named(entry: Entry) -> str:
    return NOBODYS_NAME if entry.subscription is None else alias_of(entry.subscription)


def _event(name: str, entry: Entry) -> dict[str, Any]:
    return {
        "customerAlias": name,
        "customerEventId": entry.key,
        "eventType": EVENT_TYPE,
        "eventTimestamp": written(entry),
        "eventProperties": {PROPERTY: entry.quantity},
    }


def _salesbricks(setting: Setting) -> dict[str, str]:
    return {"X-SALESBRICKS-KEY": setting.key}


PIRIOD = Dialect(
    name="piriod",
    headers=lambda setting: {"Authorization": f"Token {setting.key}", "x-simple-workspace": setting.code},
    report=lambda target, entry: (
        "/piriod/usages/",
        {"subscription_line": target.line, "date_time": written(entry), "quantity": entry.quantity},
    ),
    handle=lambda body: body["id"],
    decimals=6,
    retract=lambda entry: ("DELETE", f"/piriod/usages/{entry.handle}/", None),
)
SALESBRICKS_V1 = Dialect(
    name="salesbricks_v1",
    headers=_salesbricks,
    report=lambda target, entry: ("/salesbricks/api/v1/usage", _increment(target, entry)),
    handle=lambda body: body["data"]["incrementCounter"]["success"],
)
SALESBRICKS_V2 = Dialect(
    name="salesbricks_v2",
    headers=_salesbricks,
    report=lambda target, entry: (
        "/salesbricks/api/v2/usage",
        {
            "transaction_id": entry.key,
            "subscription_id": target.subscription,
            "brick_id": target.brick,
            "value": entry.quantity,
            "time": written(entry),
        },
    ),
    handle=lambda body: body["message"],
    has_keys=True,
    correct=lambda entry: (
        "PATCH",
        "/salesbricks/api/v2/usage",
        {"transaction_id": entry.key, "value": entry.quantity},
    ),
    retract=lambda entry: ("DELETE", "/salesbricks/api/v2/usage", {"transaction_id": entry.key}),
)
REBILLY = Dialect(
    name="rebilly",
    headers=lambda setting: {"REB-APIKEY": setting.key},
    report=lambda target, entry: (
        "/rebilly/usages",
        {"subscriptionId": target.reference, "quantity": entry.quantity, "usageTime": written(entry)},
    ),
    handle=lambda body: body["id"],
    decimals=3,
    retract=lambda entry: ("DELETE", f"/rebilly/usages/{entry.handle}", None),
)
SEQUENCE = Dialect(
    name="sequence",
    headers=lambda setting: {
        "Authorization": "Basic " + base64.b64encode(f"{setting.code}:{setting.key}".encode()).decode()
    },
    report=lambda target, entry: ("/sequence/api/usage-events", _event(_named(entry), entry)),
    handle=lambda body: body["id"],
    decimals=3,
    has_keys=True,
    is_of_events=True,
    # The last event under an id counts. One for an unknown customer retracts the former.
    correct=lambda entry: ("POST", "/sequence/api/usage-events", _event(_named(entry), entry)),
    retract=lambda entry: ("POST", "/sequence/api/usage-events", _event(VOID, entry)),
)
NATIVE = Dialect(
    name="native",
    headers=lambda setting: {"Authorization": f"Bearer {setting.key}"},
    report=lambda target, entry: ("/api/usage/", native_record(target, entry)),
    handle=lambda body: body["id"],
    decimals=9,
    has_keys=True,
    correct=lambda entry: ("PATCH", f"/api/usage/{entry.handle}/", {"quantity": str(entry.quantity)}),
    retract=lambda entry: ("DELETE", f"/api/usage/{entry.handle}/", None),
)
DIALECTS = {dialect.name: dialect for dialect in (PIRIOD, SALESBRICKS_V1, SALESBRICKS_V2, REBILLY, SEQUENCE, NATIVE)}
