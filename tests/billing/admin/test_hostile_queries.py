"""No address makes a page of the panel fail: what it can't read, it refuses."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.models import Group
from django.urls import reverse

from billing.admin.lists import UNFILTERED
from billing.models import ApiKey, Brick, Customer
from tests import factories as make
from tests.billing.admin.staff import administrator, shown_status
from tests.scenarios.closing import close_and_issue

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
NUMBERS = ["99999999", "9" * 30, "9" * 5000, "-1"]
HOSTILE = ["a\x00b", *NUMBERS, "", "x", "2026-13-45"]
NAMES = ["q", "o", "p", "_popup", "_to_field", "_changelist_filters", "pk"]
LOOKUPS = ["", "__year", "__in", "__isnull", "__regex"]


def offered(model: Any) -> list[str]:
    names: list[str] = []
    filters: Any = admin.site._registry[model].list_filter
    for one in filters:
        if isinstance(one, type) and issubclass(one, SimpleListFilter):
            names.append(str(one.parameter_name))
        else:
            path = one if isinstance(one, str) else one[0]
            names += [f"{path}{end}" for end in ("__exact", "__isnull", "__id__exact")]
    return names


@pytest.fixture
def _rows():
    line = make.line()
    make.use(line, "3", "2026-01-05")
    make.api_key(line.workspace)
    for name in ("Finance", "Support"):
        Group.objects.create(name=name)
    close_and_issue(line.workspace, "2026-02-01")


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.model_name)
def test_no_list_fails_whatever_its_address_says(model):
    client = administrator()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    queries = [{name: value} for name in NAMES for value in HOSTILE]
    queries += [{name: value} for name in offered(model) for value in HOSTILE if len(value) < 1000]
    columns = [field.name for field in model._meta.concrete_fields]
    queries += [{f"{column}{end}": value} for column in columns for end in LOOKUPS for value in ["99999999"]]
    queries += [{f"{column}\x00": "1"} for column in columns[:1]]

    failed = [query for query in queries if shown_status(client, url, query) >= 500]

    assert failed == []
    assert shown_status(client, url, {}) == 200


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.model_name)
def test_a_value_that_no_filter_offers_shows_nothing_or_is_told(model):
    client = administrator()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    names = [name for name in offered(model) if not name.endswith("__isnull")]

    shown = {name: client.get(url, {name: "elsewhere"}, follow=True) for name in names}

    for name, page in shown.items():
        if page.status_code != 400:
            told = [str(message) for message in page.context["messages"]]
            assert told == [UNFILTERED] or not list(page.context["cl"].result_list), name


@pytest.mark.parametrize("model", [Customer, Brick])
def test_no_pick_list_fails_whatever_its_address_says(model):
    client, owner = administrator(), make.workspace()
    make.customer(owner)
    make.brick(owner)
    url = reverse(f"admin:billing_{model.__name__.lower()}_pick")

    for name in ("page", "term", "model__exact"):
        for value in [*HOSTILE, "0"]:
            assert shown_status(client, url, {name: value}) == 200, (name, value)
    assert len(client.get(url, {"page": "0"}).json()["results"]) == 1
    assert client.get(url, {"term": "\x00"}).json()["results"] == []


@pytest.mark.parametrize("value", HOSTILE)
def test_no_other_page_fails_whatever_its_address_says(value):
    line, client = make.line(), administrator()
    pages = [
        (reverse("admin:usage_usagerecord_add"), "customer"),
        (reverse("admin:billing_subscription_add"), "customer"),
        (reverse("admin:billing_price_add"), "brick"),
        (reverse("graphql_client"), "line"),
        (reverse("admin:billing_price_change", args=[line.price_id]), "_to_field"),
        (reverse("admin:billing_price_change", args=[line.price_id]), "tiers-page"),
    ]
    for url, name in pages:
        assert shown_status(client, url, {name: value}) < 500, (url, name)
    search = {"app_label": "billing", "model_name": "price", "field_name": "brick"}
    for name in (*search, "term", "page"):
        assert shown_status(client, reverse("admin:autocomplete"), search | {name: value}) < 500, name


@pytest.mark.parametrize("pk", ["9" * 30, "%00", "x", "-1", "9" * 5000, "_5F"])
def test_no_row_that_there_is_not_makes_a_page_fail(pk):
    client = administrator()
    for model in REGISTERED:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        for view in ("change", "history", "delete", "correct", "retract", "end", "revoke", "issue-all", "copy"):
            assert shown_status(client, f"/admin/{name}/{pk}/{view}/", {}) < 500, (name, view)


def test_filters_that_lists_offer_still_filter():
    owner, client = make.workspace(), administrator()
    url = reverse("admin:billing_brick_changelist")
    make.brick(owner)
    make.brick(owner, "Seats", aggregation="unit_days")

    rows = client.get(url, {"aggregation__exact": "sum"}).context["cl"].result_list

    assert [row.name for row in rows] == ["API calls"]
    assert ApiKey.objects.count() == 0
