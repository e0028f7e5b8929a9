"""Rebilly: usage reported to lines by any of their names, up to their limits."""

import re
from datetime import date
from decimal import Decimal

import pytest

from billing import contracts
from billing.models import Line
from tests import factories as make
from tests.usage.dialects.clients import NOW, ServiceClient
from tests.usage.dialects.rebilly.client import MOUNT, Rebilly, invalid, limit, named, problem
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

WRONG_TIME = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


@pytest.fixture
def line():
    return named(make.line(), "sub_01HRF27SATGE4Z6PBJE6PD8328")


@pytest.fixture
def rebilly(line):
    return Rebilly(make.api_key(line.workspace))


def refusal(response):
    assert UsageRecord.objects.count() == 0
    return response.status_code, response.json()


def test_a_usage_is_recorded_and_shown_with_its_address(rebilly, line):
    response = rebilly.post(line.reference, quantity=Decimal("5.125"), usageTime="2026-07-15T12:00:00+02:00")

    record = UsageRecord.objects.get()
    (digits,) = re.fullmatch(r"sub_usg_([0-9A-Z]{26})", response.json()["id"]).groups()
    address = f"http://testserver{MOUNT}/usages/sub_usg_{digits}"
    assert response.status_code == 201
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Location"] == address
    assert response.content.decode() == (
        f'{{"id":"sub_usg_{digits}","subscriptionId":"sub_01HRF27SATGE4Z6PBJE6PD8328","invoiceId":null,'
        '"invoiceItemId":null,"quantity":5.125,"usageTime":"2026-07-15T10:00:00Z",'
        '"createdTime":"2026-07-20T14:00:00Z","updatedTime":"2026-07-20T14:00:00Z",'
        f'"_links":[{{"href":"{address}","rel":"self"}}]}}'
    )
    assert (record.line_id, record.quantity, record.occurred_at) == (
        line.pk,
        Decimal("5.125"),
        make.moment("2026-07-15 10:00"),
    )
    assert (record.source, record.dialect, record.key) == ("api", "rebilly", None)


def test_without_the_organization_it_is_the_keys_own(rebilly, line):
    rebilly.mount = "/rebilly"

    response = rebilly.post(line.reference)

    assert response.headers["Location"] == f"http://testserver/rebilly/usages/{response.json()['id']}"
    assert UsageRecord.objects.get().workspace == line.workspace


def test_what_only_the_vendor_writes_is_ignored(rebilly, line):
    sent = {"id": "sub_usg_1", "invoiceId": 7, "createdTime": "1999", "_links": "none", "planId": "plan_1"}

    response = rebilly.post(line.reference, **sent)

    assert response.status_code == 201
    assert response.json()["id"] != "sub_usg_1"
    assert response.json()["createdTime"] == NOW


def test_a_slash_at_the_end_makes_no_difference(rebilly, line):
    # The vendor has none.
    send = ServiceClient(MOUNT, rebilly.headers)

    created = send("POST", "/usages/", {"subscriptionId": line.reference, "quantity": 1})

    path = created.headers["Location"].removeprefix(f"http://testserver{MOUNT}")
    assert send("GET", f"{path}/").json() == rebilly("GET", path).json() == created.json()
    assert send("GET", "/usages/").json() == [created.json()]


@pytest.mark.parametrize("sent", [{}, {"usageTime": None}, {"usageTime": ""}])
def test_without_a_time_it_was_used_now(rebilly, line, sent):
    response = rebilly("POST", "/usages", {"subscriptionId": line.reference, "quantity": 1, **sent})

    assert response.json()["usageTime"] == NOW
    assert UsageRecord.objects.get().occurred_at == make.moment("2026-07-20 14:00")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2026-07-15T12:00:00.25Z", "2026-07-15T12:00:00.250000Z"),
        ("2026-07-15T12:00:00", "2026-07-15T12:00:00Z"),
        ("2026-07-15 12:00", "2026-07-15T12:00:00Z"),
    ],
)
def test_times_without_an_offset_are_utc(rebilly, line, sent, stored):
    assert rebilly.post(line.reference, usageTime=sent).json()["usageTime"] == stored


@pytest.mark.parametrize(
    "sent",
    ["yesterday", " ", "2026-07-16", "2026-02-30T00:00:00Z", "2026-07-16T24:00:00Z", True, {}, []],
)
def test_a_time_that_is_none_is_refused(rebilly, line, sent):
    assert refusal(rebilly.post(line.reference, usageTime=sent)) == (422, invalid(usageTime=WRONG_TIME))


@pytest.mark.parametrize("sent", [1784196930, 1784196930000, "1784196930", Decimal("1784196930.5")])
def test_seconds_and_milliseconds_are_no_time(rebilly, line, sent):
    message = f"{WRONG_TIME} Numbers of seconds or milliseconds are not accepted."

    assert refusal(rebilly.post(line.reference, usageTime=sent)) == (422, invalid(usageTime=message))


@pytest.mark.parametrize("sent", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_end_of_the_calendar_is_refused(rebilly, line, sent):
    response = rebilly.post(line.reference, usageTime=sent)

    assert refusal(response) == (422, invalid(usageTime="Datetime is out of range."))


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("0", "Ensure this value is greater than or equal to 0.001."),
        ("-1", "Ensure this value is greater than or equal to 0.001."),
        ("0.0009", "Ensure this value is greater than or equal to 0.001."),
        ("0.0011", "Ensure that there are no more than 3 decimal places."),
        ("999999999999999.9999", "Ensure that there are no more than 3 decimal places."),
        ('"seven"', "A valid number is required."),
        ("true", "A valid number is required."),
        ("null", "This field may not be null."),
    ],
)
def test_a_quantity_that_is_no_thousandths_is_refused(rebilly, line, sent, message):
    body = f'{{"subscriptionId":"{line.reference}","quantity":{sent}}}'

    assert refusal(rebilly("POST", "/usages", body)) == (422, invalid(quantity=message))


@pytest.mark.parametrize("sent", ["0.001", "1e-3", "1", "7.10", "999999999999999.999", '"12.25"', "5.1250"])
def test_thousandths_keep_their_digits(rebilly, line, sent):
    response = rebilly("POST", "/usages", f'{{"subscriptionId":"{line.reference}","quantity":{sent}}}')

    assert response.status_code == 201
    assert UsageRecord.objects.get().quantity == Decimal(sent.strip('"'))


def test_everything_that_is_missing_is_named(rebilly):
    missing = "This field is required."

    assert refusal(rebilly("POST", "/usages", {})) == (422, invalid(subscriptionId=missing, quantity=missing))


@pytest.mark.parametrize("sent", ["yes", 1, 0, "true", []])
def test_a_part_is_accepted_or_not(rebilly, line, sent):
    assert refusal(rebilly.post(line.reference, acceptPartialQuantity=sent)) == (
        422,
        invalid(acceptPartialQuantity="Must be true or false."),
    )


def test_a_part_is_not_accepted_where_the_client_was_not_told(rebilly, line):
    limit(line, hard_limit_quantity="5")

    # The vendor's PHP client sends null for what it was not given.
    assert rebilly.post(line.reference, quantity=7, acceptPartialQuantity=None).status_code == 409
    assert rebilly.post(line.reference, quantity=5, acceptPartialQuantity=None).status_code == 201


def test_malformed_json_is_no_question_of_fields(rebilly):
    status, body = refusal(rebilly("POST", "/usages", "{"))

    assert (status, body["title"], body["status"]) == (400, "Bad Request", 400)
    assert body["detail"].startswith("JSON parse error")
    assert "invalidFields" not in body


# --- which line is meant


def test_a_line_is_known_by_its_reference_and_its_number(rebilly, line):
    by_reference, by_number = rebilly.post(line.reference), rebilly.post(line.number)

    assert [response.json()["subscriptionId"] for response in (by_reference, by_number)] == [line.reference] * 2
    assert set(UsageRecord.objects.values_list("line", flat=True)) == {line.pk}


def test_a_reference_is_taken_to_the_letter(rebilly, line):
    named(line, "item 7 ")

    assert rebilly.post("item 7 ").json()["subscriptionId"] == "item 7 "
    assert [rebilly.post(other).status_code for other in ("item 7", " item 7 ", " ")] == [422] * 3


def test_a_line_without_a_reference_is_shown_by_its_number(rebilly, line):
    other = contracts.add_line(
        subscription=line.subscription,
        brick=(brick := make.brick(line.workspace)),
        price=make.price(brick),
        actor=make.ACTOR,
    )

    assert rebilly.post(str(other.number)).json()["subscriptionId"] == str(other.number)


def test_a_reference_goes_before_an_id_that_reads_the_same(rebilly, line):
    brick = make.brick(line.workspace)
    other = contracts.add_line(subscription=line.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR)
    # Such a reference is refused now.
    Line.objects.filter(pk=other.pk).update(reference=str(line.number))

    assert rebilly.post(line.number).status_code == 201

    assert UsageRecord.objects.get().line == other


@pytest.mark.parametrize("name", ["id", "ID", "reference"])
def test_a_subscription_stands_for_its_only_line_that_takes_usage(rebilly, line, name):
    subscription = line.subscription
    subscription.reference = "sub_whole"
    subscription.save(update_fields=["reference"])
    support, messages = make.brick(line.workspace, "Support", aggregation="none"), make.event_brick(line.workspace)
    contracts.add_line(
        subscription=subscription, brick=support, price=make.price(support, model="flat"), actor=make.ACTOR
    )
    contracts.add_line(subscription=subscription, brick=messages, price=make.price(messages), actor=make.ACTOR)
    names = {"id": str(subscription.pk), "ID": str(subscription.pk).upper(), "reference": "sub_whole"}

    response = rebilly.post(names[name])

    assert response.json()["subscriptionId"] == line.reference
    assert UsageRecord.objects.get().line == line


def test_a_subscription_stands_for_the_line_of_the_time_that_is_told(rebilly, line):
    contracts.end_line(line=line, ends_at=make.moment("2026-07-10"), actor=make.ACTOR)
    following = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=line.price,
        starts_at=make.moment("2026-07-10"),
        actor=make.ACTOR,
    )
    name = str(line.subscription_id)

    rebilly.post(name, usageTime="2026-07-09T23:59:59Z")
    rebilly.post(name, usageTime="2026-07-10T00:00:00Z")

    assert list(UsageRecord.objects.order_by("id").values_list("line", flat=True)) == [line.pk, following.pk]


def test_a_subscription_of_several_lines_is_ambiguous(rebilly, line):
    brick = make.brick(line.workspace, "Seats", aggregation="unit_days")
    contracts.add_line(subscription=line.subscription, brick=brick, price=make.price(brick), actor=make.ACTOR)
    message = "This subscription has several lines that take usage: give one of them."

    response = rebilly.post(str(line.subscription_id))

    assert refusal(response) == (422, invalid(message, subscriptionId=message))


@pytest.mark.parametrize(
    "name", ["sub_unknown", "0", "999999", "9" * 30, "6f1c1f5e-0000-4000-8000-000000000000", "٣", "%", "x" * 100]
)
def test_a_name_that_nothing_has_is_refused(rebilly, line, name):
    message = "There is no such line."

    assert refusal(rebilly.post(name)) == (422, invalid(message, subscriptionId=message))


@pytest.mark.parametrize("leading", ["0", "00", "+", " 0"])
def test_an_id_is_written_in_one_way(rebilly, line, leading):
    assert rebilly.post(f"{leading}{line.number}").status_code == 422


def not_metered():
    return make.line(aggregation="none", model="flat")


def counting_events():
    workspace = make.workspace()
    return make.counting_line(make.customer(workspace), make.event_brick(workspace))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (not_metered, "This line is not metered: it takes no usage."),
        (counting_events, "This line counts events: it takes no usage of its own."),
    ],
)
@pytest.mark.parametrize("by", ["line", "subscription"])
def test_a_line_that_takes_no_usage_says_why(made, message, by):
    line = made()

    response = Rebilly(make.api_key(line.workspace)).post(str(line.number if by == "line" else line.subscription_id))

    assert refusal(response) == (422, invalid(message, subscriptionId=message))


@pytest.mark.parametrize("by", ["line", "subscription"])
def test_a_time_outside_the_line_is_refused(by):
    line = make.line(ends_on=date(2026, 3, 1))
    message = "The line was not active then, only from 2026-01-01T00:00:00+00:00 until 2026-03-01T00:00:00+00:00."

    response = Rebilly(make.api_key(line.workspace)).post(str(line.number if by == "line" else line.subscription_id))

    assert refusal(response) == (422, invalid(message, usageTime=message))


def test_the_same_report_twice_is_two_usages(rebilly, line):
    assert {rebilly.post(line.reference).status_code for _ in range(2)} == {201}
    assert UsageRecord.objects.count() == 2


# --- limits


def test_beyond_the_hard_limit_a_report_is_a_conflict(rebilly, line):
    limit(line, hard_limit_quantity="10")
    message = "The limit of this line leaves 3 in the period."

    assert rebilly.post(line.reference, quantity=7).status_code == 201
    refused = rebilly.post(line.reference, quantity=4)
    assert (refused.status_code, refused.json()) == (409, problem(409, "Conflict", message))
    assert rebilly.post(line.reference, quantity=3).status_code == 201


def test_a_part_is_recorded_where_it_is_accepted(rebilly, line):
    limit(line, hard_limit_amount="15")
    at_2_each = {"acceptPartialQuantity": True}

    first = rebilly.post(line.reference, quantity=7, **at_2_each)
    second = rebilly.post(line.reference, quantity=7, **at_2_each)
    third = rebilly.post(line.reference, quantity=7, **at_2_each)

    assert [response.status_code for response in (first, second, third)] == [201, 201, 409]
    assert [response.json()["quantity"] for response in (first, second)] == [7.0, 0.5]
    assert "acceptPartialQuantity" not in first.json()
    assert third.json()["detail"] == "The limit of this line leaves 0 in the period."


def test_deleted_usage_makes_room(rebilly, line):
    limit(line, hard_limit_quantity="10")
    reported = rebilly.post(line.reference, quantity=10)

    rebilly("DELETE", f"/usages/{reported.json()['id']}")

    assert rebilly.post(line.reference, quantity=10).status_code == 201
