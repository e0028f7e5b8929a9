"""Prices and their tiers in the panel."""

from decimal import Decimal

import pytest
from django.urls import reverse

from billing.models import Brick, Price
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, problems_of
from tests.scenarios.closing import close

pytestmark = pytest.mark.django_db


def tiers(*rows: tuple[str, str, str], existing: tuple[int, ...] = ()) -> dict[str, object]:
    data: dict[str, object] = {"tiers-TOTAL_FORMS": len(rows), "tiers-INITIAL_FORMS": len(existing)}
    for n, (up_to, unit_price, fee) in enumerate(rows):
        data |= {f"tiers-{n}-up_to": up_to, f"tiers-{n}-unit_price": unit_price, f"tiers-{n}-fee": fee}
        if n < len(existing):
            data[f"tiers-{n}-id"] = existing[n]
    return data


def bounds(price: Price) -> list[tuple[str, str]]:
    rows = price.terms().tiers
    return [(str(tier.up_to and tier.up_to.normalize()), f"{tier.unit_price.normalize():f}") for tier in rows]


def a_price(of: Brick, **fields: object) -> dict[str, object]:
    return {
        "name": "Standard",
        "brick": of.pk,
        "model": "graduated",
        "currency": "USD",
        "unit_price": "0",
        **fields,
    }


def test_price_is_added_with_its_tiers_in_the_bricks_workspace():
    brick = make.brick(make.workspace())

    response = administrator().post(
        reverse("admin:billing_price_add"), a_price(brick) | tiers(("", "1", "0"), ("10", "2.5", "0"))
    )

    price = Price.objects.get()
    assert response.status_code == 302
    assert (price.workspace, bounds(price)) == (brick.workspace, [("1E+1", "2.5"), ("None", "1")])
    assert set(price.tiers.values_list("workspace", flat=True)) == {brick.workspace_id}


@pytest.mark.parametrize(
    ("fields", "rows", "problem"),
    [
        ({}, [], "Tiers: at least one tier is required."),
        ({}, [("10", "1", "0")], "The last tier must be open, without a bound."),
        ({}, [("10", "2", "0"), ("10", "1", "0"), ("", "1", "0")], "Must be above 10."),
        ({}, [("", "2", "0"), ("", "1", "0")], "Only the last tier can be open."),
        ({"model": "per_unit"}, [("", "2", "0")], "Tiers: a per_unit price has no tiers."),
        ({"unit_price": "3"}, [("", "2", "0")], "The tiers have the prices: leave this at 0."),
        ({"currency": "XXX"}, [("", "2", "0")], "“XXX” is not a currency, such as USD."),
        ({}, [("", "-1", "0")], "Ensure this value is greater than or equal to 0."),
        ({}, [("", "0.1234567890123", "0")], "Ensure that there are no more than 12 decimal places."),
    ],
)
def test_incomplete_price_is_refused_naming_what_is_wrong_and_nothing_is_saved(fields, rows, problem):
    brick = make.brick(make.workspace())

    response = administrator().post(reverse("admin:billing_price_add"), a_price(brick, **fields) | tiers(*rows))

    assert response.status_code == 200
    assert problem in problems_of(response)
    assert not Price.objects.exists()


def test_brick_that_is_not_metered_needs_a_flat_price():
    brick = make.brick(make.workspace(), aggregation="none")
    data = a_price(brick, model="per_unit", unit_price="2") | tiers()

    response = administrator().post(reverse("admin:billing_price_add"), data)

    assert problems_of(response) == ["“API calls” is not metered: it requires a flat price."]


def test_two_tiers_change_their_bounds_at_once():
    brick = make.brick(make.workspace())
    price = make.price(brick, model="graduated", tiers=[("10", "3", "0"), ("20", "2", "0"), (None, "1", "0")])
    ids = tuple(tier.pk for tier in sorted(price.tiers.all(), key=lambda tier: tier.up_to or 99))
    rows = tiers(("20", "3", "0"), ("", "2", "0"), ("10", "1", "0"), existing=ids)

    administrator().post(reverse("admin:billing_price_change", args=[price.pk]), a_price(brick) | rows)

    assert bounds(Price.objects.get()) == [("1E+1", "1"), ("2E+1", "3"), ("None", "2")]


def test_billed_price_is_fixed_with_its_tiers_and_its_copy_is_not():
    line, client = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")]), administrator()
    make.use(line, "3", "2026-01-05")
    close(line.workspace, "2026-02-01")
    url = reverse("admin:billing_price_change", args=[line.price_id])

    assert client.post(url, a_price(line.brick) | tiers())["Location"] == url
    assert 'name="name"' not in client.get(url).content.decode()
    copied = client.post(reverse("admin:billing_price_copy", args=[line.price_id]), {"name": "New"})

    copy = Price.objects.get(name="New")
    assert copied.url == reverse("admin:billing_price_change", args=[copy.pk])
    assert bounds(copy) == bounds(line.price) == [("1E+1", "2"), ("None", "1")]
    assert client.post(copied.url, a_price(line.brick, name="Newer") | tiers(("", "5", "0"))).status_code == 302


def test_billed_price_is_shown_as_the_list_shows_prices():
    owner = make.workspace(number_format="comma")
    tiered = make.line(owner, model="graduated", tiers=[("1234567.5", "1234.5", "0"), (None, "0.0025", "9876.5")])
    make.use(tiered, "3", "2026-01-05")
    flat = make.counting_line(tiered.subscription.customer, make.brick(owner, "Calls"), "4321.5")
    make.use(flat, "1", "2026-01-05")
    close(owner, "2026-02-01")
    client = administrator()

    page, flat_page = (
        client.get(reverse("admin:billing_price_change", args=[line.price_id])).content.decode()
        for line in (tiered, flat)
    )

    for text in ("1.234.567,5", "1.234,50", "0,0025", "9.876,50", "0,00"):
        assert text in page
    assert "4.321,50" in flat_page
    assert "1234.5" not in page
    assert "4321.5" not in flat_page


def test_viewer_of_prices_can_not_copy():
    price = make.price(make.brick(make.workspace()))

    response = client_of("billing.view_price").post(reverse("admin:billing_price_copy", args=[price.pk]), {"name": "x"})

    assert response.status_code == 403
    assert Price.objects.count() == 1


def test_prices_of_long_decimals_show_as_they_are():
    price = make.price(make.brick(make.workspace()), "0.000000000001")
    page = administrator().get(reverse("admin:billing_price_change", args=[price.pk])).content.decode()

    assert 'value="0.000000000001"' in page
    assert Price.objects.get().unit_price == Decimal("0.000000000001")


def test_prices_are_listed_with_their_currencys_decimals_in_the_workspaces_format():
    owner = make.workspace(currency="KWD", number_format="comma")
    make.price(make.brick(owner), "1234.5")

    assert "1.234,500" in administrator().get(reverse("admin:billing_price_changelist")).content.decode()


@pytest.mark.parametrize("count", [101, 340])
def test_price_of_too_many_tiers_is_told_so_and_keeps_what_was_typed(count):
    brick = make.brick(make.workspace())
    rows = [(str(n + 1), f"{n + 1}.25", "0") for n in range(count - 1)]
    more = {f"tiers-{n}-{name}": "" for n in range(count) for name in ("id", "price", "seen")}

    response = administrator().post(
        reverse("admin:billing_price_add"), a_price(brick) | tiers(*rows, ("", "1", "0")) | more
    )

    assert f"A price has at most 100 tiers, not {count}." in problems_of(response)
    assert f'value="{count - 1}.25"' in response.content.decode()
    assert not Price.objects.exists()


def test_price_of_as_many_tiers_as_there_may_be_is_saved():
    brick = make.brick(make.workspace())
    rows = [(str(n + 1), "1", "0") for n in range(99)]

    administrator().post(reverse("admin:billing_price_add"), a_price(brick) | tiers(*rows, ("", "1", "0")))

    assert Price.objects.get().tiers.count() == 100
