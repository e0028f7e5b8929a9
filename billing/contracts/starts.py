"""Detect starts and ends in a mistyped year, which would make thousands of periods due, or none for decades."""

from datetime import UTC, date, datetime, time, timedelta

from django.conf import settings


def distant(start: date | datetime, *, as_of: datetime) -> str | None:
    """Return the warning about a start more than ``DISTANT_START_DAYS`` away; None if it is nearer.

    A day is assumed to begin in UTC: a difference of some hours does not matter.
    """
    moment = start if isinstance(start, datetime) else datetime.combine(start, time(), tzinfo=UTC)
    if abs(moment - as_of) <= timedelta(days=settings.DISTANT_START_DAYS):
        return None
    return f"This is more than {settings.DISTANT_START_DAYS} days {'ahead' if moment > as_of else 'back'}."


def distant_end(last_day: date, *, as_of: datetime) -> str | None:
    """Return the warning about a last day more than ``DISTANT_END_DAYS`` ahead; None if it is nearer."""
    if (last_day - as_of.date()).days <= settings.DISTANT_END_DAYS:
        return None
    return f"This is more than {settings.DISTANT_END_DAYS} days ahead. Leave the last day empty if there is no end."
