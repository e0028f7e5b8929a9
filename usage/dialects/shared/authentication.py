"""Authenticate a request by its API key."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from django.db import Error as DatabaseFailure
from django.db import connection
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from billing.keys import find_key
from billing.models import ApiKey
from billing.storage.outages import Outage, outage_of


class KeyAuthentication(BaseAuthentication):
    """Base class of the dialects' authentication by the key in a header. ``request.auth`` is the key."""

    wrong_key = "Invalid API key."
    # For the API description: OpenAPI's security schemes by name, each of which is sufficient.
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @abstractmethod
    def key_text(self, request: Request) -> str:
        """Return the text of the key that was sent; raise ``NotAuthenticated`` if there is none."""

    @abstractmethod
    def authenticate_header(self, request: Request) -> str:
        """Return the value of ``WWW-Authenticate`` in a 401."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        """Return the key as DRF's ``auth``; raise ``AuthenticationFailed`` if it is unknown or revoked."""
        text, now = self.key_text(request), timezone.now()
        try:
            key = find_key(text=text, as_of=now)
        except DatabaseFailure as error:
            if not _is_worth_another_connection(error):
                raise
            connection.close()
            key = find_key(text=text, as_of=now)
        if key is None:
            raise exceptions.AuthenticationFailed(self.wrong_key)
        return None, key


def _is_worth_another_connection(error: DatabaseFailure) -> bool:
    """Tell whether the first statement on a persistent connection failed, and a new connection may solve it."""
    outage = outage_of(error)
    was_kept = connection.connection is not None and not connection.in_atomic_block
    return was_kept and outage is not None and outage.spoils_connection and outage is not Outage.NO_ANSWER
