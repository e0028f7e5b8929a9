"""Attribute the changes of a request to its sender: the person of the panel, or the key of an API once it is found."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from billing.history.actors import PROGRAM, Actor, acting, person

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def acts_for_its_sender(get_response: GetResponse) -> GetResponse:
    """Return middleware that attributes a request's changes to its sender."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        def who() -> Actor:
            return person(request.user) if hasattr(request, "user") else PROGRAM

        with acting(who):
            return get_response(request)

    return middleware
