"""The current workspace of a user of the panel: the one chosen last, in the head or by a URL.

Forms carry the workspace that they were opened in. If the user has switched to another workspace in another tab, the
form is refused and not processed there. The user can switch back, and sees the form with its entries.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.admin.sites import site
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from billing import people
from billing.models import Workspace
from billing.names import parse_whole

# The hidden input of forms and the URL parameter that name a workspace.
FIELD = "shown_workspace"
PARAMETER = "workspace"
# The input with which a refused form is sent to be shown again in its workspace, without being processed.
AGAIN = "_typed_before"
NOT_SAVED = "Nothing was saved yet: these are your entries. Check them and save again."
FIRST = "Open a workspace first: everything else belongs to one."
# Pages that exist in every workspace, beside the lists.
EVERYWHERE = ("index", "graphql_client")

Rows = TypeVar("Rows", bound=QuerySet[Any])


class NoWorkspace(Exception):
    """There is no workspace yet."""


def workspace_or_none(request: HttpRequest) -> Workspace | None:
    """Return the current workspace of a request; None while there is no workspace."""
    asked: Any = request
    if not hasattr(asked, "workspace"):
        asked.workspace = people.shown_to(user_id=cast(int, request.user.pk))
    return cast("Workspace | None", asked.workspace)


def workspace_of(request: HttpRequest) -> Workspace:
    """Return the current workspace of a request; raise ``NoWorkspace``."""
    workspace = workspace_or_none(request)
    if workspace is None:
        raise NoWorkspace
    return workspace


def narrowed(rows: Rows, request: HttpRequest) -> Rows:
    """Return the rows that belong to the current workspace."""
    workspace = workspace_or_none(request)
    return rows.none() if workspace is None else rows.filter(workspace_id=workspace.pk)


def address(path: str, *, workspace_id: int) -> str:
    """Return the URL of a page of the panel that also switches to a workspace."""
    return f"{path}?{urlencode({PARAMETER: workspace_id})}"


def show(request: HttpRequest, workspace: Workspace) -> None:
    """Make a workspace the current one of a request's user."""
    people.show(workspace, user_id=cast(int, request.user.pk))
    request.workspace = workspace  # type: ignore[attr-defined]


class ShowsOneWorkspace:
    """Middleware that switches to the workspace named in a URL, and refuses forms of another workspace."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not match.route.startswith("admin/"):
            return None
        if request.method in ("GET", "HEAD"):
            is_asked = PARAMETER in request.GET and site.has_permission(request)
            return _switched_by_address(request) if is_asked else None
        carried = request.POST.get(FIELD)
        if not carried or not site.has_permission(request):
            return None
        workspace = _named(carried)
        if AGAIN in request.POST and workspace is not None:
            show(request, workspace)
            # The form shows this refusal, and so is not saved.
            request.panel_refusal = ValidationError(NOT_SAVED)  # type: ignore[attr-defined]
            return None
        shown = workspace_or_none(request)
        return None if shown is not None and workspace == shown else _refused(request, workspace)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, NoWorkspace):
            return None
        messages.warning(request, FIRST)
        may_open = request.user.has_perm("billing.add_workspace")
        return HttpResponseRedirect(reverse("admin:billing_workspace_add" if may_open else "admin:index"))


def _named(text: str) -> Workspace | None:
    known = parse_whole(text)
    return None if known is None else Workspace.objects.filter(pk=known).first()


def _switched_by_address(request: HttpRequest) -> HttpResponse:
    """Switch to the workspace named in a URL, and redirect to the URL without it."""
    workspace = _named(request.GET[PARAMETER])
    if workspace is None:
        messages.warning(request, "The URL names an unknown workspace.")
    elif workspace != workspace_or_none(request):
        show(request, workspace)
        messages.info(request, f"Switched to {workspace}.")
    rest = request.GET.copy()
    del rest[PARAMETER]
    return HttpResponseRedirect(f"{request.path}?{rest.urlencode()}" if rest else request.path)


def _refused(request: HttpRequest, carried: Workspace | None) -> HttpResponse:
    context = {
        **site.each_context(request),
        "title": "Nothing was done",
        "carried": carried,
        "shown": workspace_or_none(request),
        "back": request.get_full_path(),
        "again": AGAIN,
        "typed": [] if request.FILES else _typed(request),
    }
    return render(request, "panel/pages/other_workspace.html", context, status=409)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the entries of a form to be sent again, without the pressed button."""
    sent = [(name, value) for name, values in request.POST.lists() for value in values]
    return [(name, value) for name, value in sent if name != "csrfmiddlewaretoken" and not name.startswith("_")]


def switch(request: HttpRequest) -> HttpResponse:
    """Switch to the chosen workspace, and show the same list there or else the first page.

    ``back`` is the URL of a page in that workspace, to which a refused form leads back.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    workspace = _named(request.POST.get(PARAMETER, ""))
    if workspace is None:
        raise Http404
    show(request, workspace)
    back, place = request.POST.get("back", ""), request.POST.get("from", "")
    return HttpResponseRedirect(back if _is_of_panel(back) else _same_page(place))


def _is_of_panel(address: str) -> bool:
    is_ours = url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return is_ours and address.startswith(reverse("admin:index"))


def _same_page(place: str) -> str:
    """Return the page that the user came from if every workspace has it, else the panel's first page."""
    home = reverse("admin:index")
    try:
        name = resolve(place).url_name or ""
    except Resolver404:
        return home
    is_everywhere = name in EVERYWHERE or name.endswith("_changelist")
    return place if is_everywhere and _is_of_panel(place) else home
