"""The workspace that the panel shows a person."""

import pytest
from django.contrib.auth.models import User

from billing import people
from billing.models import ShownWorkspace
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fiona() -> int:
    return User.objects.create_user("fiona").pk


def test_without_a_workspace_none_is_shown(fiona):
    assert people.shown_to(user_id=fiona) is None


def test_the_first_live_workspace_is_shown_until_one_is_chosen(fiona):
    acme, initech = make.workspace(), make.workspace("initech")
    assert people.shown_to(user_id=fiona) == acme

    people.show(initech.twin, user_id=fiona)
    assert people.shown_to(user_id=fiona) == initech.twin

    people.show(acme, user_id=fiona)
    assert people.shown_to(user_id=fiona) == acme
    assert ShownWorkspace.objects.count() == 1


def test_each_person_has_a_choice_of_their_own(fiona):
    otto = User.objects.create_user("otto").pk
    acme, initech = make.workspace(), make.workspace("initech")

    people.show(initech, user_id=fiona)

    assert (people.shown_to(user_id=fiona), people.shown_to(user_id=otto)) == (initech, acme)
