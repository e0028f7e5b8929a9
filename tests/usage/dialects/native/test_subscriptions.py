from datetime import date
from decimal import Decimal

import pytest

from billing import contracts
from billing.calendar import midnight
from billing.models import Customer, Line, Price, Subscription
from tests import factories as make
from tests.usage.dialects.native.client import Native, wrong

pytestmark = pytest.mark.django_db

GIVEN = "7d4c8a1c-5d0a-4d55-8ad4-0a3a5f7b9e21"


@pytest.fixture
def workspace():
    return make.workspace(time_zone="America/New_York")


@pytest.fixture
def api(workspace):
    return Native(workspace)


@pytest.fixture
def customer(workspace):
    return make.customer(workspace, reference="cus_1")


@pytest.fixture
def calls(workspace):
    return make.brick(workspace, reference="br_calls")


@pytest.fixture
def seats(workspace):
    return make.brick(workspace, "Seats", "unit_days", reference="br_seats")


@pytest.fixture
def price(calls):
    return make.price(calls)


@pytest.fixture
def agreed(customer):
    return make.subscription(customer, reference="sub_1")


def test_subscription_is_created_with_all_its_lines(api, customer, calls, seats, price):
    response = api.post(
        "subscriptions/",
        id=GIVEN,
        reference="sub_9",
        customer="cus_1",
        interval="quarterly",
        anchor_on="2026-01-15",
        starts_on="2026-07-01",
        lines=[
            {
                "id": 4711,
                "reference": "li_1",
                "brick": "br_calls",
                "price": price.pk,
                "limits": {"soft": {"quantity": "800"}, "hard": {"amount": 2000.5}},
            },
            {
                "brick": str(seats.pk),
                "price": {"model": "per_unit", "unit_price": "0.5"},
                "starts_at": "2026-08-01T00:00:00-04:00",
                "ends_at": "2026-09-01T04:00:00Z",
            },
        ],
    )

    made = Subscription.objects.get()
    first, second = Line.objects.order_by("id")
    inline = Price.objects.exclude(pk=price.pk).get()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/subscriptions/{GIVEN}/")
    assert response.json() == {
        "id": GIVEN,
        "reference": "sub_9",
        "customer": str(customer.pk),
        "currency": "USD",
        "interval": "quarterly",
        "anchor_on": "2026-01-15",
        "starts_at": "2026-07-01T04:00:00Z",
        "ends_at": None,
        "is_voided": False,
        "open_period": {"starts_at": "2026-07-01T04:00:00Z", "ends_at": "2026-07-15T04:00:00Z"},
        "lines": [
            {
                "id": 4711,
                "reference": "li_1",
                "brick": str(calls.pk),
                "price": price.pk,
                "starts_at": "2026-07-01T04:00:00Z",
                "ends_at": None,
                "carries_on": False,
                "limits": {
                    "soft": {"quantity": "800", "amount": None},
                    "hard": {"quantity": None, "amount": "2000.5"},
                },
            },
            {
                "id": second.number,
                "reference": None,
                "brick": str(seats.pk),
                "price": inline.pk,
                "starts_at": "2026-08-01T04:00:00Z",
                "ends_at": "2026-09-01T04:00:00Z",
                "carries_on": True,
                "limits": {"soft": None, "hard": None},
            },
        ],
        "created_at": made.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert api.get(f"subscriptions/{GIVEN}/").json() == response.json()
    assert (str(made.pk), made.next_close_at) == (GIVEN, midnight(date(2026, 7, 15), tz=customer.workspace.tz))
    assert (first.number, first.hard_limit_amount, first.soft_limit_quantity) == (4711, Decimal("2000.5"), 800)
    assert (inline.name, inline.currency, inline.unit_price) == ("Seats", "USD", Decimal("0.5"))


def test_subscription_needs_a_customer_and_a_start_only(api, customer):
    made = api.post("subscriptions/", customer=str(customer.pk), starts_at="2026-07-10T01:30:00Z").json()

    # 01:30 in London is the evening before in New York.
    assert (made["interval"], made["anchor_on"], made["lines"]) == ("monthly", "2026-07-09", [])
    assert made["open_period"] == {"starts_at": "2026-07-10T01:30:00Z", "ends_at": "2026-08-09T04:00:00Z"}


def test_subscription_of_an_ended_time_has_its_end(api, customer):
    made = api.post(
        "subscriptions/", customer="cus_1", starts_on="2026-07-01", ends_at="2026-07-11T04:00:00Z", currency="EUR"
    ).json()

    assert (made["currency"], made["ends_at"]) == ("EUR", "2026-07-11T04:00:00Z")
    assert made["open_period"] == {"starts_at": "2026-07-01T04:00:00Z", "ends_at": "2026-07-11T04:00:00Z"}


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"customer": "cus_2"}, "customer", "Not found in this workspace."),
        ({"starts_at": "2026-07-01T00:00:00Z"}, "starts_at", "Give either starts_at or starts_on."),
        ({"starts_on": "2026-02-30"}, "starts_on", "Date has wrong format. Use this format instead: YYYY-MM-DD."),
        ({"starts_on": "0001-01-01"}, "starts_on", "Date is out of range."),
        ({"starts_on": "9999-12-31"}, "starts_on", "Date is out of range."),
        ({"starts_on": "٢٠٢٦-07-01"}, "starts_on", "Date has wrong format. Use this format instead: YYYY-MM-DD."),
        ({"anchor_on": 20260701}, "anchor_on", "Date has wrong format. Use this format instead: YYYY-MM-DD."),
        ({"ends_at": "2026-07-01T04:00:00Z"}, "ends_at", "The end is before the start."),
        ({"interval": "weekly"}, "interval", '"weekly" is not a valid choice.'),
        ({"currency": "XAU"}, "currency", "“XAU” is not a currency, such as USD."),
        ({"id": "sub_1"}, "id", "Must be a valid UUID."),
        ({"lines": {}}, "lines", 'Expected a list of items but got type "dict".'),
    ],
)
def test_what_is_wrong_with_a_subscription_is_told_by_field(api, customer, sent, field, message):
    response = api.post("subscriptions/", **{"customer": "cus_1", "starts_on": "2026-07-01", **sent})

    assert wrong(response) == (422, {field: message})
    assert not Subscription.objects.exists()


def test_subscription_without_a_start_is_refused(api, customer):
    response = api.post("subscriptions/", customer="cus_1")

    assert wrong(response) == (422, {"starts_at": "Give either starts_at or starts_on."})


BEYOND = "Not found in this workspace."


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"brick": "br_none"}, "lines.1.brick", BEYOND),
        ({"price": 2**53}, "lines.1.price", "Must be from 1 to 9007199254740991."),
        ({"price": 10**12}, "lines.1.price", BEYOND),
        ({"price": "7"}, "lines.1.price", "A valid integer is required."),
        ({"price": {"model": "flat"}}, "lines.1.price.unit_price", "This field is required."),
        (
            {"price": {"model": "volume", "tiers": [{"up_to": "5", "unit_price": "1"}]}},
            "lines.1.price.tiers.0.up_to",
            "the last tier must be open, without a bound.",
        ),
        (
            {"price": {"model": "flat", "unit_price": "1", "currency": "EUR"}},
            "lines.1.price",
            "The price is not in the subscription's currency USD.",
        ),
        (
            {"price": {"model": "flat", "unit_price": "1", "currency": "XAU"}},
            "lines.1.price.currency",
            "“XAU” is not a currency, such as USD.",
        ),
        ({"id": 0}, "lines.1.id", "Must be from 1 to 9007199254740991."),
        ({"id": 2**53}, "lines.1.id", "Must be from 1 to 9007199254740991."),
        ({"id": 10**400}, "lines.1.id", "Must be from 1 to 9007199254740991."),
        ({"brick": "br_calls"}, "lines.1.price", "This price belongs to another brick."),
        (
            {"starts_at": "2026-06-30T00:00:00Z"},
            "lines.1.starts_at",
            "Periods before 2026-07-01T00:00:00-04:00 are closed or outside the subscription.",
        ),
        ({"ends_at": "2026-07-01T04:00:00Z"}, "lines.1.ends_at", "The end is before the start."),
        (
            {"limits": {"hard": {"quantity": "1", "amount": "1"}}},
            "lines.1.limits.hard",
            "Give either a quantity or an amount, not both.",
        ),
        (
            {"limits": {"hard": {}}},
            "lines.1.limits.hard",
            "Give either a quantity or an amount, not both.",
        ),
        (
            {"limits": {"soft": {"quantity": 0}}},
            "lines.1.limits.soft.quantity",
            "Ensure this value is greater than 0.",
        ),
        ({"limits": {"soft": {"quantity": 5}}}, "lines.1.limits.soft.quantity", "Only a counter can have limits."),
    ],
)
def test_one_wrong_line_is_told_by_its_path_and_nothing_is_made(
    api, customer, calls, seats, price, sent, field, message
):
    seat_price = make.price(seats)
    lines = [
        {"brick": "br_calls", "price": {"model": "flat", "unit_price": "9"}},
        {"brick": "br_seats", "price": seat_price.pk, **sent},
    ]

    response = api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", lines=lines)

    assert wrong(response) == (422, {field: message})
    assert (Subscription.objects.count(), Line.objects.count(), Price.objects.count()) == (0, 0, 2)


def test_two_lines_of_a_brick_at_once_are_refused(api, customer, calls, price):
    line = {"brick": "br_calls", "price": price.pk}

    response = api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", lines=[line, line])

    assert wrong(response) == (
        422,
        {"lines.1.brick": "The subscription already has a line of this brick at that time."},
    )
    assert not Subscription.objects.exists()


def test_what_another_subscription_or_line_has_is_a_conflict(api, customer, agreed, calls, seats, price):
    api.post(f"subscriptions/{agreed.pk}/lines/", id=7, reference="li_1", brick="br_calls", price=price.pk)
    theirs = make.line(make.workspace("other"))

    def refusal(line=None, **sent):
        lines = [{"brick": "br_calls", "price": price.pk, **line}] if line else []
        return wrong(api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", lines=lines, **sent))

    taken = [
        refusal(id=str(agreed.pk)),
        refusal(id=str(theirs.subscription_id)),
        refusal(reference="sub_1"),
        refusal(line={"id": 7}),
        refusal(line={"reference": "li_1"}),
        refusal(line={"reference": "7"}),
        refusal(line={"reference": "sub_1"}),
        refusal(reference=str(agreed.pk)),
        refusal(reference="7"),
    ]
    assert [(status, list(fields)) for status, fields in taken] == [
        (409, ["id"]),
        (409, ["id"]),
        (409, ["reference"]),
        (409, ["lines.0.id"]),
        (409, ["lines.0.reference"]),
        (409, ["lines.0.reference"]),
        (409, ["lines.0.reference"]),
        (409, ["reference"]),
        (409, ["reference"]),
    ]
    assert Subscription.objects.filter(workspace=customer.workspace).count() == 1


def test_things_of_another_workspace_are_as_absent_as_any(api, customer, calls, price):
    other = make.workspace("other")
    theirs = make.line(other)
    line = {"brick": "br_calls", "price": price.pk}

    def fields(**sent):
        body = {"customer": "cus_1", "starts_on": "2026-07-01", "lines": [line], **sent}
        return wrong(api.post("subscriptions/", **body))

    assert fields(customer=str(theirs.subscription.customer_id)) == (422, {"customer": BEYOND})
    assert fields(lines=[line | {"brick": str(theirs.brick_id)}]) == (422, {"lines.0.brick": BEYOND})
    assert fields(lines=[line | {"price": theirs.price_id}]) == (422, {"lines.0.price": BEYOND})
    below = f"subscriptions/{theirs.subscription_id}/"
    assert {
        api(method, path, {}).status_code
        for method, path in (
            ("GET", below),
            ("POST", f"{below}end/"),
            ("POST", f"{below}lines/"),
            ("GET", f"{below}lines/{theirs.number}/"),
            ("PATCH", f"{below}lines/{theirs.number}/"),
            ("POST", f"{below}lines/{theirs.number}/end/"),
        )
    } == {404}


def test_customer_is_found_by_its_id_before_a_reference_that_reads_the_same(api, workspace, customer):
    # Such a reference is refused now.
    Customer.objects.create(workspace=workspace, name="Initech", reference=str(customer.pk))

    made = api.post("subscriptions/", customer=str(customer.pk), starts_on="2026-07-01").json()

    assert made["customer"] == str(customer.pk)


def test_line_is_added_read_limited_and_ended(api, agreed, calls, price):
    path = f"subscriptions/{agreed.pk}/lines/"
    added = api.post(path, id=7, brick="br_calls", price=price.pk, limits={"hard": {"quantity": "100"}})

    assert (added.status_code, added.headers["Location"]) == (201, f"/api/{path}7/")
    assert api.get(f"{path}7/").json() == added.json()
    assert [line | {"opening": None} for line in api.get(f"subscriptions/{agreed.pk}/").json()["lines"]] == [
        added.json()
    ]

    softer = api.patch(f"{path}7/", limits={"soft": {"amount": "50"}}).json()
    lifted = api.patch(f"{path}7/", limits={"hard": None}).json()

    soft = {"quantity": None, "amount": "50"}
    assert softer["limits"] == {"soft": soft, "hard": {"quantity": "100", "amount": None}}
    assert lifted["limits"] == {"soft": soft, "hard": None}

    ended = api.post(f"{path}7/end/", ends_at="2026-08-01T00:00:00-04:00").json()

    assert ended == lifted | {"ends_at": "2026-08-01T04:00:00Z"} == api.get(f"{path}7/").json()


def test_limits_as_they_are_shown_may_be_sent_back(api, agreed, calls, price):
    path = f"subscriptions/{agreed.pk}/lines/"
    shown = api.post(path, id=7, brick="br_calls", price=price.pk, limits={"soft": {"quantity": "1.50"}}).json()

    assert shown["limits"]["soft"] == {"quantity": "1.5", "amount": None}
    assert api.patch(f"{path}7/", limits=shown["limits"]).json() == shown


def test_line_does_not_end_before_its_usage(api, agreed, calls, price):
    line = Line.objects.get(
        number=api.post(f"subscriptions/{agreed.pk}/lines/", brick="br_calls", price=price.pk).json()["id"]
    )
    make.use(line, "5", "2026-07-15 08:00")
    told = {"ends_at": "Usage was recorded up to 2026-07-15T04:00:00-04:00: retract it first."}

    for path in (f"subscriptions/{agreed.pk}/lines/{line.number}/end/", f"subscriptions/{agreed.pk}/end/"):
        assert wrong(api.post(path, ends_at="2026-07-10T04:00:00Z")) == (422, told)
    line.refresh_from_db()
    assert line.ends_at is None


def test_subscription_ends_with_its_lines(api, agreed, calls, price):
    api.post(f"subscriptions/{agreed.pk}/lines/", brick="br_calls", price=price.pk)

    ended = api.post(f"subscriptions/{agreed.pk}/end/", ends_at="2026-02-11T05:00:00Z").json()

    assert (ended["ends_at"], ended["lines"][0]["ends_at"]) == ("2026-02-11T05:00:00Z",) * 2
    assert wrong(api.post(f"subscriptions/{agreed.pk}/end/", ends_at="2026-01-01T04:59:59Z")) == (
        422,
        {"ends_at": "The end is before the start."},
    )


@pytest.mark.parametrize("body", [{}, {"ends_at": "never"}, {"ends_at": "9999-12-31T00:00:00Z"}])
def test_an_end_that_is_none_is_refused(api, agreed, calls, price, body):
    api.post(f"subscriptions/{agreed.pk}/lines/", id=7, brick="br_calls", price=price.pk)

    for path in (f"subscriptions/{agreed.pk}/end/", f"subscriptions/{agreed.pk}/lines/7/end/"):
        status, fields = wrong(api.post(path, **body))
        assert (status, list(fields)) == (422, ["ends_at"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["sub_1", "sub_2", "sub_3"]),
        ("customer=cus_1", ["sub_1", "sub_2"]),
        ("reference=sub_2", ["sub_2"]),
        ("interval=yearly", ["sub_2", "sub_3"]),
        ("customer=cus_1&interval=yearly", ["sub_2"]),
        ("customer=nobody", []),
        ("brick=br_calls", ["sub_2"]),
        ("brick=br_seats", []),
        ("is_over=false", ["sub_1", "sub_2"]),
        ("is_over=true", ["sub_3"]),
    ],
)
def test_subscriptions_are_found(api, workspace, customer, agreed, calls, price, query, found):
    twice = make.subscription(customer, reference="sub_2", interval="yearly")
    for starts_at, ends_at in (("2026-01-01 05:00", "2026-02-01 05:00"), ("2026-02-01 05:00", None)):
        ends = {"ends_at": make.moment(ends_at)} if ends_at else {}
        contracts.add_line(
            subscription=twice, brick=calls, price=price, starts_at=make.moment(starts_at), **ends, actor=make.ACTOR
        )
    make.subscription(make.customer(workspace, reference="cus_2"), reference="sub_3", interval="yearly")
    Subscription.objects.filter(reference="sub_3").update(next_close_at=None)
    make.subscription(make.customer(make.workspace("other"), reference="cus_1"))

    shown = api.get(f"subscriptions/?{query}").json()["results"]

    assert sorted(subscription["reference"] for subscription in shown) == found


def test_subscriptions_of_a_customer_are_found_by_its_id(api, workspace, customer, agreed):
    make.subscription(make.customer(workspace, "Initech"))

    shown = api.get(f"subscriptions/?customer={customer.pk}").json()["results"]

    assert [subscription["id"] for subscription in shown] == [str(agreed.pk)]


def test_list_of_subscriptions_takes_as_many_queries_for_three_as_for_one(
    api, workspace, customer, django_assert_num_queries
):
    api.get("subscriptions/")
    for count in (1, 2):
        for _ in range(count):
            make.line(workspace)
        with django_assert_num_queries(3):
            assert len(api.get("subscriptions/").json()["results"][0]["lines"]) == 1


@pytest.mark.parametrize(
    ("sent", "carries_on"), [({}, True), ({"carries_on": True}, True), ({"carries_on": False}, False)]
)
def test_a_gauge_carries_on_unless_the_request_says_otherwise(api, agreed, seats, sent, carries_on):
    terms = {"model": "per_unit", "unit_price": "1"}
    first = api.post(f"subscriptions/{agreed.pk}/lines/", brick="br_seats", price=terms).json()
    path = f"subscriptions/{agreed.pk}/lines/"
    api.post(f"{path}{first['id']}/end/", ends_at="2026-01-16T05:00:00Z")

    following = api.post(path, brick="br_seats", price=terms, starts_at="2026-01-16T05:00:00Z", **sent).json()

    assert following["carries_on"] is carries_on
    assert Line.objects.get(number=following["id"]).carries_on is carries_on


@pytest.mark.parametrize(("sent", "value"), [({}, "20"), ({"carries_on": False}, "0")])
def test_a_line_tells_what_its_gauge_opens_with(api, agreed, seats, sent, value):
    path, terms = f"subscriptions/{agreed.pk}/lines/", {"model": "per_unit", "unit_price": "1"}
    first = api.post(path, brick="br_seats", price=terms).json()
    make.use(Line.objects.get(number=first["id"]), "20", "2026-01-05")
    api.post(f"{path}{first['id']}/end/", ends_at="2026-01-16T05:00:00Z")

    following = api.post(path, brick="br_seats", price=terms, starts_at="2026-01-18T05:00:00Z", **sent).json()

    assert first["opening"] == {"value": "0", "former": None, "former_value": None}
    assert following["opening"] == {"value": value, "former": first["id"], "former_value": "20"}
    assert api.get(f"{path}{following['id']}/").json() == following


def test_a_former_line_without_a_value_leaves_none_behind_and_a_counter_opens_with_nothing(api, agreed, seats, price):
    path, terms = f"subscriptions/{agreed.pk}/lines/", {"model": "per_unit", "unit_price": "1"}
    first = api.post(path, brick="br_seats", price=terms).json()
    api.post(f"{path}{first['id']}/end/", ends_at="2026-01-16T05:00:00Z")

    following = api.post(path, brick="br_seats", price=terms, starts_at="2026-01-16T05:00:00Z").json()

    assert following["opening"] == {"value": "0", "former": first["id"], "former_value": None}
    assert api.post(path, brick="br_calls", price=price.pk).json()["opening"] is None


def test_only_a_gauge_is_told_to_carry_on(api, agreed, calls, price):
    response = api.post(f"subscriptions/{agreed.pk}/lines/", brick="br_calls", price=price.pk, carries_on=True)
    crooked = api.post(f"subscriptions/{agreed.pk}/lines/", brick="br_calls", price=price.pk, carries_on="yes")

    assert wrong(response) == (422, {"carries_on": "Only a gauge can carry on a value."})
    assert wrong(crooked) == (422, {"carries_on": "Must be true or false."})
    assert not Line.objects.exists()


def test_an_end_is_moved_on_and_taken_back(api, agreed, calls, price):
    path = f"subscriptions/{agreed.pk}/"
    line = api.post(f"{path}lines/", brick="br_calls", price=price.pk).json()
    api.post(f"{path}end/", ends_at="2026-02-01T05:00:00Z")

    longer = api.post(f"{path}end/", ends_at="2026-03-01T05:00:00Z").json()
    endless = api.post(f"{path}end/", ends_at=None).json()
    without = api.post(f"{path}lines/{line['id']}/end/")

    assert (longer["ends_at"], longer["lines"][0]["ends_at"]) == ("2026-03-01T05:00:00Z",) * 2
    assert (endless["ends_at"], endless["lines"][0]["ends_at"]) == (None, None)
    assert wrong(without) == (422, {"ends_at": "This field is required."})


def test_a_subscription_that_is_prolonged_tells_which_lines_stay_ended(api, agreed, seats, price):
    path, terms = f"subscriptions/{agreed.pk}/", {"model": "per_unit", "unit_price": "1"}
    api.post(f"{path}lines/", brick="br_calls", price=price.pk)
    stays = api.post(f"{path}lines/", brick="br_seats", price=terms, ends_at="2026-02-01T05:00:00Z").json()
    ended = api.post(f"{path}end/", ends_at="2026-02-01T05:00:00Z").json()

    prolonged = api.post(f"{path}end/", ends_at=None).json()

    assert (ended["stay_ended"], prolonged["stay_ended"]) == ([], [stays["id"]])


def test_a_subscription_that_ends_at_its_start_is_voided(api, agreed, calls, price):
    path = f"subscriptions/{agreed.pk}/"
    api.post(f"{path}lines/", brick="br_calls", price=price.pk)

    voided = api.post(f"{path}end/", ends_at="2026-01-01T05:00:00Z")
    again = api.post(f"{path}end/", ends_at=None)

    told = voided.json()
    assert (voided.status_code, told["is_voided"], told["reference"], told["open_period"]) == (200, True, None, None)
    assert told["lines"][0]["ends_at"] == told["lines"][0]["starts_at"]
    assert wrong(again) == (422, {"ends_at": "The subscription was voided."})


BACK, AHEAD = "This is more than 366 days back.", "This is more than 366 days ahead."


@pytest.mark.bound("DISTANT_START_DAYS")
@pytest.mark.parametrize(
    ("start", "told"),
    [
        ({"starts_on": "0026-11-01"}, {"starts_on": BACK}),
        ({"starts_on": "1926-11-01"}, {"starts_on": BACK}),
        ({"starts_at": "2062-01-01T00:00:00Z"}, {"starts_at": AHEAD}),
        ({"starts_on": "2025-07-18"}, {"starts_on": BACK}),
        ({"starts_on": "2026-07-01", "anchor_on": "0026-07-01"}, {"anchor_on": BACK}),
        ({"starts_on": "2026-07-01", "anchor_on": "2062-07-01"}, {"anchor_on": AHEAD}),
        ({"starts_at": "2062-01-01T00:00:00Z", "anchor_on": "2062-01-01"}, {"starts_at": AHEAD, "anchor_on": AHEAD}),
    ],
)
def test_a_distant_start_of_a_subscription_has_to_be_meant(api, customer, start, told):
    """The clock of these tests stands at 2026-07-20 14:00 UTC."""
    refused = api.post("subscriptions/", customer="cus_1", **start)
    taken = api.post("subscriptions/", customer="cus_1", distant_start=True, **start)

    assert wrong(refused) == (422, told)
    assert taken.status_code == 201
    assert Subscription.objects.count() == 1


@pytest.mark.bound("DISTANT_START_DAYS")
def test_a_start_within_a_year_needs_no_flag(api, customer):
    for day in ("2025-07-20", "2027-07-21"):
        assert api.post("subscriptions/", customer="cus_1", starts_on=day).status_code == 201
        assert api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", anchor_on=day).status_code == 201


def test_a_distant_start_of_a_line_has_to_be_meant(api, customer, agreed, calls, price):
    line = {"brick": "br_calls", "price": price.pk, "starts_at": "2062-01-01T00:00:00Z"}
    within = {"customer": "cus_1", "starts_on": "2026-07-01", "lines": [line]}

    assert wrong(api.post(f"subscriptions/{agreed.pk}/lines/", **line)) == (422, {"starts_at": AHEAD})
    assert wrong(api.post("subscriptions/", **within)) == (422, {"lines.0.starts_at": AHEAD})
    assert not Line.objects.exists()
    assert api.post(f"subscriptions/{agreed.pk}/lines/", **line, distant_start=True).status_code == 201
    assert api.post("subscriptions/", **within, distant_start=True).status_code == 201
    assert api.post("subscriptions/", **(within | {"lines": [line | {"distant_start": True}]})).status_code == 201


@pytest.mark.bound("TIERS_PER_REQUEST")
def test_the_tiers_of_one_request_are_bounded(api, customer, settings, workspace):
    settings.TIERS_PER_REQUEST = 3
    for name in ("one", "two"):
        make.brick(workspace, name, reference=name)
    tiers = [{"up_to": "10", "unit_price": 1}, {"unit_price": 2}]
    line, other = ({"brick": name, "price": {"model": "volume", "tiers": tiers}} for name in ("one", "two"))

    response = api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", lines=[line, other])

    told = "At most 3 tiers in one request: create prices first, or add lines later."
    assert wrong(response) == (422, {"lines": told})
    assert not Subscription.objects.exists()
    assert api.post("subscriptions/", customer="cus_1", starts_on="2026-07-01", lines=[line]).status_code == 201
