"""Whose change it is: set where a request or a job begins, and asked for only when something is changed."""

import pytest
from django.contrib.auth.models import AnonymousUser, User

from billing.history.actors import PROGRAM, Actor, act_as, acting, current, key, person
from billing.models import ApiKey, Change

FIONA = Actor(Change.Actor.PERSON, 7, "Fiona Ledger")
HUB = Actor(Change.Actor.KEY, 3, "Hub (ark_live_0123…)")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (User(pk=7, username="fiona", first_name="Fiona", last_name="Ledger"), "Fiona Ledger"),
        (User(pk=7, username="fiona"), "fiona"),
    ],
)
def test_a_person_is_called_by_their_full_name_or_else_by_their_login(user, name):
    assert person(user) == Actor(Change.Actor.PERSON, 7, name)


def test_where_nobody_is_logged_in_the_program_acts():
    assert person(AnonymousUser()) == PROGRAM == Actor(Change.Actor.PROGRAM, None, "")


def test_a_key_is_called_by_its_name_and_what_is_known_of_its_text():
    assert key(ApiKey(pk=3, name="Hub", prefix="ark_live_0123")) == HUB


def test_who_acts_is_known_inside_and_forgotten_outside():
    assert current() == PROGRAM
    with acting(lambda: FIONA):
        assert current() == FIONA
        with acting(lambda: HUB):
            assert current() == HUB
        assert current() == FIONA
    assert current() == PROGRAM


def test_who_acts_is_forgotten_after_an_error():
    with pytest.raises(ZeroDivisionError), acting(lambda: FIONA):
        raise ZeroDivisionError

    assert current() == PROGRAM


def test_a_request_learns_later_who_sends_it():
    with acting(lambda: PROGRAM):
        act_as(lambda: HUB)
        assert current() == HUB

    assert current() == PROGRAM


def test_nobody_is_asked_for_before_something_changes():
    asked = []

    def who() -> Actor:
        asked.append(1)
        return FIONA

    with acting(who):
        assert asked == []
        assert (current(), asked) == (FIONA, [1])
