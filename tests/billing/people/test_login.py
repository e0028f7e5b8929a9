"""Limits on password attempts, by account and by address."""

from contextlib import contextmanager

import pytest

from billing import people
from billing.models import LoginTally
from billing.people.turns import Turns
from tests.factories import moment

pytestmark = pytest.mark.django_db

NOON = moment("2026-11-20 12:00")
ONE = "198.51.100.1"


class Wrong(Exception):
    """The password was wrong."""


def attempt(*, right: bool = False, username: str = "fiona", address: str = ONE, at: str = "12:00", **options) -> str:
    """Try a password; return what came of it."""
    try:
        with people.attempt(username=username, address=address, as_of=moment(f"2026-11-20 {at}"), **options):
            if not right:
                raise Wrong
    except Wrong:
        return "wrong"
    except people.TooManyAttempts as refusal:
        return str(refusal)
    except people.Busy:
        return "busy"
    return "in"


@pytest.mark.bound("LOGIN_ATTEMPTS", "LOGIN_WINDOW_MINUTES")
def test_the_fifth_wrong_password_is_the_last_for_a_quarter_of_an_hour():
    assert [attempt(at=f"12:0{n}") for n in range(4)] == ["wrong"] * 4
    assert attempt(at="12:04") == "Too many attempts; try again in 11 minutes."
    assert attempt(at="12:14", right=True) == "Too many attempts; try again in 1 minute."
    assert attempt(at="12:15", right=True) == "in"


def test_what_is_refused_is_not_looked_at():
    for _ in range(5):
        attempt()

    looked = []
    with pytest.raises(people.TooManyAttempts), people.attempt(username="fiona", address=ONE, as_of=NOON):
        looked.append("at the password")

    assert looked == []


def test_the_right_password_begins_anew():
    for _ in range(3):
        assert [attempt() for _ in range(4)] == ["wrong"] * 4
        assert attempt(right=True) == "in"


def test_another_account_and_another_address_have_attempts_of_their_own():
    for _ in range(5):
        attempt()

    assert attempt(username="frank") == "wrong"
    assert attempt(address="198.51.100.2") == "wrong"
    assert attempt(address="198.51.100.3", right=True) == "in"


@pytest.mark.bound("LOGIN_ATTEMPTS_PER_ACCOUNT")
def test_guessing_from_many_addresses_leaves_each_one_attempt_and_the_person_gets_in(settings):
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = 10
    for n in range(2):
        for _ in range(5):
            attempt(address=f"203.0.113.{n}")

    assert attempt(address="203.0.113.7") == "Too many attempts; try again in 15 minutes."
    assert attempt(address="203.0.113.7", right=True) == "Too many attempts; try again in 15 minutes."
    # From an address of one's own, with the right password, however many others try.
    assert attempt(address=ONE, right=True) == "in"
    assert attempt(address=ONE, right=True) == "in"
    assert attempt(username="frank", address="203.0.113.7") == "wrong"


def test_a_known_browser_is_left_alone_by_what_others_do_from_its_own_address():
    mark = people.mark_for(username="fiona")
    for _ in range(60):
        attempt()

    assert attempt(right=True) != "in"
    assert attempt(right=True, mark=mark) == "in"


def test_a_known_browser_has_no_more_attempts_than_others():
    mark = people.mark_for(username="fiona")

    assert [attempt(mark=mark) for _ in range(4)] == ["wrong"] * 4
    assert attempt(mark=mark).startswith("Too many attempts")
    assert attempt(mark=mark, address="198.51.100.77", right=True).startswith("Too many attempts")


@pytest.mark.parametrize("mark", [people.mark_for(username="frank"), "", "x", "a:b:c"])
def test_a_mark_of_another_or_none_makes_no_browser_known(mark):
    for _ in range(5):
        attempt()

    assert attempt(right=True, mark=mark).startswith("Too many attempts")


def test_a_mark_goes_on_as_the_same_browser():
    first = people.mark_for(username="fiona")
    for _ in range(5):
        attempt(mark=first)

    assert attempt(right=True, mark=people.mark_for(username="fiona", former=first)).startswith("Too many attempts")


def test_no_name_that_was_typed_is_kept_and_what_is_over_goes():
    for n in range(30):
        attempt(username=f"typed-{n}", at="12:00")
    assert LoginTally.objects.count() == 60
    assert not LoginTally.objects.filter(name__contains="typed").exists()

    attempt(at="12:15")

    assert LoginTally.objects.count() == 2


def test_many_at_once_from_one_address_are_looked_at_one_after_the_other(monkeypatch):
    with people.attempt(username="fiona", address=ONE, as_of=NOON):
        assert attempt(username="frank") == "busy"
        assert attempt(username="frank", mark=people.mark_for(username="frank"), right=True) == "in"
    assert attempt(username="frank", right=True) == "in"


def test_a_busy_moment_does_not_count(monkeypatch):
    monkeypatch.setattr("billing.people.login._strangers", Turns(at_a_time=1, seconds=0))

    @contextmanager
    def somebody_else():
        with people.attempt(username="frank", address="203.0.113.1", as_of=NOON):
            yield

    with somebody_else():
        assert [attempt() for _ in range(9)] == ["busy"] * 9
    assert attempt() == "wrong"
