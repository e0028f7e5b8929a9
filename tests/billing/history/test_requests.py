"""The changes of a request are its sender's."""

from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import RequestFactory

from billing.history.actors import PROGRAM, Actor, current
from billing.history.requests import acts_for_its_sender
from billing.models import Change


def actor_of(**attributes: object) -> Actor:
    """Return who acts inside of a request with these attributes."""
    found: list[Actor] = []

    def view(request):
        found.append(current())
        return HttpResponse()

    request = RequestFactory().get("/")
    for name, value in attributes.items():
        setattr(request, name, value)
    acts_for_its_sender(view)(request)
    assert current() == PROGRAM
    return found[0]


def test_a_request_of_the_panel_is_of_the_person_who_is_logged_in():
    assert actor_of(user=User(pk=7, username="fiona")) == Actor(Change.Actor.PERSON, 7, "fiona")


def test_a_request_of_nobody_and_one_that_knows_no_people_are_the_programs():
    assert actor_of(user=AnonymousUser()) == PROGRAM
    assert actor_of() == PROGRAM


def test_a_person_is_looked_up_when_they_change_something_and_not_before():
    class Unasked:
        @property
        def is_authenticated(self):
            raise AssertionError("a request that changes nothing asked who sends it")

    request = RequestFactory().get("/")
    request.user = Unasked()

    assert acts_for_its_sender(lambda request: HttpResponse("read"))(request).status_code == 200
