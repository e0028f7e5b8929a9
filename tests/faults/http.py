"""HTTP client that sends one request per connection, with a timeout."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.storage.jsontext import decode

# A request may be open when a fault strikes: after this, its outcome is unknown.
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """Response to a request, with status 0 if there was none."""

    status: int
    body: Any = None

    @property
    def is_unknown(self) -> bool:
        """Whether the sender can't know the outcome: there was no response, or it reports an unavailable service."""
        return self.status in (0, 503)

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


def ask(port: int, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        raw = response.read()
    except (OSError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()
    try:
        return Answer(response.status, decode(raw) if raw else None)
    except ValueError:
        return Answer(response.status, raw.decode(errors="replace"))
