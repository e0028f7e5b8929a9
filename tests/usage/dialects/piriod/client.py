"""A client of Piriod, which checks every response against the vendor's API description."""

from typing import Any

from billing.storage.jsontext import decode
from tests.api_descriptions import api_description
from tests.usage.dialects.clients import NOW, ServiceClient

WORKSPACE = "acc_01H8XYZ123ABC"


class Piriod(ServiceClient):
    def __init__(self, key: str, workspace: str = WORKSPACE, test_mode: str | None = None) -> None:
        headers = {"authorization": f"Token {key}", "x-simple-workspace": workspace}
        super().__init__("/piriod/", headers if test_mode is None else headers | {"x-piriod-test-mode": test_mode})

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        response = super().__call__(method, path, body)
        if response.status_code != 405:
            api_description("piriod").check(response)
        return response

    def post(self, line_id: int, **fields: Any) -> Any:
        return self("POST", "usages/", {"subscription_line": line_id, "date_time": NOW, "quantity": 7, **fields})


def ids(response: Any) -> list[int]:
    return [usage["id"] for usage in decode(response.content)["results"]]
