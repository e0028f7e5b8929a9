"""Users and groups: nobody gives what they lack, whatever is posted, and people stay."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from tests import factories as make
from tests.billing.admin.staff import administrator, client_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]

MANAGES = (
    "auth.add_user",
    "auth.change_user",
    "auth.delete_user",
    "auth.view_user",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
    "billing.view_invoice",
)


def permission(codename):
    return Permission.objects.get(codename=codename)


def group(name, *codenames):
    made = Group.objects.create(name=name)
    made.permissions.set(map(permission, codenames))
    return made


def person(name, *codenames, **fields):
    user = User.objects.create_user(name, password="as it was made", is_staff=True, **fields)
    user.user_permissions.set(map(permission, codenames))
    return user


@pytest.fixture
def manager():
    """A client of somebody who manages people and may see invoices."""
    client = client_of(*MANAGES)
    client.user = User.objects.get()
    return client


def page(user, view="change"):
    return reverse(f"admin:auth_user_{view}", args=[user.pk])


def form(user, **changes):
    """Everything that the page of a user posts, and what is forged on it."""
    posted = {
        "username": user.username,
        "first_name": user.first_name,
        "email": user.email,
        "is_staff": "on",
        "is_active": "on",
        "groups": [one.pk for one in user.groups.all()],
        "user_permissions": [one.pk for one in user.user_permissions.all()],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        **changes,
    }
    return {name: value for name, value in posted.items() if value is not None}


def standing(user):
    """All of a user that matters here."""
    user = User.objects.get(pk=user.pk)
    return (
        user.username,
        user.email,
        user.password,
        user.is_active,
        user.is_staff,
        user.is_superuser,
        {one.codename for one in user.user_permissions.all()},
        {one.name for one in user.groups.all()},
    )


CHANGES = {
    "username": {"username": "other"},
    "e-mail": {"email": "other@example.com"},
    "activity": {"is_active": None},
    "staff": {"is_staff": None},
    "superuser": {"is_superuser": "on"},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("beyond", ["superuser", "inactive superuser", "by permission", "by group"])
def test_who_may_more_is_not_touched(manager, beyond, change):
    other = {
        "superuser": lambda: person("other-one", is_superuser=True),
        "inactive superuser": lambda: person("other-one", is_superuser=True, is_active=False),
        "by permission": lambda: person("other-one", "add_apikey"),
        "by group": lambda: person("other-one"),
    }[beyond]()
    if beyond == "by group":
        other.groups.add(group("Keys", "add_apikey"))
    before = standing(other)

    shown = manager.get(page(other))
    answered = manager.post(page(other), form(other, **CHANGES[change]))
    with_password = {"password1": "another long password", "password2": "another long password"}
    password = manager.post(page(other, "password_change"), with_password)

    assert shown.status_code == 200
    assert 'name="_save"' not in shown.content.decode()
    assert (answered.status_code, password.status_code) == (403, 403)
    assert standing(other) == before


@pytest.mark.parametrize("who", ["themselves", "another", "one without anything"])
@pytest.mark.parametrize(
    "forged", ["is_superuser", "a permission", "all permissions", "a group that may more", "a group of all"]
)
def test_nobody_gives_what_they_lack(manager, who, forged):
    keys, everything = group("Keys", "add_apikey"), group("All")
    everything.permissions.set(Permission.objects.all())
    user = {
        "themselves": lambda: manager.user,
        "another": lambda: person("another", "view_invoice"),
        "one without anything": lambda: person("nobody"),
    }[who]()
    before = standing(user)
    posted = {
        "is_superuser": {"is_superuser": "on"},
        "a permission": {"user_permissions": [permission("add_apikey").pk]},
        "all permissions": {"user_permissions": [one.pk for one in Permission.objects.all()]},
        "a group that may more": {"groups": [keys.pk]},
        "a group of all": {"groups": [everything.pk]},
    }[forged]

    answered = manager.post(page(user), form(user, **posted))

    assert standing(user) == before
    # What is not on their form at all is passed over; what is, is refused by name.
    assert answered.status_code == (302 if forged == "is_superuser" else 200)
    if forged != "is_superuser":
        assert set(answered.context["adminform"].form.errors) == set(posted)


def test_what_one_has_can_be_given_and_taken(manager):
    seers, user = group("Seers", "view_invoice"), person("another")

    posted = form(user, user_permissions=[permission("view_invoice").pk], groups=[seers.pk], email="new@example.com")
    assert manager.post(page(user), posted).status_code == 302
    assert standing(user)[-2:] == ({"view_invoice"}, {"Seers"})
    assert manager.post(page(user), form(user, user_permissions=[], groups=[])).status_code == 302
    assert standing(user)[-2:] == (set(), set())


def test_a_password_is_set_for_who_may_no_more(manager):
    user = person("another", "view_invoice")
    url = reverse("admin:auth_user_password_change", args=[user.pk])

    page_shown = manager.get(url)
    manager.post(
        url, {"usable_password": "true", "password1": "another long password", "password2": "another long password"}
    )

    assert page_shown.status_code == 200
    assert User.objects.get(pk=user.pk).check_password("another long password")


def test_a_new_user_may_nothing_whatever_is_posted(manager):
    posted = {
        "username": "newcomer",
        "usable_password": "true",
        "password1": "another long password",
        "password2": "another long password",
        "is_superuser": "on",
        "is_staff": "on",
        "user_permissions": [permission("add_apikey").pk],
    }

    assert manager.post(reverse("admin:auth_user_add"), posted).status_code == 302

    made = User.objects.get(username="newcomer")
    assert standing(made)[4:] == (False, False, set(), set())


@pytest.mark.parametrize("joined", [True, False])
def test_a_group_is_given_only_what_one_has(manager, joined):
    own = group("Own", "view_invoice")
    if joined:
        manager.user.groups.add(own)
    url = reverse("admin:auth_group_change", args=[own.pk])
    everything = [one.pk for one in Permission.objects.all()]

    refused = manager.post(url, {"name": "Own", "permissions": everything})
    renamed = manager.post(url, {"name": "Ours", "permissions": [permission("view_invoice").pk]})

    assert (refused.status_code, set(refused.context["adminform"].form.errors)) == (200, {"permissions"})
    assert renamed.status_code == 302
    assert [one.codename for one in Group.objects.get(name="Ours").permissions.all()] == ["view_invoice"]


def test_a_new_group_is_given_only_what_one_has(manager):
    url = reverse("admin:auth_group_add")

    refused = manager.post(url, {"name": "All", "permissions": [permission("add_apikey").pk]})

    assert (refused.status_code, Group.objects.count()) == (200, 0)


def test_a_group_that_may_more_is_neither_changed_nor_deleted(manager):
    keys = group("Keys", "add_apikey")

    changed = manager.post(reverse("admin:auth_group_change", args=[keys.pk]), {"name": "Other", "permissions": []})
    deleted = manager.post(reverse("admin:auth_group_delete", args=[keys.pk]), {"post": "yes"})

    assert (changed.status_code, deleted.status_code) == (403, 403)
    assert [one.codename for one in Group.objects.get(name="Keys").permissions.all()] == ["add_apikey"]


def test_superusers_change_everyone_and_make_others():
    root, other = administrator(), person("other", is_superuser=True)
    posted = form(other, is_superuser=None, user_permissions=[permission("add_apikey").pk])

    assert root.post(page(other), posted).status_code == 302
    assert standing(other)[5:7] == (False, {"add_apikey"})
    assert root.post(page(other), form(other, is_superuser="on")).status_code == 302
    assert standing(other)[5] is True


def test_people_are_deactivated_and_not_deleted():
    root, other = administrator(), person("other")

    assert root.post(page(other, "delete"), {"post": "yes"}).status_code == 403
    assert "Delete" not in root.get(page(other)).content.decode()
    root.post(page(other), form(other, is_active=None))

    assert standing(other)[3] is False


def test_who_is_deactivated_is_out_at_once():
    client = client_of("billing.view_invoice")
    User.objects.update(is_active=False)

    assert client.get(reverse("admin:index")).status_code == 302


def test_times_of_people_say_that_they_are_utc():
    otto = User.objects.create_user("otto", last_login=make.moment("2026-01-31 20:30"))
    client = administrator()

    listed = client.get(reverse("admin:auth_user_changelist")).content.decode()
    page = client.get(reverse("admin:auth_user_change", args=[otto.pk])).content.decode()

    assert "Last login (UTC)" in listed
    assert "31 Jan 2026, 20:30" in listed
    assert "Important dates (UTC)" in page
