"""Who the demo lets in."""

import pytest
from django.contrib.auth.models import Group, Permission, User

from tests.factories import moment
from usage import demo

pytestmark = pytest.mark.django_db

NOW = moment("2026-11-20 12:00")


def test_the_logins_that_are_told_let_in_and_cannot_be_guessed():
    demo.load(as_of=NOW)

    logins = {login["username"]: login["password"] for login in demo.facts()["logins"]}

    assert logins.keys() == {"admin", "finance"}
    # Hexadecimal digits of four bits each.
    assert {len(password) for password in logins.values()} == {32}
    assert all(User.objects.get(username=name).check_password(password) for name, password in logins.items())


def test_people_and_groups_that_are_there_are_left_alone():
    users = [User.objects.create_user(name, password="their own", is_active=name == "admin") for name in demo.ROLES]
    for name in ("Finance", "Finance (demo)"):
        Group.objects.create(name=name).permissions.add(Permission.objects.get(codename="view_invoice"))
    before = [
        (user.username, user.password, user.is_staff, user.is_superuser, user.is_active)
        for user in User.objects.order_by("pk")
    ]

    demo.load(as_of=NOW)

    assert before == [
        (user.username, user.password, user.is_staff, user.is_superuser, user.is_active)
        for user in User.objects.order_by("pk")
    ]
    assert not any(user.groups.exists() for user in users)
    assert {group.permissions.count() for group in Group.objects.all()} == {1}
    assert demo.facts()["logins"] == []
