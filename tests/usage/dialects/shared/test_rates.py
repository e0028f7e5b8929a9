"""Rate limits of keys."""

import logging

import pytest
import time_machine
from django.core.cache import cache
from redis.exceptions import ConnectionError as RedisDown

from billing.models import ApiKey
from tests import factories as make
from tests.usage.dialects.clients import ServiceClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def line():
    return make.line()


@pytest.fixture
def report(line):
    key = make.api_key(line.workspace)
    send = ServiceClient("/piriod", {"authorization": f"Token {key}", "x-simple-workspace": "acme"})
    usage = {"subscription_line": line.number, "date_time": "2026-07-16T10:15:30Z", "quantity": 7}
    return lambda: send("POST", "/usages/", usage)


def limit(number):
    ApiKey.objects.update(requests_per_minute=number)


def test_without_a_limit_nothing_is_counted(report):
    assert {report().status_code for _ in range(5)} == {201}


def test_beyond_its_limit_a_key_is_told_when_to_come_back(report):
    limit(2)

    assert [report().status_code for _ in range(3)] == [201, 201, 429]
    refused = report()
    # It is 14:00:00, so the minute has all its seconds left.
    assert refused.headers["Retry-After"] == "60"
    assert refused.json() == {"detail": "Too many requests. Try again in a moment."}


def test_the_next_minute_begins_anew(report):
    limit(1)
    report()

    with time_machine.travel("2026-07-20T14:00:59Z", tick=False):
        assert report().headers["Retry-After"] == "1"
    with time_machine.travel("2026-07-20T14:01:00Z", tick=False):
        assert report().status_code == 201


def test_each_key_has_its_own_count(line, report):
    limit(1)
    report()
    other = make.api_key(line.workspace)
    limit(1)
    send = ServiceClient("/piriod", {"authorization": f"Token {other}", "x-simple-workspace": "acme"})

    assert send("GET", "/usages/").status_code == 200
    assert report().status_code == 429


def test_the_setting_limits_keys_without_a_limit_of_their_own(report, settings):
    settings.REQUESTS_PER_MINUTE = 1

    assert [report().status_code for _ in range(2)] == [201, 429]
    limit(5)
    with time_machine.travel("2026-07-20T14:01:00Z", tick=False):
        assert [report().status_code for _ in range(2)] == [201, 201]


def test_without_its_cache_usage_is_still_taken(report, monkeypatch, caplog):
    limit(1)

    def fail(*_, **__):
        raise RedisDown("connection refused")

    monkeypatch.setattr(cache._connections[cache._alias], "add", fail)
    with caplog.at_level(logging.WARNING, "usage.dialects.shared.rates"):
        assert [report().status_code for _ in range(2)] == [201, 201]
    assert "connection refused" in caplog.text


@pytest.mark.redis
def test_in_redis_all_processes_share_the_count(report, settings, redis_url):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url}}
    limit(1)

    assert [report().status_code for _ in range(2)] == [201, 429]
