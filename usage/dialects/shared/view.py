"""Base class of all dialects' views: authenticate, parse, validate, call the ledger once, answer.

Vendors differ in data and small overrides: the header of the key (``KeyAuthentication``), the workspace of a request
(``DialectView.chosen_workspace``) and the bodies of errors (``ErrorStyle``).
"""

import functools
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any, ClassVar, NoReturn, cast

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from billing import actors
from billing.actors import Actor
from billing.models import ApiKey, Workspace
from billing.storage.outages import outage_of
from usage.commands import Origin
from usage.dialects.shared import cors, idempotency, paths, rates, request_body
from usage.dialects.shared.errors import ErrorStyle, Problem, problem_of
from usage.dialects.shared.exact_json import ExactJSONParser, ExactJSONRenderer, JSONOnly
from usage.dialects.shared.rates import Rate

IN_THE_CLEAR = "This API is served over https only. A key sent over plain http may have been intercepted: replace it."


class DialectView(APIView):
    """A view of a dialect: translates the request, calls the ledger once, translates the result or the error."""

    dialect: ClassVar[str]
    # Headers that all requests may have, for the API description.
    header_parameters: ClassVar[tuple[OpenApiParameter, ...]] = ()
    error_style: ClassVar[ErrorStyle]
    parser_classes = (ExactJSONParser,)
    renderer_classes = (ExactJSONRenderer,)
    content_negotiation_class = JSONOnly
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    # The vendor's idempotency header, and the status if its key was used for another request.
    idempotency_header: ClassVar[str | None] = None
    idempotency_reuse_status: ClassVar[int] = status.HTTP_400_BAD_REQUEST
    # Whether the vendor also stores responses to requests that were refused or failed.
    keeps_failures: ClassVar[bool] = False
    # Headers that browsers may send, and read in a response, if the workspace allows the page's origin.
    cors_headers: ClassVar[tuple[str, ...]] = ("Authorization", "Content-Type")
    cors_exposed: ClassVar[tuple[str, ...]] = ()

    workspace: Workspace
    rate: Rate | None = None
    # The last validated data, which error messages may quote.
    sent: Any = None
    idempotency_key: str | None = None
    # Cleared by a view that accepted a request without changes: its response is not stored.
    has_changed: bool = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Process a request as DRF does, with preflights and idempotency keys added."""
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            return self._preflight(request)
        # Links and fingerprints contain the path: two slashes at its start would refer to another host.
        request.path = paths.served_path(request)
        self.args, self.kwargs = args, kwargs
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.initial(asked, *args, **kwargs)
            method = (asked.method or "").lower()
            handler = getattr(self, method, None) if method in self.http_method_names else None
            handler = handler or self.http_method_not_allowed
            self.idempotency_key = key = self._idempotency_key(method)
            response = handler(asked, *args, **kwargs) if key is None else self._answer_once(key, handler)
        except Exception as error:  # noqa: BLE001  (any error is answered in the vendor's shape)
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            raise exceptions.PermissionDenied(IN_THE_CLEAR)
        super().initial(request, *args, **kwargs)
        # The web server shares its threads among authenticated clients; a workspace and its twin count as one.
        request._request.META["arrears.client"] = f"workspace {self.key.workspace.live_id or self.key.workspace_id}"
        self.rate, goes_on = rates.count(key=self.key, as_of=timezone.now())
        if not goes_on:
            raise rates.TooManyRequests
        request_body.require(request._request)
        self.workspace = self.chosen_workspace(self.key)

    def chosen_workspace(self, key: ApiKey) -> Workspace:
        """Return the workspace of the request; raise ``PermissionDenied`` if the key may not use it."""
        return key.workspace

    def rate_headers(self, rate: Rate) -> dict[str, str]:
        """Return the vendor's headers about the rate limit."""
        return {}

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.rate is not None:
            for name, value in self.rate_headers(self.rate).items():
                response[name] = value
        origin = request.META.get("HTTP_ORIGIN")
        if origin is not None:
            workspace = getattr(self, "workspace", None)
            cors.let_read(response, origin=origin, workspace=workspace, exposed=self.cors_exposed)
        return response

    def _preflight(self, request: HttpRequest) -> HttpResponseBase:
        own = (self.idempotency_header,) if self.idempotency_header else ()
        return cors.preflight(
            origin=request.META.get("HTTP_ORIGIN", ""),
            methods=[method for method in self.allowed_methods if method != "OPTIONS"],
            headers=(*self.cors_headers, *own),
        )

    def _idempotency_key(self, method: str) -> str | None:
        if self.idempotency_header is None or method in ("get", "head"):
            return None
        return idempotency.sent_key(self.request, header=self.idempotency_header)

    def _answer_once(self, key: str, handler: Callable[..., Any]) -> Any:
        request, body = self.request, self.body

        def handle() -> Any:
            try:
                with transaction.atomic():
                    return handler(request, *self.args, **self.kwargs)
            except Exception as error:  # some vendors keep failures too
                if outage_of(error):
                    raise
                return self.handle_exception(error)

        return idempotency.answer_once(
            api_key=self.key,
            workspace_id=self.workspace.pk,
            key=key,
            sent=idempotency.fingerprint(request, body),
            reuse_status=self.idempotency_reuse_status,
            handle=handle,
            is_kept=lambda reply: self.keeps_failures or (reply.status_code < 300 and self.has_changed),
        )

    @functools.cached_property
    def body(self) -> bytes:
        """The request's body, read once, so that the parser and the fingerprint use the same bytes."""
        return request_body.read(self.request._request)

    @property
    def naive_zone(self) -> tzinfo:
        """The time zone of moments that are sent without an offset."""
        return UTC

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    @property
    def actor(self) -> Actor:
        return actors.api_key(self.key, via=self.dialect)

    @property
    def origin(self) -> Origin:
        return Origin(workspace_id=self.workspace.pk, source="api", dialect=self.dialect, recorded_by=self.actor.label)

    def validated(self, serializer_class: type[Serializer], data: Any) -> dict[str, Any]:
        """Return the data validated by a serializer; raise ``ValidationError`` with the vendor's status."""
        self.sent = data
        try:
            return _serializer(serializer_class, self.naive_zone).run_validation(data)
        except exceptions.ValidationError as error:
            error.status_code = self.error_style.invalid_status
            raise

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        # A view without methods answers for paths that its dialect does not serve.
        if not self.allowed_methods:
            raise exceptions.NotFound
        raise exceptions.MethodNotAllowed(request.method or "")

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return _answer

    def problem(self, error: Exception) -> Problem:
        """Return the problem of an exception."""
        return problem_of(error, style=self.error_style, sent=self.sent)


@functools.cache
def _serializer(serializer_class: type[Serializer], zone: tzinfo) -> Serializer:
    # Creating a serializer copies its fields, which takes longer than validating; `run_validation` has no state.
    return serializer_class(context={"zone": zone})


def _answer(error: Exception, context: dict[str, Any]) -> Response:
    view: DialectView = context["view"]
    problem = view.problem(error)
    headers: dict[str, str] = {**getattr(error, "headers", {})}
    if problem.status == status.HTTP_401_UNAUTHORIZED:
        headers["WWW-Authenticate"] = view.get_authenticate_header(view.request)
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == status.HTTP_429_TOO_MANY_REQUESTS and view.rate is not None:
        headers["Retry-After"] = str(view.rate.retry_after)
    return Response(view.error_style.body(problem), status=problem.status, headers=headers)
