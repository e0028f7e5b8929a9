"""A client of the native API, which holds every answer against the API's own document."""

import functools
from typing import Any

from billing.models import Workspace
from tests import factories as make
from tests.contracts import Contract
from tests.usage.dialects.clients import ServiceClient
from usage.dialects.pages import openapi


@functools.cache
def contract() -> Contract:
    return Contract("native", openapi("native"))


class Native(ServiceClient):
    def __init__(self, workspace: Workspace, **headers: str) -> None:
        self.workspace = workspace
        super().__init__("/api/", {"authorization": f"Bearer {make.api_key(workspace)}", **headers})

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        # What is not served is not documented.
        if response.status_code not in (404, 405):
            contract().check(response)
        return response

    def get(self, path: str) -> Any:
        return self("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        return self("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self("PATCH", path, body)


def wrong(response: Any) -> tuple[int, dict[str, str]]:
    """Return a problem's status and its messages by path."""
    told = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert told["status"] == response.status_code
    return told["status"], {error["field"]: error["message"] for error in told.get("errors", [])}
