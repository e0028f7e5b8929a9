"""Typed values are read in the workspace's formats, echoed before they are saved, and confirmed if they are unusual."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import Line, Price, Subscription, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of, post_and_confirm, problems_of
from tests.billing.admin.test_prices import a_price, tiers
from tests.billing.admin.test_subscriptions import agreed
from tests.billing.admin.test_workspaces import WORKSPACE

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ADD_PRICE = "admin:billing_price_add"
ADD_SUBSCRIPTION = "admin:billing_subscription_add"
ECHO = {"headers": {"X-Panel-Echo": "1"}}
COMMA = {"number_format": "comma", "day_format": "dd.mm.yyyy"}


def in_days(days: int) -> str:
    return (timezone.now() + timedelta(days=days)).date().isoformat()


def flat(brick, unit_price: str) -> dict[str, object]:
    return a_price(brick, model="per_unit", unit_price=unit_price) | tiers()


@pytest.mark.parametrize(
    ("style", "typed", "price"),
    [
        ("point", "9.90", "9.9"),
        ("comma", "9,90", "9.9"),
        ("comma", "1.234,5", "1234.5"),
        ("space", "1 234,5", "1234.5"),
    ],
)
def test_price_is_read_by_the_workspaces_format(style, typed, price):
    brick = make.brick(make.workspace(number_format=style))

    administrator().post(reverse(ADD_PRICE), flat(brick, typed))

    assert Price.objects.get().unit_price == Decimal(price)


@pytest.mark.parametrize(
    ("style", "typed", "readings"),
    [("point", "9,90", "9.9 or 990"), ("point", "1.234,5", "1,234.5 or 1.2345"), ("comma", "12.5", "12,5 or 125")],
)
def test_price_that_only_another_format_reads_is_refused_with_both_readings(style, typed, readings):
    brick = make.brick(make.workspace(number_format=style))

    response = administrator().post(reverse(ADD_PRICE), flat(brick, typed))

    assert f"It could mean {readings}: write one of these." in problems_of(response)[0]
    assert f'value="{typed}"' in response.content.decode()
    assert not Price.objects.exists()


def test_tiers_are_read_and_shown_by_the_format_of_the_bricks_workspace():
    brick, client = make.brick(make.workspace(**COMMA)), administrator()

    client.post(reverse(ADD_PRICE), a_price(brick) | tiers(("1.000", "0,05", "0"), ("", "0,0125", "1.234,5")))
    price = Price.objects.get()
    page = client.get(reverse("admin:billing_price_change", args=[price.pk])).content.decode()
    refused = client.post(reverse(ADD_PRICE), a_price(brick) | tiers(("1000.5", "0,05", "0"), ("", "1", "0")))

    first, last = price.terms().tiers
    assert (first.up_to, first.unit_price) == (1000, Decimal("0.05"))
    assert (last.unit_price, last.fee) == (Decimal("0.0125"), Decimal("1234.5"))
    assert 'value="1.000"' in page
    assert 'value="1.234,5"' in page
    assert "It could mean 1.000,5 or 10.005" in problems_of(refused)[0]
    assert Price.objects.count() == 1


def test_price_without_a_brick_is_read_by_the_format_of_the_workspace_that_is_shown():
    make.workspace(**COMMA)

    response = administrator().post(
        reverse(ADD_PRICE), {"name": "x", "currency": "USD", "model": "per_unit", "unit_price": "9,90"} | tiers()
    )

    assert problems_of(response) == ["This field is required."]


def test_limits_are_read_and_shown_by_the_format():
    line, client = make.line(make.workspace(**COMMA)), administrator()
    url = reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk])
    empty = dict.fromkeys(("hard_limit_amount", "soft_limit_quantity", "soft_limit_amount"), "")

    client.post(url, empty | {"hard_limit_quantity": "1.250"})
    refused = client.post(url, empty | {"hard_limit_quantity": "1,250.5"})

    assert Line.objects.get().hard_limit_quantity == 1250
    assert 'value="1.250"' in client.get(url).content.decode()
    assert "It could mean 1.250,5 or 1,2505" in errors_of(refused)["hard_limit_quantity"][0]


def test_whole_numbers_are_read_by_the_format_too():
    make.api_key(make.workspace(number_format="comma"))
    key, client = Workspace.objects.get(mode="live").api_keys.get(), administrator()
    url = reverse("admin:billing_apikey_change", args=[key.pk])

    client.post(url, {"name": "a service", "requests_per_minute": "1.200"})
    key.refresh_from_db()
    refused = client.post(url, {"name": "a service", "requests_per_minute": "1,5"})
    echo = client.post(url, {"name": "a service", "requests_per_minute": "1.200"}, **ECHO).json()

    assert key.requests_per_minute == 1200
    assert echo["requests_per_minute"] == {"is_read": True, "text": "1.200: a whole number"}
    assert "no more than 0 decimal places" in problems_of(refused)[0]


def test_workspace_has_its_formats_and_its_twin_has_them_too():
    client = administrator()

    client.post(reverse("admin:billing_workspace_add"), WORKSPACE | COMMA | {"closing_delay_hours": "1"})

    assert set(Workspace.objects.values_list("number_format", "day_format")) == {("comma", "dd.mm.yyyy")}


def test_no_input_of_the_panel_lets_the_browser_make_another_number_or_day():
    line = make.line()
    make.api_key(line.workspace)
    subscription = line.subscription_id
    client = administrator()

    for name, *args in [
        ("billing_price_add",),
        ("billing_price_change", line.price_id),
        ("billing_subscription_add",),
        ("billing_subscription_add_line", subscription),
        ("billing_subscription_end", subscription),
        ("billing_line_end", subscription, line.pk),
        ("billing_line_limits", subscription, line.pk),
        ("billing_closerun_add",),
        ("billing_workspace_add",),
        ("billing_workspace_change", line.workspace_id),
        ("billing_apikey_change", line.workspace.api_keys.get().pk),
    ]:
        html = client.get(reverse(f"admin:{name}", args=args)).content.decode()
        for kind in ("number", "date", "time", "datetime-local"):
            assert f'type="{kind}"' not in html, name


@pytest.mark.parametrize(
    ("style", "typed", "day"),
    [
        ("iso", in_days(-20), None),
        ("dd.mm.yyyy", "20.11.2026", "2026-11-20"),
        ("mm/dd/yyyy", "11/20/2026", "2026-11-20"),
    ],
)
def test_day_is_read_as_iso_or_by_the_workspaces_format(time_machine, style, typed, day):
    time_machine.move_to("2026-11-26T12:00Z")
    customer = make.customer(make.workspace(time_zone="Europe/Berlin", day_format=style))
    typed = typed if day else "2026-11-06"

    administrator().post(reverse(ADD_SUBSCRIPTION), agreed(customer=customer.pk, starts_on=typed))

    assert Subscription.objects.get().starts_at == make.moment(day or "2026-11-06", tz="Europe/Berlin")


def test_day_that_could_be_another_is_refused_with_both():
    customer = make.customer(make.workspace(time_zone="Europe/Berlin"))

    response = administrator().post(reverse(ADD_SUBSCRIPTION), agreed(customer=customer.pk, starts_on="10/11/2026"))

    (told,) = errors_of(response)["starts_on"]
    assert "It could mean Tue 10 Nov 2026 or Sun 11 Oct 2026: write the day as YYYY-MM-DD." in told
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    "starts_on", ["0026-11-01", "1026-11-01", "1926-11-01", "2062-11-01", in_days(-368), in_days(368)]
)
def test_start_that_few_mean_is_asked_for_once_more(starts_on):
    customer, client = make.customer(make.workspace()), administrator()
    data = agreed(customer=customer.pk, starts_on=starts_on)

    asked = client.post(reverse(ADD_SUBSCRIPTION), data)
    assert "more than 366 days" in errors_of(asked)["starts_on"][0]
    assert not Subscription.objects.exists()

    post_and_confirm(client, reverse(ADD_SUBSCRIPTION), data)
    assert Subscription.objects.count() == 1


@pytest.mark.bound("DISTANT_END_DAYS")
@pytest.mark.parametrize(("ends_on", "is_asked"), [(in_days(3652), False), (in_days(3655), True), ("2962-12-31", True)])
@pytest.mark.parametrize("page", ["contract", "line", "end of contract", "end of line"])
def test_end_that_few_mean_is_asked_for_once_more(page, ends_on, is_asked):
    line, client = make.line(), administrator()
    of = line.subscription
    other = make.brick(of.workspace, "Seats")
    url, data = {
        "contract": (reverse(ADD_SUBSCRIPTION), agreed(customer=of.customer_id, starts_on=in_days(0))),
        "line": (
            reverse("admin:billing_subscription_add_line", args=[of.pk]),
            {"brick": other.pk, "price": make.price(other).pk, "starts_on": in_days(0)},
        ),
        "end of contract": (reverse("admin:billing_subscription_end", args=[of.pk]), {}),
        "end of line": (reverse("admin:billing_line_end", args=[of.pk, line.pk]), {}),
    }[page]

    answer = client.post(url, data | {"ends_on": ends_on})

    assert (answer.status_code == 200) is is_asked
    if is_asked:
        assert "more than 3653 days ahead" in errors_of(answer)["ends_on"][0]
        assert post_and_confirm(client, url, data | {"ends_on": ends_on}).status_code == 302


@pytest.mark.parametrize("starts_on", [in_days(-364), in_days(0), in_days(364)])
def test_start_within_a_year_is_not_asked_for(starts_on):
    customer = make.customer(make.workspace())

    administrator().post(reverse(ADD_SUBSCRIPTION), agreed(customer=customer.pk, starts_on=starts_on))

    assert Subscription.objects.count() == 1


def test_confirmation_is_of_what_was_shown_and_can_not_be_made_up():
    owner, client = make.workspace(), administrator()
    customer, other = make.customer(owner), make.customer(owner, "Initech")
    url, data = reverse(ADD_SUBSCRIPTION), agreed(customer=customer.pk, starts_on="2020-01-01")
    (question,) = client.post(url, data).context["form"].unanswered

    for change in (
        {"once_more": "1"},
        {"once_more": ""},
        {"once_more": question.answer, "starts_on": "2019-01-01"},
        {"once_more": question.answer, "customer": other.pk},
    ):
        assert list(errors_of(client.post(url, data | change))) == ["starts_on"]
    assert not Subscription.objects.exists()
    client.post(url, data | {"once_more": question.answer})
    assert Subscription.objects.count() == 1


def test_line_and_anchor_that_few_mean_are_asked_for_too():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_subscription_add_line", args=[line.subscription_id])
    brick = make.brick(line.workspace, "Seats")
    data = {"price": make.price(brick).pk, "starts_on": "2062-01-01", "ends_on": "", "reference": "", "id": ""}
    anchored = agreed(customer=line.subscription.customer_id, starts_on=in_days(0), anchor_on="1026-01-01")

    assert list(errors_of(client.post(url, data))) == ["starts_on"]
    assert list(errors_of(client.post(reverse(ADD_SUBSCRIPTION), anchored))) == ["anchor_on"]
    post_and_confirm(client, url, data)
    assert Line.objects.count() == 2


def test_echo_tells_what_the_server_understood_and_saves_nothing():
    brick, client = make.brick(make.workspace(**COMMA)), administrator()
    data = a_price(brick) | tiers(("1.000", "12.5", ""), ("", "0,0125", "0"))

    echoes = client.post(reverse(ADD_PRICE), data | {"unit_price": "1.234,5"}, **ECHO).json()

    assert echoes["unit_price"] == {"is_read": True, "text": "1.234,5: with 1 decimal"}
    assert echoes["tiers-0-up_to"] == {"is_read": True, "text": "1.000: a whole number"}
    assert echoes["tiers-0-unit_price"]["is_read"] is False
    assert "It could mean 12,5 or 125" in echoes["tiers-0-unit_price"]["text"]
    assert "tiers-0-fee" not in echoes
    assert not Price.objects.exists()


def test_echo_of_a_day_spells_it_out():
    customer, client = make.customer(make.workspace(day_format="dd/mm/yyyy")), administrator()
    data = agreed(customer=customer.pk, starts_on="10/11/2026", ends_on="1/2/2062", anchor_on="31.12.2026")

    echoes = client.post(reverse(ADD_SUBSCRIPTION), data, **ECHO).json()

    assert echoes["starts_on"]["text"].startswith("Tue 10 Nov 2026")
    assert echoes["ends_on"]["text"].startswith("Wed 1 Feb 2062")
    assert echoes["anchor_on"]["is_read"] is False


def test_echo_is_for_those_who_may_save():
    brick = make.brick(make.workspace())

    response = client_of("billing.view_price").post(reverse(ADD_PRICE), flat(brick, "1"), **ECHO)

    assert response.status_code == 403
