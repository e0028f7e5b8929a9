"""Base class of Sequence's views: authentication, the version header, query parameters and errors."""

from base64 import b64decode
from typing import Any
from uuid import UUID

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from usage.dialects.sequence.errors import STYLE
from usage.dialects.sequence.fields import QueriedField
from usage.dialects.sequence.pagination import OF_PAGES
from usage.dialects.sequence.translate import FIELDS
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.errors import Problem
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.view import DialectView
from usage.metering import RuleTooLarge

VERSIONS = ("2024-07-30", "latest")


class BasicAuthentication(KeyAuthentication):
    """Basic authentication: the key is the password or, if that is empty, the user name."""

    wrong_key = "Unauthorized"
    security = {"Basic": {"type": "http", "scheme": "basic", "description": "The key is the password."}}

    def key_text(self, request: Request) -> str:
        scheme, _, credentials = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "basic":
            raise exceptions.NotAuthenticated
        try:
            client_id, _, secret = b64decode(credentials.strip(), validate=True).decode().partition(":")
        except ValueError as error:
            raise exceptions.AuthenticationFailed(self.wrong_key) from error
        return secret or client_id

    def authenticate_header(self, request: Request) -> str:
        return "Basic"


class SequenceView(DialectView):
    dialect = "sequence"
    header_parameters = (OpenApiParameter("Sequence-Version", str, OpenApiParameter.HEADER, enum=VERSIONS),)
    error_style = STYLE
    authentication_classes = (BasicAuthentication,)
    cors_headers = ("Authorization", "Content-Type", "Sequence-Version")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        version = request.META.get("HTTP_SEQUENCE_VERSION", "").strip()
        if version and version not in VERSIONS:
            message = f"Unknown version “{version}”. Use {' or '.join(VERSIONS)}."
            raise exceptions.ValidationError({"Sequence-Version": [message]})

    def asked(self, query: type[Serializer], *, ignored: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the query parameters, except ``ignored`` ones; raise ``ValidationError`` naming invalid ones."""
        sent, fields = self.request.query_params, query().fields
        repeated = [name for name, field in fields.items() if isinstance(field, QueriedField)]
        refuse_unknown(sent, [*fields, *ignored], repeated=repeated, optional=(*OF_PAGES, *ignored))
        return self.validated(query, sent)

    def problem(self, error: Exception) -> Problem:
        if isinstance(error, RuleTooLarge):
            # The vendor has no 409 for reads.
            return Problem(status.HTTP_400_BAD_REQUEST, str(error))
        if not isinstance(error, ValidationError):
            return super().problem(error)
        fields = {FIELDS.get(name, name): messages for name, messages in _by_field(error).items()}
        if any(one.code == "unique" for one in _each(error)):
            fields.pop(NON_FIELD_ERRORS, None)
            return Problem(status.HTTP_409_CONFLICT, " ".join(error.messages), fields)
        return Problem(status.HTTP_400_BAD_REQUEST, " ".join(fields.pop(NON_FIELD_ERRORS, error.messages)), fields)


def _each(error: ValidationError) -> list[ValidationError]:
    if not hasattr(error, "error_dict"):
        return error.error_list
    return [one for errors in error.error_dict.values() for one in errors]


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}


def uuid_in_path(text: str) -> UUID:
    """Return the UUID in a path; raise ``NotFound`` if it is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise exceptions.NotFound from None


def text_in_path(text: str) -> str:
    """Return the text in a path; raise ``NotFound`` if it contains NUL, which no stored text does."""
    if "\0" in text:
        raise exceptions.NotFound
    return text
