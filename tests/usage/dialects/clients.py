"""A client of a service's API, as far as tests need one."""

from typing import Any

from django.test import Client

from billing.storage.jsontext import encode

NOW = "2026-07-20T14:00:00Z"


class ServiceClient:
    def __init__(self, mount: str, headers: dict[str, str]) -> None:
        self.mount = mount
        self.headers = headers

    def __call__(self, method: str, path: str = "", body: Any = None) -> Any:
        """Send a request; ``body`` is made JSON, unless it is text already."""
        text = b"" if body is None else body if isinstance(body, str) else encode(body)
        return Client().generic(
            method, f"{self.mount}{path}", text, content_type="application/json", headers=self.headers
        )
