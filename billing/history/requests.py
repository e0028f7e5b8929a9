"""Who sends a request, for what it changes. The panel knows the person; an API names its key once it has found it."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from billing.history.actors import PROGRAM, Actor, acting, person

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def acts_for_its_sender(get_response: GetResponse) -> GetResponse:
    """Let what a request changes be its sender's doing."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        def who() -> Actor:
            return person(request.user) if hasattr(request, "user") else PROGRAM

        with acting(who):
            return get_response(request)

    return middleware
