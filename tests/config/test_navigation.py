"""The sidebar leads to pages that there are, and shows those that a person may see."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.contrib import admin
from django.urls import resolve

from config.navigation import NAVIGATION, allows

pytestmark = pytest.mark.once

ITEMS = [item for group in cast("list[dict[str, Any]]", NAVIGATION) for item in group["items"]]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["title"])
def test_each_item_leads_to_a_page(item):
    assert resolve(str(item["link"]))


def test_each_page_of_rows_is_in_the_sidebar():
    linked = {resolve(str(item["link"])).view_name for item in ITEMS}

    pages = {f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}
    assert pages - linked == set()


def test_an_item_is_shown_to_whoever_may_see_its_rows():
    def has_perm(permission: str) -> bool:
        return permission == "billing.view_brick"

    request = SimpleNamespace(user=SimpleNamespace(has_perm=has_perm))

    shown = [item["title"] for item in ITEMS if "permission" in item and item["permission"](request)]
    assert shown == ["Bricks"]
    assert allows("billing.view_brick")(request)


def test_pages_without_rows_are_for_everybody():
    assert [item["title"] for item in ITEMS if "permission" not in item] == ["Home", "GraphQL client", "API pages"]
