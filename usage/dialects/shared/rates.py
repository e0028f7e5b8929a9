"""Limit the requests of a key per minute, counted in the cache that all web processes share."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework import exceptions, status

from billing.models import ApiKey

logger = logging.getLogger(__name__)

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """The use of a key in the current minute. ``retry_after`` is in seconds."""

    limit: int
    remaining: int
    resets_at: datetime
    retry_after: int


class TooManyRequests(exceptions.APIException):
    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = "Too many requests. Try again in a moment."


def count(*, key: ApiKey, as_of: datetime) -> tuple[Rate | None, bool]:
    """Count a request of a key; return the key's rate and whether the request is allowed.

    Without a limit nothing is counted and the rate is None. While the cache is unreachable all requests are allowed, so
    that no usage is lost.
    """
    limit = key.requests_per_minute or settings.REQUESTS_PER_MINUTE
    if not limit:
        return None, True
    minute, second = divmod(int(as_of.timestamp()), SECONDS)
    name = f"requests:{key.pk}:{minute}"
    try:
        cache.add(name, 0, timeout=2 * SECONDS)
        used = cache.incr(name)
    except (RedisError, OSError, ValueError) as error:
        logger.warning("Requests are not counted: %s", error)
        return None, True
    rate = Rate(
        limit=limit,
        remaining=max(limit - used, 0),
        resets_at=datetime.fromtimestamp((minute + 1) * SECONDS, UTC),
        retry_after=SECONDS - second,
    )
    return rate, used <= limit
