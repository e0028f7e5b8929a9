"""A line that follows another of its gauge: the person sees what it opens with, and the invoices before and after."""

import pytest
import time_machine
from django.urls import reverse

from billing import contracts
from billing.models import Line, NumberSeries
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of, post_and_confirm

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tenth_of_january")]


@pytest.fixture
def tenth_of_january():
    with time_machine.travel("2026-01-10T12:00Z", tick=False):
        yield


@pytest.fixture
def ended():
    """20 users at $2 a day, until the 15th."""
    line = make.line(aggregation="unit_days")
    make.use(line, "20", "2026-01-01")
    return contracts.end_line(line=line, ends_at=make.moment("2026-01-16"))


def described(line: Line, **fields: str) -> dict[str, object]:
    dearer = make.price(line.brick, "3")
    empty = {"ends_on": "", "reference": "", "number": ""}
    return empty | {"price": dearer.pk, "starts_on": "2026-01-16"} | fields


def page(line: Line) -> str:
    return reverse("admin:billing_subscription_add_line", args=[line.subscription_id])


@pytest.mark.parametrize(
    ("fields", "reason", "carries_on"),
    [
        # 300 unit-days at $2, and 320 at $3; February: 560 at $3.
        (
            {},
            "It opens with 20, the last value of Line 1. If nothing else is reported: "
            "The running invoice is USD 600.00 before and USD 1,560.00 after. "
            "The next invoice is USD 0.00 before and USD 1,680.00 after.",
            True,
        ),
        (
            {"opens_at_zero": "on"},
            "It opens at 0: the last value of Line 1, 20, is not carried on. If nothing else is reported: "
            "The running invoice is USD 600.00 before and USD 600.00 after. "
            "The next invoice is USD 0.00 before and USD 0.00 after.",
            False,
        ),
    ],
)
def test_the_value_and_the_invoices_are_seen_before_the_line_is_added(ended, fields, reason, carries_on):
    client, data = administrator(), described(ended, **fields)

    asked = client.post(page(ended), data)

    assert [question.reason for question in asked.context["form"].unanswered] == [reason]
    assert reason in asked.content.decode()
    assert list(Line.objects.all()) == [ended]
    assert NumberSeries.objects.get(kind="line", workspace=ended.workspace).next_sequence == 2
    assert post_and_confirm(client, page(ended), data).status_code == 302
    assert Line.objects.get(number=2).carries_on is carries_on


def test_a_former_line_without_a_value_has_none_to_carry_on():
    line = make.line(aggregation="unit_days")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"))

    asked = administrator().post(page(line), described(line))

    [question] = asked.context["form"].unanswered
    assert question.reason.startswith("It opens at 0: Line 1 had no value. If nothing else is reported:")


@pytest.mark.parametrize("aggregation", ["sum", "unit_days"])
def test_a_counter_and_a_first_gauge_are_added_without_a_question(aggregation):
    line = make.line()
    brick = make.brick(line.workspace, "Other", aggregation)
    data = {"price": make.price(brick).pk, "starts_on": "", "ends_on": "", "reference": "", "number": ""}

    assert administrator().post(page(line), data).status_code == 302
    assert Line.objects.count() == 2


def test_what_can_not_be_added_is_refused_and_not_asked(ended):
    response = administrator().post(page(ended), described(ended, starts_on="2026-01-10"))

    assert list(errors_of(response)) == ["price"]
    assert Line.objects.count() == 1


def test_a_line_that_others_follow_names_the_one_that_it_follows(ended):
    contracts.add_line(
        subscription=ended.subscription,
        brick=ended.brick,
        price=ended.price,
        starts_at=make.moment("2026-01-16"),
        ends_at=make.moment("2026-01-20"),
    )

    asked = administrator().post(page(ended), described(ended, starts_on="2026-01-20"))

    assert "It opens with 20, the last value of Line 2." in asked.context["form"].unanswered[0].reason
