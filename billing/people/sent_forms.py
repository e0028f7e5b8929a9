"""Process a form only once if it is sent twice, by a second click, a reload or the back button."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from billing.models import SentForm

# Number of expired rows deleted per form: more than a form adds, so that the table stays small.
SWEPT = 100


class DoneBefore(Exception):
    """The form was already processed; ``url`` is the page of its result, empty if it has none.

    ``is_other``: the content was different.
    """

    def __init__(self, url: str, *, is_other: bool = False) -> None:
        super().__init__(f"This form was already processed: {url or 'it has no page'}.")
        self.url = url
        self.is_other = is_other


def name_of(*, user_id: int, path: str, token: str) -> str:
    """Return the name of a form in the table: a digest, since a browser may send any text as the token."""
    return hashlib.sha256(f"{user_id}\n{path}\n{token}".encode("utf-8", "surrogateescape")).hexdigest()


def digest_of(content: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a digest of a form's content, whatever the order of its fields; keyed, since it may contain passwords."""
    text = json.dumps(sorted((name, list(values)) for name, values in content))
    return salted_hmac("arrears.sent-form", text, algorithm="sha256").hexdigest()


def done_before(*, name: str, digest: str = "") -> DoneBefore | None:
    """Return the record of a processed form; None for any other."""
    before = SentForm.objects.filter(pk=name).first()
    if before is None:
        return None
    return DoneBefore(before.url, is_other=bool(before.digest) and before.digest != digest)


@contextmanager
def done_once(*, name: str, digest: str = "", as_of: datetime) -> Iterator[SentForm]:
    """Run the block in one transaction, once for each name; store the ``url`` that the block sets.

    A second caller waits for the first and raises ``DoneBefore``. Nothing is stored if the block raises or rolls its
    transaction back: the form can be sent again.
    """
    with transaction.atomic():
        sent = SentForm(name=name, digest=digest, sent_at=as_of)
        try:
            with transaction.atomic():
                sent.save(force_insert=True)
        except IntegrityError:
            raise done_before(name=name, digest=digest) or RuntimeError("The form can be sent again.") from None
        yield sent
        if not transaction.get_rollback():
            sent.save(update_fields=["url"])
            _sweep(as_of)


def _sweep(as_of: datetime) -> None:
    over = SentForm.objects.filter(sent_at__lte=as_of - timedelta(days=settings.SENT_FORMS_KEPT_DAYS))
    # Another form may be deleting the same rows: deleting fewer is not an error.
    names = over.order_by("sent_at").values_list("pk", flat=True)[:SWEPT]
    SentForm.objects.filter(pk__in=list(names)).delete()
