"""Content security policy of the pages, and the APIs' handling of plain HTTP."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def policy() -> str:
    """Return the Content-Security-Policy of the pages: only this host, and scripts only from files.

    The panel's templates contain expressions that Alpine evaluates, hence 'unsafe-eval'. unfold writes its colours into
    the page, hence 'unsafe-inline' for styles. The API pages send trial requests to the vendors' hosts.
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
    """Send the policy with every HTML page."""
    sent = policy()

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", sent)
        return response

    return middleware


class ApiSecurityMiddleware(SecurityMiddleware):
    """Django's middleware without the redirect to HTTPS.

    A client would follow the redirect and never learn that its API key was sent in the clear. The dialects refuse such
    a request in their vendor's format.
    """

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self.redirect = False
