"""Count log-in attempts in the database, where all web processes and hosts see them.

An attempt is counted before its password is checked, so that concurrent attempts can't exceed the limit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from billing.models import LoginTally

# Number of expired tallies deleted per attempt: more than an attempt adds, so that the table stays small.
SWEPT = 100

_COUNT = """
INSERT INTO billing_logintally (name, tries, since_at) VALUES (%(name)s, 1, %(now)s)
ON CONFLICT (name) DO UPDATE SET
    tries = CASE WHEN billing_logintally.since_at <= %(over)s THEN 1 ELSE billing_logintally.tries + 1 END,
    since_at = CASE WHEN billing_logintally.since_at <= %(over)s THEN excluded.since_at
        ELSE billing_logintally.since_at END
RETURNING tries
"""


class TooManyAttempts(Exception):
    """No attempts are checked until the window ends, in ``retry_after`` seconds."""

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.retry_after / 60)
        super().__init__(f"Too many attempts; try again in {minutes} minute{'' if minutes == 1 else 's'}.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The names of an attempt's tallies. The account's tally is not used for a recognised device."""

    own: str
    of_account: str
    is_recognised: bool


def refuse_beyond(attempt: Attempt, *, as_of: datetime) -> None:
    """Raise ``TooManyAttempts`` if no attempt is left; one query.

    An address has ``LOGIN_ATTEMPTS`` per window. After ``LOGIN_ATTEMPTS_PER_ACCOUNT`` attempts on an account from all
    addresses, each address has one: guessing from many addresses is slow, but a user who knows the password can't be
    locked out.
    """
    live = LoginTally.objects.filter(pk__in=[attempt.own, attempt.of_account], since_at__gt=as_of - _window())
    tallies = {tally.name: tally for tally in live}
    own, of_account = tallies.get(attempt.own), tallies.get(attempt.of_account)
    if own is None:
        return
    if own.tries >= settings.LOGIN_ATTEMPTS:
        raise TooManyAttempts(own.since_at + _window() - as_of)
    if of_account is not None and _is_guessed_at(attempt, of_account.tries):
        raise TooManyAttempts(min(own.since_at, of_account.since_at) + _window() - as_of)


def count(attempt: Attempt, *, as_of: datetime) -> None:
    """Count an attempt before it is checked; raise ``TooManyAttempts`` if concurrent attempts used up the limit."""
    tries = _count(attempt.own, as_of)
    # The account's limit applies to the attempts before this one.
    of_account = 0 if attempt.is_recognised else _count(attempt.of_account, as_of) - 1
    _sweep(as_of)
    if tries > (1 if _is_guessed_at(attempt, of_account) else settings.LOGIN_ATTEMPTS):
        raise TooManyAttempts(_window())


def forgive(attempt: Attempt) -> None:
    """Undo the count of an attempt whose password was correct."""
    LoginTally.objects.filter(pk=attempt.own).delete()
    if not attempt.is_recognised:
        LoginTally.objects.filter(pk=attempt.of_account, tries__gt=0).update(tries=F("tries") - 1)


def _is_guessed_at(attempt: Attempt, tries: int) -> bool:
    return not attempt.is_recognised and tries >= settings.LOGIN_ATTEMPTS_PER_ACCOUNT


def _window() -> timedelta:
    return timedelta(minutes=settings.LOGIN_WINDOW_MINUTES)


def _count(name: str, as_of: datetime) -> int:
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"name": name, "now": adapt(as_of), "over": adapt(as_of - _window())})
        (tries,) = cursor.fetchone()
    return tries


@transaction.atomic
def _sweep(as_of: datetime) -> None:
    over = LoginTally.objects.filter(since_at__lte=as_of - _window()).order_by("since_at")
    # Skip rows that another attempt is updating or deleting.
    names = over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:SWEPT]
    LoginTally.objects.filter(pk__in=list(names)).delete()
