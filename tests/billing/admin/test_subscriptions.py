from datetime import date

import pytest
import time_machine
from django.urls import reverse

from billing import contracts
from billing.models import Line, Subscription
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of, post_and_confirm, source_of
from tests.scenarios.closing import close, close_and_issue

pytestmark = [pytest.mark.django_db, pytest.mark.once]

ADD = "admin:billing_subscription_add"
SUBSCRIPTION_ID = "11111111-2222-4333-8444-555555555555"


def agreed(**fields: object) -> dict[str, object]:
    empty = {"ends_on": "", "anchor_on": "", "currency": "", "reference": "", "id": ""}
    return empty | {"starts_on": "2026-01-15", "interval": "monthly"} | fields


def page(of: Subscription, view: str = "change") -> str:
    return reverse(f"admin:billing_subscription_{view}", args=[of.pk])


def test_subscription_is_added_in_days_of_the_workspaces_time_zone():
    customer = make.customer(make.workspace(time_zone="Europe/Berlin", currency="EUR"))
    data = agreed(
        customer=customer.pk, ends_on="2026-12-31", anchor_on="2026-01-01", reference="sub_1", id=SUBSCRIPTION_ID
    )

    response = administrator().post(reverse(ADD), data)

    subscription = Subscription.objects.get()
    assert response.url == page(subscription)
    assert (str(subscription.pk), subscription.reference) == (SUBSCRIPTION_ID, "sub_1")
    assert subscription.starts_at == make.moment("2026-01-15", tz="Europe/Berlin")
    assert subscription.ends_at == make.moment("2027-01-01", tz="Europe/Berlin")
    assert (subscription.anchor_on, subscription.currency) == (date(2026, 1, 1), "EUR")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reference": "taken"}, "__all__"),
        ({"currency": "XXX"}, "currency"),
        ({"ends_on": "2026-01-01"}, "ends_on"),
        ({"starts_on": "never"}, "starts_on"),
        ({"customer": "nobody", "starts_on": ""}, "customer starts_on"),
        ({"id": SUBSCRIPTION_ID}, "id"),
    ],
)
def test_subscription_that_can_not_be_agreed_is_refused_on_its_field(fields, field):
    customer = make.customer(make.workspace())
    make.subscription(customer, reference="taken", id=SUBSCRIPTION_ID)

    response = administrator().post(reverse(ADD), agreed(customer=customer.pk) | fields)

    assert list(errors_of(response)) == field.split()
    assert Subscription.objects.count() == 1


def test_line_is_added_with_a_number_that_is_given():
    subscription = make.subscription(make.customer(make.workspace(time_zone="America/New_York")))
    price = make.price(make.brick(subscription.workspace))

    administrator().post(
        page(subscription, "add_line"),
        {"price": price.pk, "starts_on": "2026-02-10", "ends_on": "2026-02-28", "reference": "", "number": "4711"},
    )

    line = Line.objects.get()
    assert (line.number, line.brick, line.price) == (4711, price.brick, price)
    assert line.starts_at == make.moment("2026-02-10", tz="America/New_York")
    assert line.ends_at == make.moment("2026-03-01", tz="America/New_York")


def test_line_that_can_not_be_agreed_is_refused_on_its_field():
    line = make.line()
    elsewhere = make.price(make.brick(make.workspace("other")))
    url, client = page(line.subscription, "add_line"), administrator()
    data = {"price": line.price_id, "starts_on": "", "ends_on": "", "reference": "", "id": ""}

    assert list(errors_of(client.post(url, data))) == ["price"]
    assert list(errors_of(client.post(url, data | {"price": elsewhere.pk}))) == ["price"]
    assert list(errors_of(client.post(url, data | {"starts_on": "2025-12-31"}))) == ["starts_on"]
    assert list(errors_of(client.post(url, data | {"ends_on": "2025-12-31"}))) == ["ends_on"]
    assert Line.objects.count() == 1


@pytest.mark.parametrize("days", [{"ends_on": "9999-12-31"}, {"starts_on": "0001-01-01"}])
def test_day_that_no_calendar_has_is_refused_on_the_form(days):
    customer = make.customer(make.workspace(time_zone="Asia/Tokyo"))

    refused = post_and_confirm(administrator(), reverse(ADD), agreed(customer=customer.pk, **days))

    (message,) = errors_of(refused)["__all__"]
    assert message.endswith("is outside the years 1 to 9999.")
    assert not Subscription.objects.exists()


def test_line_ends_after_its_last_day_but_not_before_its_usage():
    line, client = make.line(), administrator()
    url = reverse("admin:billing_line_end", args=[line.subscription_id, line.pk])
    make.use(line, "1", "2026-01-20 12:00")

    refused = client.post(url, {"ends_on": "2026-01-19"})
    client.post(url, {"ends_on": "2026-01-20"})

    line.refresh_from_db()
    assert list(errors_of(refused)) == ["ends_on"]
    assert line.ends_at == make.moment("2026-01-21")


def test_subscription_ends_with_its_lines_but_not_in_a_closed_period():
    line, client = make.line(), administrator()
    close(line.workspace, "2026-02-01")
    url = page(line.subscription, "end")

    refused = client.post(url, {"ends_on": "2026-01-30"})
    client.post(url, {"ends_on": "2026-02-14"})

    line.refresh_from_db()
    assert list(errors_of(refused)) == ["ends_on"]
    assert line.ends_at == line.subscription.ends_at == make.moment("2026-02-15")


def test_page_shows_the_ids_that_clients_hold_and_loads_the_upcoming_invoice():
    line = make.line()

    shown = administrator().get(page(line.subscription)).content.decode()

    for copied in (line.subscription_id, line.number, line.brick_id):
        assert shown.count(f'data-copy="{copied}"') == 1
    assert f'hx-get="{reverse("admin:usage_preview", args=[line.subscription_id])}"' in shown


def test_subscription_is_edited_by_no_form():
    line, client = make.line(), administrator()

    assert client.post(page(line.subscription), {"currency": "EUR"}).status_code == 403


def test_viewer_may_look_but_neither_add_nor_end():
    line = make.line()
    viewer = client_of("billing.view_subscription")

    shown = viewer.get(page(line.subscription))

    assert shown.status_code == 200
    assert "usage/preview" not in shown.content.decode()
    for url in (
        page(line.subscription, "add_line"),
        page(line.subscription, "end"),
        reverse("admin:billing_line_end", args=[line.subscription_id, line.pk]),
        reverse(ADD),
    ):
        assert viewer.post(url, {}).status_code == 403


def test_ended_subscription_takes_no_line_any_more():
    line = make.line()
    contracts.end_subscription(subscription=line.subscription, ends_at=make.moment("2026-01-10"), actor=make.ACTOR)
    close(line.workspace, "2026-02-01")

    answer = administrator().get(page(line.subscription, "add_line"))

    assert (answer.status_code, answer["Location"]) == (302, page(line.subscription))


@pytest.mark.parametrize("view", ["change", "add_line", "end"])
def test_subscription_of_a_senseless_id_is_not_there(view):
    response = administrator().get(f"/admin/billing/subscription/senseless/{view}/")

    assert response.status_code in (403, 404)


def test_a_subscription_made_by_mistake_is_voided():
    line, client = make.line(), administrator()

    response = client.post(page(line.subscription, "void"))

    line.subscription.refresh_from_db()
    shown = client.get(response.url).content.decode()
    assert line.subscription.is_voided
    assert "Voided" in shown
    assert "nothing (voided, from 1 Jan 2026)" in shown
    assert client.get(page(line.subscription, "void"))["Location"] == page(line.subscription)


def test_what_is_closed_can_not_be_voided():
    line = make.line()
    close(line.workspace, "2026-02-01")

    assert administrator().post(page(line.subscription, "void"))["Location"] == page(line.subscription)
    assert not Subscription.objects.get().is_voided


def test_an_end_is_taken_back_in_the_panel_with_that_of_the_lines():
    line, client = make.line(), administrator()
    client.post(page(line.subscription, "end"), {"ends_on": "2026-03-31"})

    client.post(page(line.subscription, "end"), {"ends_on": "2026-04-30"})
    longer = Line.objects.get().ends_at
    client.post(page(line.subscription, "end"), {"ends_on": ""})

    assert longer == make.moment("2026-05-01")
    assert (Subscription.objects.get().ends_at, Line.objects.get().ends_at) == (None, None)


def test_a_line_that_ends_the_day_before_it_begins_is_voided():
    line = make.line()

    administrator().post(
        reverse("admin:billing_line_end", args=[line.subscription_id, line.pk]), {"ends_on": "2025-12-31"}
    )

    assert Line.objects.get().is_voided
    assert not Subscription.objects.get().is_voided


def test_prolonging_names_the_lines_that_stay_ended():
    line = make.line()
    other = make.brick(line.workspace, "Seats")
    ends_at = make.moment("2026-02-01")
    contracts.add_line(
        subscription=line.subscription, brick=other, price=make.price(other), ends_at=ends_at, actor=make.ACTOR
    )
    contracts.end_subscription(subscription=line.subscription, ends_at=ends_at, actor=make.ACTOR)
    url = reverse("admin:billing_subscription_end", args=[line.subscription_id])

    response = administrator().post(url, {"ends_on": "2026-03-31"}, follow=True)

    assert [str(message) for message in response.context["messages"]] == [
        "The subscription ends on 31 Mar 2026.",
        "These lines had ended before and stay ended: Line 2 (Seats, 31 Jan 2026).",
    ]


def test_of_many_lines_that_stay_ended_the_first_ten_are_named():
    line = make.line()
    for n in range(12):
        brick = make.brick(line.workspace, f"Brick {n}")
        ends_at = make.moment("2026-01-11")
        contracts.add_line(
            subscription=line.subscription, brick=brick, price=make.price(brick), ends_at=ends_at, actor=make.ACTOR
        )
    contracts.end_subscription(subscription=line.subscription, ends_at=make.moment("2026-02-01"), actor=make.ACTOR)
    url = reverse("admin:billing_subscription_end", args=[line.subscription_id])

    response = administrator().post(url, {"ends_on": ""}, follow=True)

    _, stay = map(str, response.context["messages"])
    assert stay.endswith("Line 11 (Brick 9, 10 Jan 2026) and 2 more.")


def test_moments_of_refusals_are_told_as_the_panel_writes_them():
    line = make.line(make.workspace(time_zone="Europe/Berlin"))
    make.use(line, "3", "2026-02-10 12:30")
    close_and_issue(line.workspace, "2026-02-01", tz="Europe/Berlin")
    url, client = page(line.subscription, "end"), administrator()

    closed = client.post(url, {"ends_on": "2026-01-20"})
    used = client.post(
        reverse("admin:billing_line_end", args=[line.subscription_id, line.pk]), {"ends_on": "2026-02-05"}
    )

    assert errors_of(closed)["ends_on"] == ["Periods before 1 Feb 2026, 00:00 are closed."]
    assert errors_of(used)["ends_on"] == ["Usage was recorded up to 10 Feb 2026, 13:30: retract it first."]


@time_machine.travel("2026-11-27T12:00Z", tick=False)
def test_oldest_open_period_is_told_with_its_days_and_how_many_are_open():
    line, client = make.line(), administrator()
    customer = line.subscription.customer
    close_and_issue(line.workspace, "2026-08-01")

    shown = source_of(client.get(page(line.subscription)))
    listed = source_of(client.get(reverse("admin:billing_subscription_changelist")))
    of_customer = source_of(client.get(reverse("admin:billing_customer_change", args=[customer.pk])))

    # August, September and October are over, and November runs.
    assert "<dt>Oldest open period</dt><dd>1 Aug – 31 Aug 2026, the oldest of 4 open periods</dd>" in shown
    for page_shown in (listed, of_customer):
        assert "Oldest open period" in page_shown
        assert "1 Aug – 31 Aug 2026" in page_shown


@time_machine.travel("2026-01-15T12:00Z", tick=False)
def test_period_that_runs_is_the_oldest_that_is_open_and_one_to_come_is_told_as_well():
    runs = make.line().subscription
    comes = make.subscription(runs.customer, starts_on=date(2026, 5, 1))
    ended = make.subscription(runs.customer, ends_on=date(2026, 1, 2))
    close_and_issue(runs.workspace, "2026-01-10")
    client = administrator()

    def told(subscription: Subscription) -> str:
        shown = source_of(client.get(page(subscription)))
        return shown.partition("<dt>Oldest open period</dt><dd>")[2].partition("</dd>")[0]

    assert told(runs) == "1 Jan – 31 Jan 2026"
    assert told(comes) == "1 May – 31 May 2026"
    assert told(ended) == "–"
