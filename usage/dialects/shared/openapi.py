"""Describe a dialect in OpenAPI: add the headers and errors that all dialects share to the descriptions of views."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast

import msgspec
from django.urls import URLPattern, URLResolver
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, get_doc
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from usage.dialects.shared.authentication import KeyAuthentication
from usage.dialects.shared.idempotency import LONGEST_KEY
from usage.dialects.shared.rates import Rate
from usage.dialects.shared.view import DialectView

_ANY_RATE = Rate(limit=2, remaining=1, resets_at=datetime(2026, 1, 1, tzinfo=UTC), retry_after=1)
_SECONDS = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
_HEADERS_OF_ERRORS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": _SECONDS},
    503: {"Retry-After": {**_SECONDS, "required": True}},
}
_DESCRIPTION = (
    "Quantities are exact, with up to 15 digits before the point and 9 after it. Refused requests change nothing."
)


class KeyScheme(OpenApiAuthenticationExtension):
    """OpenAPI extension with the security schemes that a dialect's authentication declares."""

    target_class = KeyAuthentication
    match_subclasses = True

    @property
    def name(self) -> list[str]:  # type: ignore[override]  # each of several is sufficient
        return list(self.target.security)

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Mapping[str, str]]:  # type: ignore[override]
        return list(self.target.security.values())

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.target.security]


class DialectSchema(AutoSchema):
    """Schema generator that adds the headers and errors of every `DialectView` to a view's operations."""

    @property
    def _dialect(self) -> DialectView:
        return cast(DialectView, self.view)

    def get_operation_id(self) -> str:
        first, *others = super().get_operation_id().split("_")
        return first + "".join(other.capitalize() for other in others)

    def get_description(self) -> str:  # type: ignore[override]
        return get_doc(getattr(self._dialect, self.method.lower()))

    def get_override_parameters(self) -> list[Any]:
        rates = (
            OpenApiParameter(
                name,
                int if value.isdigit() else str,
                OpenApiParameter.HEADER,
                response=True,
                description="The rate limit of the key.",
            )
            for name, value in self._dialect.rate_headers(_ANY_RATE).items()
        )
        return [*self._dialect.header_parameters, *self._idempotency_header(), *rates]

    def _idempotency_header(self) -> Iterator[OpenApiParameter]:
        if self._dialect.idempotency_header is not None and self.method != "GET":
            yield OpenApiParameter(
                self._dialect.idempotency_header,
                {"type": "string", "maxLength": LONGEST_KEY, "pattern": "^[ -~]*$"},
                OpenApiParameter.HEADER,
                description="The same request with the same key gets the first response again, without another effect.",
            )

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        for code, response in responses.items():
            response["description"] = response["description"] or HTTPStatus(int(code)).phrase
        if self._dialect.error_style.shape is not None:
            for error in sorted(self._error_codes()):
                responses.setdefault(str(error), self._error(error).ref)
        return responses

    def _error_codes(self) -> set[int]:
        view, style = self._dialect, self._dialect.error_style
        codes = {400, 401, 429, 500, 503, style.invalid_status}
        if type(view).chosen_workspace is not DialectView.chosen_workspace:
            codes.add(403)
        if "{" in self.path:
            codes.add(404)
        if self.method != "GET":
            codes.update({408, 411, 413, 415, 507}, style.statuses.values())
            if view.idempotency_header is not None:
                codes.update({409, view.idempotency_reuse_status})
        return codes

    def _error(self, code: int) -> ResolvedComponent:
        phrase, style = HTTPStatus(code).phrase, self._dialect.error_style
        component = ResolvedComponent(phrase.replace(" ", ""), ResolvedComponent.RESPONSE, object=code)
        if component not in self.registry:
            shape = OpenApiResponse(style.shapes.get(code, style.shape), description=phrase)
            response = self._get_response_for_code(shape, str(code))
            headers = {**response.get("headers", {}), **_HEADERS_OF_ERRORS.get(code, {})}
            component.schema = {**response, "headers": headers} if headers else response
            self.registry.register(component)
        return self.registry[component]


def describe(patterns: Sequence[URLPattern | URLResolver], *, title: str, servers: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI description of a dialect's URL patterns.

    Paths are relative to ``servers``, the URLs of the dialect's mount.
    """
    description = SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
    description["info"] |= {"title": title, "description": _DESCRIPTION}
    description["servers"] = [{"url": url} for url in servers]
    return msgspec.json.decode(OpenApiJsonRenderer().render(description))
