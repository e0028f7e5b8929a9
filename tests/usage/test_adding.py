"""A line that follows another of its gauge: the person sees what it opens with, and the invoices before and after."""

from datetime import date

import pytest
import time_machine
from django.urls import reverse

from billing import contracts
from billing.models import EventRule, Line, NumberSeries, Price
from tests import factories as make
from tests.billing.admin.staff import administrator, errors_of, post_and_confirm
from tests.scenarios.closing import close_and_issue

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("tenth_of_january")]


@pytest.fixture
def tenth_of_january():
    with time_machine.travel("2026-01-10T12:00Z", tick=False):
        yield


@pytest.fixture
def ended():
    """20 users at $2 a day, until the 15th."""
    line = make.line(aggregation="unit_days")
    make.use(line, "20", "2026-01-01")
    return contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)


def described(line: Line, **fields: str) -> dict[str, object]:
    dearer = make.price(line.brick, "3")
    empty = {"ends_on": "", "reference": "", "number": ""}
    return empty | {"price": dearer.pk, "starts_on": "2026-01-16"} | fields


def page(line: Line) -> str:
    return reverse("admin:billing_subscription_add_line", args=[line.subscription_id])


def asked(client, line: Line, **fields: str):
    """The one question that the form asks."""
    [question] = client.post(page(line), described(line, **fields)).context["form"].unanswered
    return question


@pytest.mark.parametrize(
    ("fields", "reason", "carries_on"),
    [
        # 300 unit-days at $2, and 320 at $3; February: 560 at $3.
        (
            {},
            "It opens with 20, the last value of Line 1. If no further usage is reported: "
            "The invoice of 1 Jan – 31 Jan 2026 is USD 600.00 before and USD 1,560.00 after. "
            "The invoice of 1 Feb – 28 Feb 2026 is USD 0.00 before and USD 1,680.00 after.",
            True,
        ),
        (
            {"opens_at_zero": "on"},
            "It opens at 0: the last value of Line 1, 20, is not carried on. If no further usage is reported: "
            "The invoice of 1 Jan – 31 Jan 2026 is USD 600.00 before and USD 600.00 after. "
            "The invoice of 1 Feb – 28 Feb 2026 is USD 0.00 before and USD 0.00 after.",
            False,
        ),
    ],
)
def test_the_value_and_the_invoices_are_seen_before_the_line_is_added(ended, fields, reason, carries_on):
    client, data = administrator(), described(ended, **fields)

    shown = client.post(page(ended), data)

    assert [question.reason for question in shown.context["form"].unanswered] == [reason]
    assert reason in shown.content.decode()
    assert list(Line.objects.all()) == [ended]
    assert NumberSeries.objects.get(kind="line", workspace=ended.workspace).next_sequence == 2
    assert post_and_confirm(client, page(ended), data).status_code == 302
    assert Line.objects.get(number=2).carries_on is carries_on


def test_a_former_line_without_a_value_has_none_to_carry_on():
    line = make.line(aggregation="unit_days")
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)

    reason = asked(administrator(), line).reason

    assert reason.startswith("It opens at 0: Line 1 had no value. If no further usage is reported:")


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
        actor=make.ACTOR,
    )

    assert "It opens with 20, the last value of Line 2." in asked(administrator(), ended, starts_on="2026-01-20").reason


def test_an_answer_holds_while_usage_moves_the_totals(ended):
    counter = make.brick(ended.workspace, "Calls")
    calls = contracts.add_line(
        subscription=ended.subscription, brick=counter, price=make.price(counter), actor=make.ACTOR
    )
    client, data = administrator(), described(ended)
    [question] = client.post(page(ended), data).context["form"].unanswered
    make.use(calls, "7", "2026-01-09")

    [moved] = client.post(page(ended), data).context["form"].unanswered

    assert moved.reason != question.reason
    assert client.post(page(ended), data | {"once_more": question.answer}).status_code == 302


@pytest.mark.parametrize("once_more", ["", "on", "20"])
def test_an_answer_that_was_not_shown_is_none(ended, once_more):
    assert administrator().post(page(ended), described(ended) | {"once_more": once_more}).status_code == 200
    assert Line.objects.count() == 1


def test_another_carried_value_is_asked_anew(ended):
    client, data = administrator(), described(ended)
    [question] = client.post(page(ended), data).context["form"].unanswered
    make.use(ended, "25", "2026-01-09")

    again = client.post(page(ended), data | {"once_more": question.answer})

    assert again.context["form"].unanswered[0].reason.startswith("It opens with 25, the last value of Line 1.")
    assert Line.objects.count() == 1


@pytest.mark.parametrize(
    "changed", [{"opens_at_zero": "on"}, {"starts_on": "2026-01-17"}, {"ends_on": "2026-01-31"}, {"price": "other"}]
)
def test_another_line_is_asked_anew(ended, changed):
    client, data = administrator(), described(ended)
    [question] = client.post(page(ended), data).context["form"].unanswered
    if "price" in changed:
        changed = {"price": make.price(ended.brick, "4").pk}

    again = client.post(page(ended), data | changed | {"once_more": question.answer})

    assert again.context["form"].unanswered[0].answer != question.answer
    assert Line.objects.count() == 1


def ending_in_march(**fields) -> Line:
    """20 users at $2 a day, until 15 March."""
    line = make.line(aggregation="unit_days", **fields)
    make.use(line, "20", "2026-01-01")
    return contracts.end_line(line=line, ends_at=make.moment("2026-03-16"), actor=make.ACTOR)


@time_machine.travel("2026-03-10T12:00Z", tick=False)
def test_the_invoices_are_those_of_the_period_in_which_the_line_starts_and_the_next():
    # 15 days of 20 at $2, and 16 of 20 at $3; April: 30 of 20 at $3.
    assert asked(administrator(), ending_in_march(), starts_on="2026-03-16").reason == (
        "It opens with 20, the last value of Line 1. If no further usage is reported: "
        "The invoice of 1 Mar – 31 Mar 2026 is USD 600.00 before and USD 1,560.00 after. "
        "The invoice of 1 Apr – 30 Apr 2026 is USD 0.00 before and USD 1,800.00 after. "
        "2 older periods are open too."
    )


@time_machine.travel("2026-03-10T12:00Z", tick=False)
def test_differences_are_told_of_no_other_invoice_than_the_one_that_bills_them():
    line = ending_in_march()
    close_and_issue(line.workspace, "2026-02-01")
    # $2 for January, on the invoice of February, which is open; March: 15 days of 21 at $2, and 16 at $3.
    make.use(line, "21", "2026-01-31")

    reason = asked(administrator(), line, starts_on="2026-03-16").reason

    assert "The invoice of 1 Mar – 31 Mar 2026 is USD 630.00 before and USD 1,638.00 after." in reason
    assert reason.endswith("1 older period is open too.")


@time_machine.travel("2026-02-10T12:00Z", tick=False)
def test_differences_are_on_the_oldest_open_invoice():
    line = ending_in_march()
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "21", "2026-01-31")
    contracts.end_line(line=line, ends_at=make.moment("2026-02-15"), actor=make.ACTOR)

    # February: 14 days of 21 at $2, and 14 at $3, and $2 for January.
    reason = asked(administrator(), line, starts_on="2026-02-15").reason

    assert "The invoice of 1 Feb – 28 Feb 2026 is USD 590.00 before and USD 1,472.00 after." in reason
    assert "older" not in reason


@time_machine.travel("2026-03-10T12:00Z", tick=False)
def test_the_last_period_of_a_subscription_has_no_next():
    line = ending_in_march(ends_on=date(2026, 4, 1))

    reason = asked(administrator(), line, starts_on="2026-03-16").reason

    assert reason.count("The invoice of") == 1


@pytest.mark.bound("CLOSE_MAX_PERIODS")
@pytest.mark.parametrize(("most", "older"), [(2, "2 older periods are open too."), (1, "More than 1 older period")])
@time_machine.travel("2026-03-10T12:00Z", tick=False)
def test_more_open_periods_than_a_run_closes_are_told(settings, most, older):
    settings.CLOSE_MAX_PERIODS = most

    reason = asked(administrator(), ending_in_march(), starts_on="2026-03-16").reason

    assert "The invoice of 1 Mar – 31 Mar 2026 is USD 600.00 before and USD 1,560.00 after." in reason
    assert older in reason


def test_the_value_is_the_one_that_is_billed():
    line = make.line(aggregation="unit_days")
    make.use(line, "20", "2026-01-01")
    # Dated in the future, as vendors' APIs take it, and beyond the end that the line is given.
    make.use(line, "99", "2026-01-12", recorded_at="2026-01-10")
    contracts.end_line(
        line=line, ends_at=make.moment("2026-01-11"), as_of=make.moment("2026-01-10 12:00"), actor=make.ACTOR
    )

    # 10 days of 20 at $2, and 16 of 20 at $3.
    assert asked(administrator(), line).reason.startswith(
        "It opens with 20, the last value of Line 1. If no further usage is reported: "
        "The invoice of 1 Jan – 31 Jan 2026 is USD 400.00 before and USD 1,360.00 after. "
    )
    assert "the last value of Line 1, 20, is not carried on." in asked(administrator(), line, opens_at_zero="on").reason


def too_large_a_rule(line: Line) -> str:
    messages = make.event_brick(line.workspace)
    contracts.add_line(subscription=line.subscription, brick=messages, price=make.price(messages), actor=make.ACTOR)
    EventRule.objects.update(filters={f"p{n}": ["x"] for n in range(21)})
    return "The rule of “Messages” can't be evaluated: A rule has at most 20 filters, not 21."


def no_tiers(line: Line) -> str:
    calls = make.brick(line.workspace, "Calls")
    contracts.add_line(subscription=line.subscription, brick=calls, price=make.price(calls), actor=make.ACTOR)
    Price.objects.filter(brick=calls).update(model="graduated", unit_price=0)
    return "The price “Calls per_unit (USD)” is incomplete: tiers: at least one tier is required."


@pytest.mark.parametrize("spoil", [too_large_a_rule, no_tiers])
def test_what_can_not_be_rated_is_told_and_asked_all_the_same(ended, spoil):
    why = spoil(ended)
    client, data = administrator(), described(ended, opens_at_zero="on")

    [question] = client.post(page(ended), data).context["form"].unanswered

    assert question.reason.startswith(
        "It opens at 0: the last value of Line 1, 20, is not carried on. The invoices can't be computed: " + why
    )
    assert client.post(page(ended), data | {"once_more": question.answer}).status_code == 302
