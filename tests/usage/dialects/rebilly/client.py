"""A client of Rebilly, which checks every response against the vendor's API description."""

from decimal import Decimal
from typing import Any

from billing import contracts
from billing.contracts import Limits
from billing.storage.jsontext import decode
from tests.api_descriptions import api_description
from tests.factories import ACTOR
from tests.usage.dialects.clients import NOW, ServiceClient

MOUNT = "/rebilly/organizations/acme"


class Rebilly(ServiceClient):
    def __init__(self, key: str, mount: str = MOUNT, **headers: str) -> None:
        super().__init__(mount, {"reb-apikey": key} | headers)

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        api_description("rebilly").check(response)
        return response

    def post(self, subscription_id: Any, **fields: Any) -> Any:
        return self("POST", "/usages", {"subscriptionId": subscription_id, "quantity": 7, "usageTime": NOW, **fields})

    def listed(self, **query: Any) -> Any:
        return self("GET", "/usages?" + "&".join(f"{name}={value}" for name, value in query.items()))

    def ids(self, **query: Any) -> list[str]:
        """Return the ids of the usages that a list shows, in their order."""
        response = self.listed(**query)
        assert response.status_code == 200, response.content
        return [usage["id"] for usage in decode(response.content)]


def named(line: Any, reference: str) -> Any:
    """Return the line with a reference, as what was taken over from the vendor has one."""
    line.reference = reference
    line.save(update_fields=["reference"])
    return line


def limit(line: Any, **limits: str) -> Any:
    return contracts.set_limits(
        line=line, limits=Limits(**{name: Decimal(value) for name, value in limits.items()}), actor=ACTOR
    )


def problem(status: int, title: str, detail: str, **invalid: str) -> dict[str, Any]:
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    fields = [{"field": field, "message": message} for field, message in invalid.items()]
    return told | ({"invalidFields": fields} if fields else {})


def invalid(detail: str = "The input is invalid.", **fields: str) -> dict[str, Any]:
    return problem(422, "Validation error", detail, **fields)


def unreadable(**parameters: str) -> dict[str, Any]:
    return problem(400, "Bad Request", "The input is invalid.", **parameters)
