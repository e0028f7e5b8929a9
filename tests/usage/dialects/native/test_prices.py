import pytest

from billing.models import Price
from billing.rating import Tier
from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make.workspace(currency="EUR")


@pytest.fixture
def api(workspace):
    return Native(workspace)


@pytest.fixture
def brick(workspace):
    return make.brick(workspace, reference="br_1")


def test_price_of_a_unit_is_created_and_read_again(api, brick):
    response = api.post("prices/", brick="br_1", name="List price", model="per_unit", unit_price="0.000000000001")

    price = Price.objects.get()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/prices/{price.pk}/")
    assert response.json() == {
        "id": price.pk,
        "brick": str(brick.pk),
        "name": "List price",
        "model": "per_unit",
        "currency": "EUR",
        "unit_price": "0.000000000001",
        "tiers": [],
        "created_at": price.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert price.workspace == brick.workspace
    assert api.get(f"prices/{price.pk}/").json() == response.json()


def test_price_is_named_after_its_brick_and_may_be_in_another_currency(api, brick):
    made = api.post("prices/", brick=str(brick.pk), model="flat", currency="USD", unit_price=100).json()

    assert (made["name"], made["currency"], made["unit_price"]) == (brick.name, "USD", "100")


def test_numbers_are_kept_as_they_are_sent(api, brick):
    body = '{"brick": "br_1", "model": "per_unit", "unit_price": %s}'

    shown = [
        api("POST", "prices/", body % sent).json()["unit_price"] for sent in ("0.1", '"0.10"', "1e2", "123456789012345")
    ]

    assert shown == ["0.1", "0.1", "100", "123456789012345"]


def test_tiers_are_shown_in_their_order_whatever_order_they_came_in(api, brick):
    made = api.post(
        "prices/",
        brick="br_1",
        model="graduated",
        tiers=[
            {"unit_price": "3", "fee": "2"},
            {"up_to": "20", "unit_price": "4", "fee": "1"},
            {"up_to": 10, "unit_price": 5},
        ],
    ).json()

    assert made["unit_price"] == "0"
    assert made["tiers"] == [
        {"up_to": "10", "unit_price": "5", "fee": "0"},
        {"up_to": "20", "unit_price": "4", "fee": "1"},
        {"up_to": None, "unit_price": "3", "fee": "2"},
    ]
    assert Price.objects.get().terms().tiers == (Tier(10, 5, 0), Tier(20, 4, 1), Tier(None, 3, 2))


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"brick": "br_2"}, "brick", "Not found in this workspace."),
        ({"model": "package"}, "model", '"package" is not a valid choice.'),
        ({"currency": "eur"}, "currency", "A currency is three capital letters, such as USD."),
        ({"currency": "XAU"}, "currency", "“XAU” is not a currency, such as USD."),
        ({"unit_price": "-1"}, "unit_price", "Ensure this value is greater than or equal to 0."),
        ({"unit_price": "one"}, "unit_price", "A valid number is required."),
        ({"unit_price": True}, "unit_price", "A valid number is required."),
        (
            {"unit_price": "0.0000000000001"},
            "unit_price",
            "Ensure that there are no more than 12 decimal places.",
        ),
        (
            {"unit_price": "1" + "0" * 15},
            "unit_price",
            "Ensure that there are no more than 15 digits before the decimal point.",
        ),
        ({"tiers": [{"unit_price": "1"}]}, "tiers", "a per_unit price has no tiers."),
        ({"model": "volume"}, "unit_price", "The tiers have the prices."),
    ],
)
def test_what_is_wrong_with_a_price_is_told_by_field(api, brick, sent, field, message):
    response = api.post("prices/", **{"brick": "br_1", "model": "per_unit", "unit_price": "2", **sent})

    assert wrong(response) == (422, {field: message})
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    ("tiers", "field", "message"),
    [
        ([], "tiers", "at least one tier is required."),
        ([{"up_to": "10", "unit_price": "1"}], "tiers.0.up_to", "the last tier must be open, without a bound."),
        ([{"unit_price": "1"}] * 2, "tiers.0.up_to", "only the last tier can be open."),
        (
            [{"up_to": "10", "unit_price": "1"}] * 2 + [{"unit_price": "1"}],
            "tiers.1.up_to",
            "must be above 10.",
        ),
        ([{"up_to": "0", "unit_price": "1"}], "tiers.0.up_to", "Ensure this value is greater than 0."),
        ([{"fee": "1"}], "tiers.0.unit_price", "This field is required."),
        ([{"unit_price": "1", "fee": "-1"}], "tiers.0.fee", "Ensure this value is greater than or equal to 0."),
        (["10"], "tiers.0", "Invalid data. Expected a dictionary, but got str."),
        ("10", "tiers", 'Expected a list of items but got type "str".'),
    ],
)
def test_incomplete_tiers_are_told_by_path(api, brick, tiers, field, message):
    assert wrong(api.post("prices/", brick="br_1", model="graduated", tiers=tiers)) == (422, {field: message})
    assert not Price.objects.exists()


def test_price_without_an_amount_is_not_free_by_mistake(api, brick):
    assert wrong(api.post("prices/", brick="br_1", model="flat")) == (422, {"unit_price": "This field is required."})


def test_brick_of_another_workspace_has_no_price_here(api):
    theirs = make.brick(make.workspace("other"), reference="br_9")

    for named in ("br_9", str(theirs.pk)):
        assert list(wrong(api.post("prices/", brick=named, model="flat", unit_price="1"))[1]) == ["brick"]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_price_is_never_edited(api, brick, method):
    price = make.price(brick)

    response = api(method, f"prices/{price.pk}/", {"unit_price": "3"})

    assert (response.status_code, response.json()["detail"]) == (
        405,
        "A price is never edited: create another, end the line with the old one and add a line with the new one.",
    )
    assert Price.objects.get().unit_price == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Volume", "Dollars", "List price"]),
        ("brick=br_1", ["Volume", "List price"]),
        ("model=volume", ["Volume"]),
        ("currency=USD", ["Dollars"]),
        ("name=Dollars", ["Dollars"]),
        ("brick=br_3", []),
    ],
)
def test_prices_are_found(api, brick, query, found):
    make.brick(brick.workspace, reference="br_2")
    api.post("prices/", brick="br_1", name="List price", model="per_unit", unit_price="1")
    api.post("prices/", brick="br_2", name="Dollars", model="flat", unit_price="1", currency="USD")
    api.post("prices/", brick="br_1", name="Volume", model="volume", tiers=[{"unit_price": "1"}])
    make.price(make.brick(make.workspace("other"), reference="br_1"))

    assert [price["name"] for price in api.get(f"prices/?{query}").json()["results"]] == found


def test_list_of_prices_takes_as_many_queries_for_three_as_for_one(api, brick, django_assert_num_queries):
    api.get("prices/")
    for count in (1, 2):
        for _ in range(count):
            make.price(brick, model="volume", tiers=[("10", "2", "0"), (None, "1", "0")])
        with django_assert_num_queries(3):
            assert len(api.get("prices/").json()["results"][0]["tiers"]) == 2
