"""Mark browsers in which a user has logged in before: their attempts are counted separately."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing

SALT = "arrears.device"


def mark_of(*, account: str, former: str = "") -> str:
    """Return the mark for a browser in which an account has logged in; it keeps the device of a valid former mark."""
    device = device_in(former, account=account) or secrets.token_urlsafe(16)
    return signing.dumps([account, device], salt=SALT)


def device_in(mark: str, *, account: str) -> str | None:
    """Return the device in a mark; None for an expired mark, another account's or a forged one."""
    try:
        of, device = signing.loads(mark, salt=SALT, max_age=timedelta(days=settings.LOGIN_DEVICE_DAYS))
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return device if of == account else None
