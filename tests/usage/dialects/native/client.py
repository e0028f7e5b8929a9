"""A client of the native API, which checks every response against the API's own description."""

import functools
from typing import Any

from billing.models import Workspace
from tests import factories as make
from tests.api_descriptions import APIDescription
from tests.usage.dialects.clients import ServiceClient
from usage.dialects.pages import openapi


@functools.cache
def api_description() -> APIDescription:
    return APIDescription("native", openapi("native"))


class Native(ServiceClient):
    def __init__(self, workspace: Workspace, **headers: str) -> None:
        self.workspace = workspace
        super().__init__("/api/", {"authorization": f"Bearer {make.api_key(workspace)}", **headers})

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        # What is not served is not described.
        if response.status_code not in (404, 405):
            api_description().check(response)
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
