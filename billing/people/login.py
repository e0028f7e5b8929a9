"""Handle an attempt to log in: count it, wait for a turn, and undo the count if the password was correct."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.utils.crypto import salted_hmac

from billing.people import attempts, devices
from billing.people.addresses import place_of
from billing.people.attempts import Attempt, TooManyAttempts
from billing.people.turns import Turns

# Recognised devices don't wait for unknown ones.
_strangers = Turns(at_a_time=settings.LOGIN_HASHES, seconds=settings.LOGIN_WAIT_SECONDS)
_recognised = Turns(at_a_time=settings.LOGIN_HASHES, seconds=settings.LOGIN_WAIT_SECONDS)


@contextmanager
def attempt(
    *, username: str, address: str, mark: str = "", is_logged_in: bool = False, as_of: datetime
) -> Iterator[None]:
    """Check a password in the block: an exception in it is a failed attempt, and counts.

    ``address`` is the client's; ``mark`` is the browser's, from ``mark_for``, and not needed for a logged-in user who
    enters the password again. Raises ``TooManyAttempts``, also instead of the error of the last attempt, and ``Busy``,
    which does not count, if too many passwords are being checked.
    """
    account = _digest(username)
    device = f"person {account}" if is_logged_in else devices.device_in(mark, account=account)
    place = device or place_of(address)
    tried = Attempt(own=_digest(f"{username}\0{place}"), of_account=account, is_recognised=device is not None)
    attempts.refuse_beyond(tried, as_of=as_of)
    with (_recognised if device else _strangers).take(place):
        attempts.count(tried, as_of=as_of)
        try:
            yield
        except Exception as error:
            try:
                attempts.refuse_beyond(tried, as_of=as_of)
            except TooManyAttempts as refusal:
                raise refusal from error
            raise
        attempts.forgive(tried)


@contextmanager
def hashing(*, username: str) -> Iterator[None]:
    """Hash a new password in the block, in a turn of the user who sets it; raise ``Busy``."""
    with _recognised.take(f"person {_digest(username)}"):
        yield


def mark_for(*, username: str, former: str = "") -> str:
    """Return the mark for a browser in which this user has just logged in; ``former`` is its previous mark."""
    return devices.mark_of(account=_digest(username), former=former)


def check_proxies(**_: object) -> list[CheckMessage]:
    """Warn if all clients seem to have the address of their proxy."""
    if settings.SECURE_PROXY_SSL_HEADER and not settings.TRUSTED_PROXIES:
        hint = "Add the proxy's address to TRUSTED_PROXIES, and let it set X-Forwarded-For."
        return [Warning("All log-ins seem to come from the proxy's address.", hint=hint, id="billing.W002")]
    return []


def _digest(text: str) -> str:
    return salted_hmac("arrears.login", text, algorithm="sha256").hexdigest()
