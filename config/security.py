"""What a page may load, and what becomes of a request that came in the clear."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def policy() -> str:
    """Return the Content-Security-Policy of the pages: everything from this host, and no script but from a file.

    The panel's templates hold expressions that Alpine evaluates, hence 'unsafe-eval'; unfold writes its colours into
    the page, hence 'unsafe-inline' for styles. The API documents send what is tried out to the vendors' hosts.
    """
    vendors = " ".join(f"{host}:*" for host in settings.DIALECT_HOSTS)
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self' data:",
            f"connect-src 'self' {vendors}".strip(),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Send the policy with every page."""
    sent = policy()

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", sent)
        return response

    return middleware


class ApiSecurityMiddleware(SecurityMiddleware):
    """Django's, without the redirect to https: a client would follow it and never learn that its key went in the clear.

    The dialects refuse such a request in their vendor's shape.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self.redirect = False
