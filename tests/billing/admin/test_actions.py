"""Actions of the panel: what each must say of itself, and what an admin makes of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.admin.actions import Action, RowAction
from billing.models import Price
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def subclasses(of: type[Any]) -> Iterator[type[Any]]:
    for below in of.__subclasses__():
        yield below
        yield from subclasses(below)


BUTTONS = [one for one in subclasses(RowAction) if hasattr(one, "name")]


def test_every_button_needs_a_permission_that_there_is():
    rights = {
        f"{one.content_type.app_label}.{one.codename}" for one in Permission.objects.select_related("content_type")
    }

    assert len(BUTTONS) >= 9
    assert {one.right for one in BUTTONS} <= rights


def test_every_button_is_on_the_page_of_one_kind_of_row():
    names = [name for panel in admin.site._registry.values() for name in getattr(panel, "actions_detail", ())]

    assert sorted(one.name for one in BUTTONS) == sorted(set(names) - {"download"})


def test_every_action_says_all_of_itself_in_one_class():
    done = [one for one in subclasses(Action) if one.perform is not Action.perform]

    assert len(done) >= 15
    assert [one.__name__ for one in done if not hasattr(one, "submit") or one.title is Action.title] == []
    # What is done stands in the class, by the words and the form that it is done with.
    assert [one.__name__ for one in done if "perform" not in vars(one)] == []


def test_a_row_that_is_gone_is_no_page_for_whoever_has_the_right_and_refused_to_others():
    line = make.line()
    url = reverse("admin:billing_price_copy", args=[line.price_id])
    Price.objects.filter(pk=make.price(line.brick).pk).delete()
    gone = reverse("admin:billing_price_copy", args=[line.price_id + 1])

    assert administrator().get(gone).status_code == 404
    assert client_of("billing.view_price").get(url).status_code == 403
    assert client_of("billing.view_price").get(gone).status_code == 403
