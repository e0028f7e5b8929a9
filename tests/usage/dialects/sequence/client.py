"""A client of Sequence, which checks every response against the vendor's API description, and the vendor's bodies."""

from base64 import b64encode
from typing import Any

from billing.models import Customer, Workspace
from tests import factories as make
from tests.api_descriptions import api_description
from tests.usage.dialects.clients import ServiceClient

NOT_FOUND = {"errors": [{"message": "Not found."}]}


def basic(secret: str, client_id: str = "client") -> str:
    return f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"


class Sequence(ServiceClient):
    """Reports and reads a workspace's events."""

    def __init__(self, workspace: Workspace, key: str | None = None, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__("/sequence/api/", {"authorization": basic(key or make.api_key(workspace)), **given})

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        if response.status_code != 405:
            api_description("sequence").check(response)
        return response

    def report(self, alias: str | Customer = "globex", **fields: Any) -> Any:
        """Report a message of 500 letters that a customer has sent."""
        body = {
            "customerAlias": str(alias.pk) if isinstance(alias, Customer) else alias,
            "eventType": "message-sent",
            "eventProperties": {"length": 500},
            **fields,
        }
        return self("POST", "usage-events", body)

    def events(self, query: str = "") -> list[dict[str, Any]]:
        return self("GET", f"usage-events{query}").json()["items"]

    def metric(self, **fields: Any) -> Any:
        """Make a metric that counts sent messages."""
        body = {"name": "Messages", "metricType": "SIMPLE", "eventType": "message-sent", "aggregationType": "COUNT"}
        return self("POST", "usage-metrics", body | fields)


def wrong(**messages: str) -> dict[str, Any]:
    """Return the body of a refusal, by field; a field's dash is written as two underscores."""
    return {"errors": [{"field": name.replace("__", "-"), "message": text} for name, text in messages.items()]}


def refused(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message}]}
