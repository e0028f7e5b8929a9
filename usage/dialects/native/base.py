"""Base class of the native API's views: authentication, rate headers, errors and lists."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from django_filters.utils import translate_validation
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from billing.names import parse_whole
from billing.rating import TermsError
from usage.dialects.native import errors
from usage.dialects.native.fields import parse_id
from usage.dialects.native.filters import NativeFilterSet
from usage.dialects.native.openapi import NativeSchema
from usage.dialects.native.pagination import CURSOR, SIZE, read_page
from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.errors import Problem
from usage.dialects.shared.query_parameters import refuse_unknown
from usage.dialects.shared.rates import Rate
from usage.dialects.shared.view import DialectView
from usage.ledger import UnableToRecord

Row = TypeVar("Row", bound=Model)


class BearerAuthentication(KeyAuthentication):
    security = {"Bearer": {"type": "http", "scheme": "bearer"}}

    def key_text(self, request: Request) -> str:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise exceptions.NotAuthenticated
        return text.strip()

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class NativeView(DialectView):
    dialect = "native"
    schema = NativeSchema()
    error_style = errors.STYLE
    authentication_classes = (BearerAuthentication,)
    idempotency_header = "Idempotency-Key"
    idempotency_reuse_status = status.HTTP_422_UNPROCESSABLE_ENTITY
    # The domain's fields that have a different path in requests.
    paths: ClassVar[Mapping[str, str]] = {}
    cors_exposed = ("Location", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After")

    def rate_headers(self, rate: Rate) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(rate.limit),
            "RateLimit-Remaining": str(rate.remaining),
            "RateLimit-Reset": str(rate.retry_after),
        }

    def problem(self, error: Exception) -> Problem:
        match error:
            case UnableToRecord():
                return errors.refused(error)
            case exceptions.ValidationError():
                return errors.invalid(error)
            case ValidationError():
                return errors.disagreed(error, paths=self.paths)
            case TermsError():
                return errors.unpriced(error)
            case IntegrityError() if errors.is_taken(error):
                return Problem(status.HTTP_409_CONFLICT, errors.TAKEN)
            case _:
                return super().problem(error)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code >= status.HTTP_400_BAD_REQUEST:
            response.content_type = errors.MEDIA_TYPE
        return response

    def filtered(self, filter_class: type[NativeFilterSet], queryset: QuerySet) -> QuerySet:
        """Return the rows filtered by the query string; raise ``ValidationError`` naming the invalid parameters."""
        query = self.request.query_params
        refuse_unknown(query, {*filter_class.base_filters, CURSOR, SIZE})
        if empty := [name for name, value in query.items() if not value]:
            raise exceptions.ValidationError({name: ["This parameter may not be empty."] for name in empty})
        found = filter_class(query, queryset=queryset, workspace=self.workspace)
        if not found.is_valid():
            raise translate_validation(found.errors)
        return found.qs

    def page(
        self,
        queryset: QuerySet,
        show: Callable[[Any], Any],
        gather: Callable[[Sequence[Any]], None] | None = None,
        **options: Any,
    ) -> Response:
        """Answer with one page, newest first; ``show`` returns the body of a row.

        ``gather`` loads related data of all rows of the page at once. ``options`` are those of ``read_page``.
        """
        page = read_page(queryset, request=self.request, workspace=self.workspace, **options)
        if gather is not None:
            gather(page.rows)
        return Response({"results": list(map(show, page.rows)), "next": page.next, "previous": page.previous})

    def created(self, shown: dict[str, Any]) -> Response:
        """Answer 201 with the ``Location`` of the created row: its ``id`` below the path of the request."""
        location = f"{self.request.path.rstrip('/')}/{shown['id']}/"
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": location})


def row_by_id(queryset: QuerySet[Row], text: str) -> Row:
    """Return the row with the UUID in a path; raise ``NotFound``, also for an invalid UUID."""
    known = parse_id(text)
    row = None if known is None else queryset.filter(pk=known).first()
    if row is None:
        raise exceptions.NotFound
    return row


def row_by_number(queryset: QuerySet[Row], text: str, *, field: str = "pk") -> Row:
    """Return the row with the integer in a path; raise ``NotFound``, also for an invalid number."""
    number = parse_whole(text, digits=19)
    row = None if number is None else queryset.filter(**{field: number}).first()
    if row is None:
        raise exceptions.NotFound
    return row


@functools.cache
def shown_by(serializer_class: type[Serializer]) -> Callable[[Any], dict[str, Any]]:
    """Return the function that serializes a row."""
    return serializer_class().to_representation
