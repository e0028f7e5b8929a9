"""Concurrent passwords, as many web processes receive them: no more are checked than the limit allows."""

from contextlib import nullcontext

import pytest

from billing import people
from billing.models import LoginTally
from tests.concurrency.threads import at_once
from tests.factories import moment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

NOON = moment("2026-11-20 12:00")


class OfOtherProcesses:
    """Turns of processes that do not know of each other."""

    def take(self, name):
        return nullcontext()


@pytest.fixture(autouse=True)
def _many_processes(monkeypatch):
    monkeypatch.setattr("billing.people.login._strangers", OfOtherProcesses())


def guess(address, looked_at, *, as_of=NOON):
    try:
        with people.attempt(username="fiona", address=address, as_of=as_of):
            looked_at.append(address)
            raise ValueError("a wrong password")
    except (ValueError, people.TooManyAttempts):
        return


def test_one_address_gets_its_five_looked_at_however_many_it_sends_at_once():
    looked_at = []

    at_once([lambda: guess("198.51.100.1", looked_at)] * 16)

    assert len(looked_at) == 5


def test_beyond_the_bound_of_the_account_each_address_gets_one(settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = 5
    for _ in range(5):
        guess("198.51.100.1", [])
    looked_at = []
    addresses = [f"203.0.113.{n}" for n in range(5)]

    at_once([lambda address=address: guess(address, looked_at) for address in addresses * 3])

    assert sorted(looked_at) == addresses


def test_what_is_over_is_swept_by_many_at_once():
    for n in range(20):
        guess(f"198.51.100.{n}", [], as_of=moment("2026-11-20 11:00"))

    at_once([lambda n=n: guess(f"203.0.113.{n}", []) for n in range(12)])

    # One for each of the twelve addresses, and the account's.
    assert LoginTally.objects.count() == 13
