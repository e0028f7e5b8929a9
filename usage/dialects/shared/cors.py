"""Cross-origin requests: browsers may call the APIs from the origins that the key's workspace allows; default: none."""

from django.db import Error as DatabaseFailure
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from billing.models import AllowedOrigin, Workspace
from billing.tenancy import Across, across

MAX_AGE_SECONDS = 600


def preflight(*, origin: str, methods: list[str], headers: tuple[str, ...]) -> HttpResponse:
    """Answer a preflight request. It has no key, so that an allowed origin of any workspace is accepted here."""
    response = HttpResponse(status=204)
    patch_vary_headers(response, ("Origin",))
    if _allows(origin, None):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Methods"] = ", ".join(methods)
        response["Access-Control-Allow-Headers"] = ", ".join(headers)
        response["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
    return response


def let_read(response: HttpResponseBase, *, origin: str, workspace: Workspace | None, exposed: tuple[str, ...]) -> None:
    """Let a page of an allowed origin read the response; of any workspace's origin if the workspace is unknown yet."""
    patch_vary_headers(response, ("Origin",))
    if _allows(origin, workspace):
        response["Access-Control-Allow-Origin"] = origin
        if exposed:
            response["Access-Control-Expose-Headers"] = ", ".join(exposed)


def _allows(origin: str, workspace: Workspace | None) -> bool:
    if "\0" in origin:
        return False
    allowed = AllowedOrigin.objects.filter(origin=origin)
    try:
        if workspace is None:
            with across(Across.ORIGIN):
                return allowed.exists()
        # A twin has the live workspace's origins.
        return allowed.filter(workspace_id=workspace.live_id or workspace.pk).exists()
    except DatabaseFailure:
        return False
