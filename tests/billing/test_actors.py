"""Actors: a person, a key, a command or a schedule, by its present name."""

import pytest
from django.contrib.auth.models import User

from billing import actors
from billing.actors import Actor, ActorKind
from billing.models import ApiKey


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (User(pk=7, username="fiona", first_name="Fiona", last_name="Ledger"), "Fiona Ledger"),
        (User(pk=7, username="fiona"), "fiona"),
    ],
)
def test_a_person_is_called_by_their_full_name_or_else_by_their_login(user, name):
    assert actors.person(user) == Actor(kind=ActorKind.PERSON, id=7, name=name, via="panel", label=name)


def test_the_longest_names_fit_the_columns_that_keep_them():
    fiona = actors.person(User(username="f" * 150, first_name="F" * 150, last_name="L" * 150))
    hub = actors.api_key(ApiKey(name="n" * 100, prefix="p" * 16), via="salesbricks_v2")

    assert (len(fiona.name), len(fiona.label)) == (200, 150)
    assert len(hub.name) <= 200
    assert len(hub.label) <= 150


def test_a_key_is_called_by_its_name_and_what_is_known_of_its_text():
    hub = actors.api_key(ApiKey(pk=3, name="Hub", prefix="ark_live_0123"), via="sequence")

    assert hub == Actor(
        kind=ActorKind.KEY, id=3, name="Hub (ark_live_0123…)", via="sequence", label="key ark_live_0123… (Hub)"
    )


def test_a_command_and_a_schedule_are_called_by_their_names():
    assert (actors.command("close").name, actors.command("close").label) == ("close", "command line")
    assert (actors.schedule("close_due").name, actors.schedule("close_due").label) == ("close_due", "schedule")


def test_what_is_done_for_another_is_kept_under_their_label():
    worker = actors.schedule("work_on_close").on_behalf_of("Fiona Ledger")

    assert (worker.kind, worker.name, worker.label) == (ActorKind.SCHEDULE, "work_on_close", "Fiona Ledger")
