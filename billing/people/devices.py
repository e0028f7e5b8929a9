"""Marks of browsers in which a person has logged in before: they try on their own account, whatever others do."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing

SALT = "arrears.device"


def mark_of(*, account: str, former: str = "") -> str:
    """Return the mark to leave in a browser in which an account has logged in; a valid former one keeps its name."""
    device = device_in(former, account=account) or secrets.token_urlsafe(16)
    return signing.dumps([account, device], salt=SALT)


def device_in(mark: str, *, account: str) -> str | None:
    """Return the device that a mark names, or None where it is old, of another account or not ours."""
    try:
        of, device = signing.loads(mark, salt=SALT, max_age=timedelta(days=settings.LOGIN_DEVICE_DAYS))
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return device if of == account else None
