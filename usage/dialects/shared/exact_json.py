"""Parser and renderer of JSON with exact numbers: parsed as ``Decimal``, written with all digits."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from billing.storage.jsontext import MalformedJSON, decode, encode


class JSONOnly(BaseContentNegotiation):
    """Content negotiation: parse JSON by default, and answer with JSON whatever ``Accept`` is, since clients vary."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = request.content_type.partition(";")[0].strip().lower()
        return next(iter(parsers)) if media_type in ("", "application/json") else None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ExactJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return decode((parser_context or {})["view"].body)
        except MalformedJSON as error:
            raise exceptions.ParseError(f"JSON parse error - {error}") from error


class ExactJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else encode(data)
