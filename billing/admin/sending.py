"""One-time tokens of forms: a form is done once, however often it is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from billing.admin.panel_forms import CONFIRMED, READ_AS
from billing.admin.seen import SEEN
from billing.admin.shown import FIELD
from billing.models import SentForm
from billing.people import sent_forms

TOKEN = "form_token"
# The header in which a page that answers a form names the result: the form, sent again, leads there.
RESULT = "Content-Location"


def token_of(request: HttpRequest) -> str:
    """Return the token for a page: the one that came with the form, or a new one."""
    return request.POST.get(TOKEN, "") or uuid4().hex


@contextmanager
def once(request: HttpRequest) -> Iterator[SentForm]:
    """Do a form in one transaction, once per token; raise ``DoneBefore`` the next time. Without a token, just do it."""
    token = request.POST.get(TOKEN, "")
    if not token:
        with transaction.atomic():
            yield SentForm()
        return
    with sent_forms.done_once(name=_name(request, token), digest=_digest(request), as_of=timezone.now()) as sent:
        yield sent


def answer_once(request: HttpRequest, answer: Callable[[], HttpResponse], *, otherwise: str) -> HttpResponse:
    """Answer a form by ``answer``, once. A response without a result is rolled back: it has done nothing."""
    try:
        with once(request) as sent:
            response = answer()
            sent.url = result_of(response)
            if not sent.url:
                transaction.set_rollback(True)
        return response
    except sent_forms.DoneBefore as done:
        return answer_again(request, done, otherwise=otherwise)


def done_before(request: HttpRequest) -> sent_forms.DoneBefore | None:
    """Return the record of a form that was done with the same token, or None."""
    token = request.POST.get(TOKEN, "")
    return sent_forms.done_before(name=_name(request, token), digest=_digest(request)) if token else None


def _name(request: HttpRequest, token: str) -> str:
    return sent_forms.name_of(user_id=request.user.pk or 0, path=request.path, token=token)


def _digest(request: HttpRequest) -> str:
    """Return a digest of the entries of a form; hidden inputs, confirmations and the button are left out."""
    carried = (TOKEN, SEEN, READ_AS, CONFIRMED, FIELD, "csrfmiddlewaretoken")
    typed = [
        (name, values)
        for name, values in request.POST.lists()
        if name not in carried and not name.endswith(f"-{SEEN}") and not name.startswith("_")
    ]
    return sent_forms.digest_of(typed)


def result_of(response: HttpResponse) -> str:
    """Return the address of the result of a form; empty if it has none."""
    return str(response.headers.get("Location") or response.headers.get(RESULT) or "")


def answer_again(request: HttpRequest, done: sent_forms.DoneBefore, *, otherwise: str) -> HttpResponse:
    """Answer a form that was sent again: lead to the result of the first time."""
    came_of_it = done.url or otherwise
    if done.is_other:
        told = (
            "Not done: this page was sent before with other content, and that was done:"
            ' see <a href="{}">what came of it</a>; open the form anew to do another.'
        )
        messages.warning(request, format_html(told, came_of_it))
    else:
        messages.info(request, "This form was sent before, and done once: here is what came of it.")
    return HttpResponseRedirect(came_of_it)
