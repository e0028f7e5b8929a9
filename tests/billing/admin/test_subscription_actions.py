from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from billing import contracts
from billing.contracts import Limits
from billing.models import Line
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of

pytestmark = pytest.mark.django_db

NAMES = ("hard_limit_quantity", "hard_limit_amount", "soft_limit_quantity", "soft_limit_amount")
NONE = dict.fromkeys(NAMES, "")


def url_of(line):
    return reverse("admin:billing_line_limits", args=[line.subscription_id, line.pk])


def page_of(line, view="change"):
    return reverse(f"admin:billing_subscription_{view}", args=[line.subscription_id])


def limits_of(line):
    return Line.objects.values_list(*NAMES).get(pk=line.pk)


def test_limits_are_set_shown_and_taken_away():
    line, client = make.line(), administrator()

    saved = client.post(url_of(line), NONE | {"hard_limit_quantity": "50.5", "soft_limit_amount": "80"})
    form = client.get(url_of(line)).context["form"]
    page = client.get(page_of(line)).content.decode()

    assert saved.url == page_of(line)
    assert limits_of(line) == (Decimal("50.5"), None, None, Decimal(80))
    assert [form[name].value() for name in NAMES] == ["50.5", None, None, "80"]
    assert "hard: 50.5 units" in page
    assert "soft: USD 80" in page
    client.post(url_of(line), NONE)
    assert limits_of(line) == (None, None, None, None)


def test_a_line_is_added_with_its_limits():
    price = make.price(make.brick(make.workspace()))
    subscription = make.subscription(make.customer(price.workspace))
    data = NONE | {"price": price.pk, "starts_on": "", "ends_on": "", "reference": "", "id": ""}
    url = reverse("admin:billing_subscription_add_line", args=[subscription.pk])

    administrator().post(url, data | {"hard_limit_amount": "99.5"})

    assert limits_of(Line.objects.get()) == (None, Decimal("99.5"), None, None)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"hard_limit_quantity": "0"}, "hard_limit_quantity"),
        ({"soft_limit_amount": "-1"}, "soft_limit_amount"),
        ({"hard_limit_quantity": "1", "hard_limit_amount": "1"}, "hard_limit_amount"),
        ({"hard_limit_quantity": "many"}, "hard_limit_quantity"),
        ({"soft_limit_quantity": "0.0000000001"}, "soft_limit_quantity"),
        ({"hard_limit_amount": "0.00001"}, "hard_limit_amount"),
        ({"hard_limit_amount": "1e30"}, "hard_limit_amount"),
    ],
)
def test_limits_that_make_no_sense_are_refused_on_their_field(sent, field):
    line = make.line()

    response = administrator().post(url_of(line), NONE | sent)

    assert list(errors_of(response)) == [field]
    assert limits_of(line) == (None, None, None, None)


def test_a_gauge_has_no_limits():
    line, client = make.line(aggregation="unit_days"), administrator()

    refused = client.post(url_of(line), NONE | {"hard_limit_quantity": "5"})

    assert errors_of(refused) == {"hard_limit_quantity": ["Only a counter can have limits."]}
    assert url_of(line) not in client.get(page_of(line)).content.decode()


def test_a_viewer_sees_limits_but_sets_none():
    line = contracts.set_limits(line=make.line(), limits=Limits(hard_limit_quantity=Decimal(50)), actor=make.ACTOR)
    viewer = client_of("billing.view_subscription")

    page = viewer.get(page_of(line)).content.decode()

    assert "hard: 50 units" in page
    assert url_of(line) not in page
    assert viewer.post(url_of(line), NONE).status_code == 403


def test_a_line_of_another_subscription_is_refused():
    line = make.line()
    other = make.subscription(line.subscription.customer)

    url = reverse("admin:billing_line_limits", args=[other.pk, line.pk])

    assert administrator().post(url, NONE).status_code == 404


@pytest.mark.parametrize(("used", "shown"), [("9.9", None), ("10", "Soft"), ("15", "Hard")])
def test_current_usage_tells_which_limit_is_reached(used, shown):
    limits = Limits(soft_limit_quantity=Decimal(10), hard_limit_amount=Decimal(30))
    line = contracts.set_limits(line=make.line(), limits=limits, actor=make.ACTOR)
    make.use(line, used, "2026-01-10")

    with time_machine.travel("2026-01-20", tick=False):
        client = administrator()
        page = client.get(reverse("admin:usage_preview", args=[line.subscription_id])).content.decode()

    assert [limit for limit in ("Soft", "Hard") if f"{limit} limit reached" in page] == ([shown] if shown else [])
