import pytest
from django.contrib.auth.models import Group, Permission, User

from billing.people import grants

pytestmark = pytest.mark.django_db


def permission(codename):
    return Permission.objects.get(codename=codename)


def person(name, *codenames, **fields):
    user = User.objects.create_user(name, **fields)
    user.user_permissions.set(map(permission, codenames))
    return user


def group(name, *codenames):
    made = Group.objects.create(name=name)
    made.permissions.set(map(permission, codenames))
    return made


def test_what_a_person_may_is_their_own_and_their_groups_also_while_inactive():
    fiona = person("fiona", "view_invoice", is_active=False)
    fiona.groups.add(group("Keys", "add_apikey"))

    assert grants.permissions_of(fiona) == {permission("view_invoice").pk, permission("add_apikey").pk}


def test_a_person_is_changed_by_who_may_all_that_they_may():
    less, same, more = person("less"), person("same", "view_invoice"), person("more", "view_invoice", "add_apikey")
    root = person("root", is_superuser=True)
    retired = person("retired", is_superuser=True, is_active=False)
    by = person("by", "view_invoice")

    assert [grants.may_change_person(by=by, person=who) for who in (less, same, by)] == [True] * 3
    assert [grants.may_change_person(by=by, person=who) for who in (more, root, retired)] == [False] * 3
    assert grants.may_change_person(by=root, person=retired)


def test_a_group_that_may_more_is_neither_changed_nor_joined():
    less, more = group("Less", "view_invoice"), group("More", "view_invoice", "add_apikey")
    by = person("by", "view_invoice")

    assert [grants.may_change_group(by=by, group=of) for of in (less, more)] == [True, False]
    assert list(grants.groups_to_give(by=by)) == [less]
    assert [one.codename for one in grants.permissions_to_give(by=by)] == ["view_invoice"]


def test_keys_are_made_by_those_who_may_do_what_a_key_may():
    work = ["customer", "brick", "price", "subscription", "line", "closerun", "invoice", "usagerecord"]
    rights = [one.codename for one in Permission.objects.filter(content_type__model__in=work)] + ["add_apikey"]
    assert grants.may_make_keys(by=person("fiona", *rights))

    for lacked in ("add_apikey", "add_usagerecord", "change_closerun", "add_price", "view_invoice"):
        otto = person(f"without {lacked}", *(one for one in rights if one != lacked))
        assert not grants.may_make_keys(by=otto), lacked
