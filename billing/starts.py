"""Starts and ends that nobody means: a wrong year makes thousands of periods due, or none for decades, or no end."""

from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings


def distant(start: date | datetime, *, as_of: datetime) -> str | None:
    """Say how far away a start is, where it is to be asked whether it is meant; None where it is near enough.

    A day is taken to begin in UTC: a day more or less makes no start distant. Which distance is asked about is the
    setting ``DISTANT_START_DAYS``.
    """
    moment = start if isinstance(start, datetime) else datetime.combine(start, time(), tzinfo=UTC)
    if abs(moment - as_of) <= timedelta(days=settings.DISTANT_START_DAYS):
        return None
    return f"This is more than {settings.DISTANT_START_DAYS} days {'ahead' if moment > as_of else 'back'}."


def distant_end(last_day: date, *, as_of: datetime) -> str | None:
    """Say so of a last day that is further away than ``DISTANT_END_DAYS``, which is asked about; None of any other."""
    if (last_day - as_of.date()).days <= settings.DISTANT_END_DAYS:
        return None
    return f"This is more than {settings.DISTANT_END_DAYS} days ahead: what has no end needs none."
