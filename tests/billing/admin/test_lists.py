"""No list asks the database once per row, and each shows to whoever may view it."""

import re
from collections.abc import Callable
from datetime import date

import pytest
from django.db import connection
from django.urls import reverse

from billing import contracts
from billing.admin.customers import CustomerAdmin
from billing.admin.prices import PriceAdmin
from billing.models import Brick, Price, Subscription, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, queries_of, turn_to
from tests.failures import slowly
from tests.scenarios.closing import close, close_and_issue
from tests.work import work_of

pytestmark = pytest.mark.django_db


def a_line(owner: Workspace) -> None:
    brick = make.brick(owner, f"Brick {Brick.objects.count()}")
    of = make.subscription(make.customer(owner, f"Customer {Subscription.objects.count()}"))
    price = make.price(brick, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    line = contracts.add_line(subscription=of, brick=brick, price=price, actor=make.ACTOR)
    record = make.use(line, "3", "2026-01-05")
    make.fix(record, "4")


def a_closed_line(owner: Workspace) -> None:
    a_line(owner)
    close(owner, "2026-02-01")


def an_issued_line(owner: Workspace) -> None:
    a_line(owner)
    close_and_issue(owner, "2026-02-01")


def a_key(owner: Workspace) -> None:
    make.api_key(owner)


def a_workspace(owner: Workspace) -> None:
    make.workspace(f"more{Workspace.objects.count()}")


LISTS: dict[str, Callable[[Workspace], None]] = {
    "billing_customer": a_line,
    "billing_brick": a_line,
    "billing_price": a_line,
    "billing_subscription": a_line,
    "billing_invoice": an_issued_line,
    "billing_closerun": a_closed_line,
    "billing_apikey": a_key,
    "billing_workspace": a_workspace,
    "usage_usagerecord": a_line,
}


@pytest.mark.parametrize("model", LISTS)
def test_list_takes_as_many_queries_for_three_rows_as_for_one(model):
    owner, client, url = make.workspace(), administrator(), reverse(f"admin:{model}_changelist")
    LISTS[model](owner)
    one = queries_of(client, url)
    LISTS[model](owner)
    LISTS[model](owner)

    # Of the workspaces' own list, the filter's choices are rows of no query either.
    assert queries_of(client, url) == one


@pytest.mark.parametrize("model", LISTS)
def test_list_shows_to_viewers_only(model):
    owner, url = make.workspace(), reverse(f"admin:{model}_changelist")
    LISTS[model](owner)
    app, _, name = model.partition("_")

    assert client_of(f"{app}.view_{name}").get(url).status_code == 200
    assert client_of().get(url).status_code == 403


@pytest.mark.parametrize("model", [model for model in LISTS if model != "billing_workspace"])
def test_list_is_of_the_workspace_that_is_shown_and_is_searched(model):
    owner, other, client = make.workspace(), make.workspace("other"), administrator()
    LISTS[model](owner)
    url = reverse(f"admin:{model}_changelist")

    def rows(query: str) -> int:
        return len(client.get(f"{url}?{query}").context["cl"].result_list)

    assert rows("") > 0
    assert rows("q=there-is-no-such-thing") == (rows("") if model == "billing_closerun" else 0)
    turn_to(client, other)
    assert rows("") == 0


def with_subscriptions(owner: Workspace, name: str, count: int) -> None:
    of = make.customer(owner, name)
    for _ in range(count):
        make.subscription(of)


def with_tiers(owner: Workspace, name: str, count: int) -> None:
    tiers = [*((str(n), "1", "0") for n in range(1, count)), (None, "1", "0")]
    make.price(make.brick(owner, name), model="graduated", tiers=tiers)


@pytest.mark.once
@pytest.mark.parametrize(
    ("admin_class", "add", "list_of"),
    [
        (CustomerAdmin, with_subscriptions, "admin:billing_customer_changelist"),
        (PriceAdmin, with_tiers, "admin:billing_price_changelist"),
    ],
)
def test_list_counts_for_the_rows_that_it_shows_alone(monkeypatch, admin_class, add, list_of):
    monkeypatch.setattr(admin_class, "list_per_page", 2)
    owner, client, url = make.workspace(), administrator(), f"{reverse(list_of)}?o=0"
    for name, count in (("a", 2), ("b", 1), ("c", 1)):
        add(owner, name, count)
    client.get(url)

    few = work_of(lambda: client.get(url))
    add(owner, "d", 90)

    assert work_of(lambda: client.get(url)) < few + 1_000
    counts = re.findall(r"field-(?:subscription|tier)_count[^>]*>\s*(\d+)\s*<", client.get(url).content.decode())
    assert counts == ["2", "1"]


@pytest.mark.parametrize("days", [1, 3])
def test_customer_page_takes_as_many_queries_for_three_subscriptions_as_for_one(days):
    customer, client = make.customer(make.workspace()), administrator()
    for day in range(1, days + 1):
        make.subscription(customer, starts_on=date(2026, 1, day))
    url = reverse("admin:billing_customer_change", args=[customer.pk])

    assert queries_of(client, url) == queries_of(client, url)
    assert client.get(url).content.decode().count("data-copy=") == days + 1


def test_no_page_deletes_what_others_refer_to():
    owner, client = make.workspace(), administrator()
    a_line(owner)
    for model in (Workspace, Brick, Price, Subscription):
        row = model.objects.first()
        url = reverse(f"admin:billing_{model._meta.model_name}_delete", args=[row.pk])
        assert client.post(url, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", LISTS)
@pytest.mark.bound("LIST_OFFSET")
def test_a_page_that_lies_too_far_leads_to_the_first(model, settings):
    settings.LIST_OFFSET = 100
    client, url = administrator(), reverse(f"admin:{model}_changelist")

    # Fifty rows a page: the third begins behind a hundred.
    within = client.get(f"{url}?q=x&p=3", follow=True)
    beyond = client.get(f"{url}?q=x&p=4", follow=True)
    absurd = client.get(f"{url}?p={'9' * 5000}", follow=True)

    told = "A list shows at most 100 rows. Narrow it by a filter."
    assert told not in within.content.decode()
    assert beyond.redirect_chain == [(f"{url}?q=x", 302)]
    assert told in beyond.content.decode()
    assert told in absurd.content.decode()


@pytest.mark.bound("LIST_STATEMENT_SECONDS")
@pytest.mark.postgres
def test_a_list_that_takes_too_long_says_so(settings):
    settings.LIST_STATEMENT_SECONDS = 1
    make.workspace()
    client = administrator()
    client.raise_request_exception = False

    with connection.execute_wrapper(slowly):
        page = client.get(reverse("admin:usage_usagerecord_changelist"))

    assert page.status_code == 503
    assert "The database stopped this because it took too long" in page.content.decode()
