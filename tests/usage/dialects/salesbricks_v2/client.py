"""A client of Salesbricks v2 that checks each response against the vendor's API description, and its bodies."""

from decimal import Decimal
from typing import Any

from billing.models import Line
from tests import factories as make
from tests.api_descriptions import api_description
from tests.usage.dialects.clients import ServiceClient
from usage.models import UsageRecord

SUBMITTED = {"message": "Usage entry submitted successfully."}
UPDATED = {"message": "Usage entry updated successfully."}
DELETED = {"message": "Usage entry deleted successfully."}


class Salesbricks(ServiceClient):
    """Reports and reads one line's usage."""

    def __init__(self, line: Line, key: str | None = None, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__("/salesbricks/api/v2/", {"x-salesbricks-key": key or make.api_key(line.workspace), **given})
        self.line = line

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        if response.status_code != 405:
            api_description("salesbricks_v2").check(response)
        return response

    @property
    def usage_path(self) -> str:
        return f"subscriptions/{self.line.subscription_id}/bricks/{self.line.brick_id}/usage"

    def entry(self, **fields: Any) -> dict[str, Any]:
        return {
            "transaction_id": "12345",
            "subscription_id": str(self.line.subscription_id),
            "brick_id": str(self.line.brick_id),
            "value": 1,
            "time": "2026-07-16T10:15:30Z",
            **fields,
        }

    def post(self, **fields: Any) -> Any:
        return self("POST", "usage", self.entry(**fields))

    def read(self, of: str = "") -> Any:
        """Ask for the line's usage: a path below it, or a query."""
        return self("GET", f"{self.usage_path}{of}")


def bad_request(message: str = "The input is invalid.", **details: str) -> dict[str, Any]:
    error: dict[str, Any] = {"code": "ERR_BAD_REQUEST", "message": message}
    if details:
        error["details"] = {field.rstrip("_"): [text] for field, text in details.items()}
    return {"error": error}


def not_found(message: str = "Usage entry does not exist.") -> dict[str, Any]:
    return {"error": {"code": "ERR_NOT_FOUND", "message": message}}


def live() -> list[tuple[str | None, Decimal | None, Any]]:
    """Return the key, quantity and properties of each live record, in the order of the ledger."""
    return list(UsageRecord.objects.live().order_by("id").values_list("key", "quantity", "properties"))
