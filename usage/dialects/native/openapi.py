"""Describe the native views in OpenAPI: created rows, lists and problems."""

import functools
from collections.abc import Callable
from typing import Any

from django_filters import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status

from usage.dialects.native.errors import MEDIA_TYPE
from usage.dialects.native.pagination import CURSOR, LARGEST_SIZE, SIZE
from usage.dialects.shared.openapi import DialectSchema


class NativeSchema(DialectSchema):
    """Schema generator: problems have their own media type, and every operation may answer 422."""

    def _error_codes(self) -> set[int]:
        return super()._error_codes() | {status.HTTP_422_UNPROCESSABLE_ENTITY}

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: list[str] | None = None, direction: Any = "response"
    ) -> dict[str, Any]:
        if int(status_code) >= status.HTTP_400_BAD_REQUEST:
            media_types = [MEDIA_TYPE]
        return super()._get_response_for_code(serializer, status_code, media_types, direction)


def creation(name: str, *, request: type[serializers.Serializer], reply: type[serializers.Serializer]) -> Any:
    """Describe a method that creates a row and returns its ``Location``."""
    location = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[201], description="Its path.")
    return extend_schema(operation_id=name, request=request, responses={201: reply}, parameters=[location])


def listing(
    name: str, *, of: type[serializers.Serializer], filters: type[FilterSet], largest: int = LARGEST_SIZE
) -> Callable[[Any], Any]:
    """Describe a list: its filters, its pages and the rows in them."""
    return extend_schema(
        operation_id=name,
        responses=page_of(of),
        parameters=[
            *(
                OpenApiParameter(name, one.schema, description=one.extra.get("help_text", ""))
                for name, one in filters.base_filters.items()
            ),
            OpenApiParameter(
                CURSOR, {"type": "string", "minLength": 1}, description="The cursor in `next` or `previous`."
            ),
            OpenApiParameter(SIZE, {"type": "integer", "minimum": 1, "maximum": largest}),
        ],
    )


def by_id(name: str) -> Any:
    """Describe the views of a path with a UUID."""
    return extend_schema(parameters=[OpenApiParameter(name, {"type": "string", "format": "uuid"}, "path")])


@functools.cache
def page_of(serializer: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """Return the serializer of a page of such rows."""
    return type(
        serializer.__name__.replace("Serializer", "PageSerializer"),
        (serializers.Serializer,),
        {
            "results": serializer(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )
