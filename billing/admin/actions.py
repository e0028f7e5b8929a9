"""What a person may do with a row, by a button on its page."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from unfold.decorators import action as unfold_action

from billing.admin import sending

View = Callable[..., HttpResponse]


def row_action(*, right: str, permission: str, **options: Any) -> Callable[[View], View]:
    """Make a button of a view: shown and done where ``has_{permission}_permission`` of the panel says so for the row.

    That says no to whoever lacks the ``right``, and to rows that are in no state for it. Who has the right comes from
    a page that is older than the row's state: that person is led to the row, and told; or that there is no such row.
    """

    def decorate(view: View) -> View:
        shown = unfold_action(permissions=[permission], **options)(view)

        @wraps(shown)
        def told(panel: Any, request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            try:
                return shown(panel, request, *args, **named)
            except PermissionDenied:
                row = panel.get_object(request, named.get("object_id") or "")
                if not request.user.has_perm(right):
                    raise
                if row is None:
                    raise Http404 from None
                if done := sending.done_before(request):
                    return sending.answer_again(request, done, otherwise=panel.url_of(row))
                return panel.tell_no_more(request, row)

        return told

    return decorate
