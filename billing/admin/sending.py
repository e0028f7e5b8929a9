"""One-time tokens of forms: a form is processed only once, however often it is sent."""

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
# The header of a response to a form that names the URL of its result, to which the form leads if it is sent again.
RESULT = "Content-Location"


def token_of(request: HttpRequest) -> str:
    """Return the token for a page: the one sent with the form, or a new one."""
    return request.POST.get(TOKEN, "") or uuid4().hex


@contextmanager
def once(request: HttpRequest) -> Iterator[SentForm]:
    """Run the block in one transaction, once per token, and raise ``DoneBefore`` after that. No token: no check."""
    token = request.POST.get(TOKEN, "")
    if not token:
        with transaction.atomic():
            yield SentForm()
        return
    with sent_forms.done_once(name=_name(request, token), digest=_digest(request), as_of=timezone.now()) as sent:
        yield sent


def answer_once(request: HttpRequest, answer: Callable[[], HttpResponse], *, otherwise: str) -> HttpResponse:
    """Process a form by ``answer``, once. If the response has no result, roll back: the form can be sent again."""
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
    """Return the record of a form that was processed with the same token, or None."""
    token = request.POST.get(TOKEN, "")
    return sent_forms.done_before(name=_name(request, token), digest=_digest(request)) if token else None


def _name(request: HttpRequest, token: str) -> str:
    return sent_forms.name_of(user_id=request.user.pk or 0, path=request.path, token=token)


def _digest(request: HttpRequest) -> str:
    """Return a digest of the entries of a form without hidden inputs, confirmations and the button."""
    carried = (TOKEN, SEEN, READ_AS, CONFIRMED, FIELD, "csrfmiddlewaretoken")
    typed = [
        (name, values)
        for name, values in request.POST.lists()
        if name not in carried and not name.endswith(f"-{SEEN}") and not name.startswith("_")
    ]
    return sent_forms.digest_of(typed)


def result_of(response: HttpResponse) -> str:
    """Return the URL of the result of a form; empty if it has none."""
    return str(response.headers.get("Location") or response.headers.get(RESULT) or "")


def answer_again(request: HttpRequest, done: sent_forms.DoneBefore, *, otherwise: str) -> HttpResponse:
    """Answer a form that was sent again: redirect to its first result."""
    came_of_it = done.url or otherwise
    if done.is_other:
        text = (
            "Nothing was changed: this page was already sent with other content, which was processed:"
            ' see <a href="{}">its result</a>. Open the form again for a new entry.'
        )
        messages.warning(request, format_html(text, came_of_it))
    else:
        messages.info(request, "This form was already processed: this is its result.")
    return HttpResponseRedirect(came_of_it)
