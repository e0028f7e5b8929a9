"""The one way in of every dialect: authenticate, parse, validate, one call of the ledger, render.

What differs between vendors is data and small overrides: where the key stands (``KeyAuthentication``), which workspace
a request means (``DialectView.chosen_workspace``) and how errors read (``ErrorStyle``).
"""

import functools
import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import IO, Any, ClassVar, NoReturn, cast

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.db import Error as DatabaseFailure
from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from billing import history
from billing.keys import find_key
from billing.models import ApiKey, Workspace
from billing.storage.jsontext import MalformedJSON, decode, encode
from billing.storage.outages import Outage, outage_of
from usage.commands import Origin
from usage.dialects.shared import bodies, cors, idempotency, paths, rates
from usage.dialects.shared.rates import Rate
from usage.ledger import UnableToRecord
from usage.metering import RuleTooLarge

logger = logging.getLogger(__name__)

IN_THE_CLEAR = "This API is served over https alone. A key that was sent over plain http went in the clear: replace it."


class KeyAuthentication(BaseAuthentication):
    """Find the API key whose text the dialect reads from its own header. ``request.auth`` is the key."""

    wrong_key = "Invalid API key."
    # For the API's document: OpenAPI's security schemes by name, each of which is enough by itself.
    security: ClassVar[Mapping[str, Mapping[str, str]]] = {}

    @abstractmethod
    def key_text(self, request: Request) -> str:
        """Return the key's text as sent; raise ``NotAuthenticated`` where none was."""

    @abstractmethod
    def authenticate_header(self, request: Request) -> str: ...

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        text, now = self.key_text(request), timezone.now()
        try:
            key = find_key(text=text, as_of=now)
        except DatabaseFailure as error:
            if not _may_do_with_another_connection(error):
                raise
            connection.close()
            key = find_key(text=text, as_of=now)
        if key is None:
            raise exceptions.AuthenticationFailed(self.wrong_key)
        return None, key


def _may_do_with_another_connection(error: DatabaseFailure) -> bool:
    """Tell whether what failed on a kept connection, with nothing done before it, may succeed on a new one."""
    outage = outage_of(error)
    was_kept = connection.connection is not None and not connection.in_atomic_block
    return was_kept and outage is not None and outage.spoils_connection and outage is not Outage.NO_ANSWER


class JSONOnly(BaseContentNegotiation):
    """JSON in, unless another type is named, and JSON out: vendors' clients send any ``Accept``."""

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


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong; ``fields`` has the messages by the vendor's name of what was sent.

    ``retry_after`` counts the seconds after which the same request may well succeed.
    """

    status: int
    message: str
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorStyle:
    """How a vendor words errors.

    ``fields`` gives the vendor's name of the ledger's. A ledger error is answered as a bad field of the body is, with
    ``invalid_status`` and the ledger's message, unless ``statuses`` and ``messages`` say otherwise; a message may name
    what was sent, as in "no line {subscription_line}".
    For the API's document, ``shape`` is the body's serializer or schema, ``shapes`` has those of other statuses.
    """

    body: Callable[[Problem], Any]
    fields: Mapping[str, str]
    statuses: Mapping[type[UnableToRecord], int] = field(default_factory=dict)
    messages: Mapping[type[UnableToRecord], str] = field(default_factory=dict)
    invalid_status: int = status.HTTP_400_BAD_REQUEST
    shape: Any = None
    shapes: Mapping[int, Any] = field(default_factory=dict)

    def problem(self, error: UnableToRecord, *, sent: Any) -> Problem:
        code = self.statuses.get(type(error), self.invalid_status)
        wording = self.messages.get(type(error))
        message = error.message if wording is None else wording.format_map(sent)
        named = self.fields.get(error.field or "") if code == self.invalid_status else None
        return Problem(code, message, {named: [message]} if named else {})


class DialectView(APIView):
    """A view of a dialect: translates, calls the ledger once, translates back. Errors are answered here."""

    dialect: ClassVar[str]
    # The API's name, and the headers that all its requests may bear, for its document.
    title: ClassVar[str]
    header_parameters: ClassVar[tuple[OpenApiParameter, ...]] = ()
    error_style: ClassVar[ErrorStyle]
    parser_classes = (ExactJSONParser,)
    renderer_classes = (ExactJSONRenderer,)
    content_negotiation_class = JSONOnly
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    # The vendor's header that makes a repeated request safe, and what the same key with another request is answered.
    idempotency_header: ClassVar[str | None] = None
    idempotency_reuse_status: ClassVar[int] = status.HTTP_400_BAD_REQUEST
    # Whether the vendor keeps the replies to what was refused and what failed, too.
    keeps_failures: ClassVar[bool] = False
    # What browsers may send, and read of a reply, where the workspace allows their page at all.
    cors_headers: ClassVar[tuple[str, ...]] = ("Authorization", "Content-Type")
    cors_exposed: ClassVar[tuple[str, ...]] = ()

    workspace: Workspace
    rate: Rate | None = None
    # What was validated last: errors may name what stands in it.
    sent: Any = None
    idempotency_key: str | None = None
    # Cleared by a view whose request was taken and changed nothing: there is no reply to keep then.
    has_changed: bool = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Run the one path of every request: DRF's own, but for preflights and idempotency keys."""
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            return self._preflight(request)
        # Of it links are made and repeated requests known: two slashes at its start would name another host.
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
        except Exception as error:  # noqa: BLE001  (what it was, is answered in the vendor's shape)
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            raise exceptions.PermissionDenied(IN_THE_CLEAR)
        super().initial(request, *args, **kwargs)
        history.act_as(lambda: history.key(self.key))
        # The web server shares its threads among those who were let in; a workspace and its twin are one.
        request._request.META["arrears.client"] = f"workspace {self.key.workspace.live_id or self.key.workspace_id}"
        self.rate, goes_on = rates.count(key=self.key, as_of=timezone.now())
        if not goes_on:
            raise rates.TooManyRequests
        bodies.require(request._request)
        self.workspace = self.chosen_workspace(self.key)

    def chosen_workspace(self, key: ApiKey) -> Workspace:
        return key.workspace

    def rate_headers(self, rate: Rate) -> dict[str, str]:
        """Return the vendor's headers that tell a client of its limit."""
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
        key = self.request.META.get(f"HTTP_{self.idempotency_header.upper().replace('-', '_')}", "").strip()
        if len(key) > idempotency.LONGEST_KEY or not key.isprintable() or not key.isascii():
            raise exceptions.ValidationError(
                f"{self.idempotency_header} has at most {idempotency.LONGEST_KEY} characters, all of them plain ASCII."
            )
        return key or None

    def _answer_once(self, key: str, handler: Callable[..., Any]) -> Any:
        request, body = self.request, self.body

        def handle() -> Any:
            try:
                with transaction.atomic():
                    return handler(request, *self.args, **self.kwargs)
            except Exception as error:  # a failure is a reply too, and kept by some vendors
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
        """What was sent, read once: whoever parses it and whoever compares it see the same."""
        return bodies.read(self.request._request)

    @property
    def naive_zone(self) -> tzinfo:
        """The zone of times that are sent without an offset."""
        return UTC

    @property
    def key(self) -> ApiKey:
        return cast(ApiKey, self.request.auth)

    @property
    def origin(self) -> Origin:
        return Origin(
            workspace_id=self.workspace.pk,
            source="api",
            dialect=self.dialect,
            recorded_by=f"key {self.key.prefix}… ({self.key.name})",
        )

    def validated(self, serializer_class: type[Serializer], data: Any) -> dict[str, Any]:
        self.sent = data
        try:
            return _serializer(serializer_class, self.naive_zone).run_validation(data)
        except exceptions.ValidationError as error:
            error.status_code = self.error_style.invalid_status
            raise

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> NoReturn:
        # A view without any method stands behind the paths that its dialect does not serve.
        if not self.allowed_methods:
            raise exceptions.NotFound
        raise exceptions.MethodNotAllowed(request.method or "")

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return _answer

    def problem(self, error: Exception) -> Problem:
        match error:
            case UnableToRecord():
                return self.error_style.problem(error, sent=self.sent)
            case exceptions.ValidationError():
                return _invalid(error)
            case exceptions.APIException():
                return Problem(error.status_code, str(error.detail))
            case TooManyFieldsSent():
                most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
                return Problem(status.HTTP_400_BAD_REQUEST, f"A query has at most {most} parameters.")
            case RuleTooLarge():
                return Problem(status.HTTP_409_CONFLICT, str(error))
            case _ if outage := outage_of(error):
                logger.error("An API request failed: %s", outage.name, exc_info=error)
                return Problem(status.HTTP_503_SERVICE_UNAVAILABLE, outage.value, retry_after=outage.retry_after)
            case _:
                logger.error("An API request failed", exc_info=error)
                return Problem(status.HTTP_500_INTERNAL_SERVER_ERROR, "A server error occurred.")


@functools.cache
def _serializer(serializer_class: type[Serializer], zone: tzinfo) -> Serializer:
    # Building one copies its fields, which takes longer than validating; `run_validation` keeps nothing in it.
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


def _invalid(error: exceptions.ValidationError) -> Problem:
    general = api_settings.NON_FIELD_ERRORS_KEY
    detail = error.detail if isinstance(error.detail, dict) else {general: error.detail}
    fields = {str(name): [str(message) for message in messages] for name, messages in detail.items()}
    message = " ".join(fields.pop(general, ["The input is invalid."]))
    return Problem(error.status_code, message, fields)
