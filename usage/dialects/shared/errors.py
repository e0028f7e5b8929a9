"""Convert exceptions to ``Problem``, and a problem to the body that a vendor's clients expect."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from rest_framework import exceptions, status
from rest_framework.settings import api_settings

from billing.storage.outages import outage_of
from usage.ledger import UnableToRecord
from usage.metering import RuleTooLarge

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of a request; ``fields`` has messages by the vendor's names of fields.

    ``retry_after`` is the number of seconds after which the same request may succeed.
    """

    status: int
    message: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorStyle:
    """A vendor's error bodies, statuses and messages.

    ``fields`` maps the ledger's names of fields to the vendor's. An error of the ledger is answered like an invalid
    field of the body, with ``invalid_status`` and the ledger's message, unless overridden by ``statuses`` and
    ``messages``; a message may quote what was sent, as in "no line {subscription_line}".
    For the API description, ``shape`` is the body's serializer or schema, and ``shapes`` has those of other statuses.
    """

    body: Callable[[Problem], Any]
    fields: Mapping[str, str]
    statuses: Mapping[type[UnableToRecord], int] = field(default_factory=dict)
    messages: Mapping[type[UnableToRecord], str] = field(default_factory=dict)
    invalid_status: int = status.HTTP_400_BAD_REQUEST
    shape: Any = None
    shapes: Mapping[int, Any] = field(default_factory=dict)

    def problem(self, error: UnableToRecord, *, sent: Any) -> Problem:
        """Return a refusal of the ledger as a problem; ``sent`` is the refused body."""
        code = self.statuses.get(type(error), self.invalid_status)
        wording = self.messages.get(type(error))
        message = error.message if wording is None else wording.format_map(sent)
        named = self.fields.get(error.field or "") if code == self.invalid_status else None
        return Problem(code, message, {named: [message]} if named else {})


def problem_of(error: Exception, *, style: ErrorStyle, sent: Any) -> Problem:
    """Return any exception of a request as a problem, and log those that are not errors of the client.

    ``sent`` is the body that was validated last.
    """
    match error:
        case UnableToRecord():
            return style.problem(error, sent=sent)
        case exceptions.ValidationError():
            return _invalid(error)
        case exceptions.APIException():
            return Problem(error.status_code, str(error.detail))
        case TooManyFieldsSent():
            most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
            return Problem(status.HTTP_400_BAD_REQUEST, f"A query string has at most {most} parameters.")
        case RuleTooLarge():
            return Problem(status.HTTP_409_CONFLICT, str(error))
        case _ if outage := outage_of(error):
            logger.error("An API request failed: %s", outage.name, exc_info=error)
            return Problem(status.HTTP_503_SERVICE_UNAVAILABLE, outage.value, retry_after=outage.retry_after)
        case _:
            logger.error("An API request failed", exc_info=error)
            return Problem(status.HTTP_500_INTERNAL_SERVER_ERROR, "A server error occurred.")


def _invalid(error: exceptions.ValidationError) -> Problem:
    general = api_settings.NON_FIELD_ERRORS_KEY
    detail = error.detail if isinstance(error.detail, dict) else {general: error.detail}
    fields = {str(name): [str(message) for message in messages] for name, messages in detail.items()}
    message = " ".join(fields.pop(general, ["The input is invalid."]))
    return Problem(error.status_code, message, fields)
