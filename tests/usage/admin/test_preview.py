from datetime import date, timedelta

import pytest
import time_machine
from django.urls import reverse

from billing.models import Line, PriceTier
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, queries_of, source_of
from tests.scenarios.closing import close_and_issue
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

TIERS = [("10", "2", "0"), (None, "1", "0")]


def page(line: object) -> str:
    return reverse("admin:usage_preview", args=[line.subscription_id])  # type: ignore[attr-defined]


@time_machine.travel("2026-02-15T12:00Z", tick=False)
def test_preview_shows_usage_so_far_tier_by_tier_with_differences_of_closed_periods():
    line = make.line(model="graduated", tiers=TIERS)
    close_and_issue(line.workspace, "2026-02-01")
    make.use(line, "12", "2026-02-05")
    make.use(line, "7", "2026-02-20")
    make.use(line, "1", "2026-01-05", recorded_at="2026-02-06")

    shown = source_of(administrator().get(page(line)))

    for text in (
        "10 units (up to 10) x 2.00 = 20.00",
        "2 units (above 10) x 1.00 = 2.00",
        "Difference of a closed period",
        "1 Feb – 28 Feb 2026, measured until 15 Feb 2026, 12:00",
        "USD 24.00",
    ):
        assert text in shown
    assert UsageRecord.objects.count() == 3


@time_machine.travel("2026-03-15T12:00Z", tick=False)
def test_preview_says_which_of_the_open_periods_it_shows():
    line = make.line()
    oldest = source_of(administrator().get(page(line)))
    close_and_issue(line.workspace, "2026-03-01")
    only = source_of(administrator().get(page(line)))

    # January and February are over, and March runs.
    assert "Period 1 Jan – 31 Jan 2026, the oldest of 3 open periods, measured until" in oldest
    assert "Period 1 Mar – 31 Mar 2026, measured until" in only


@time_machine.travel("2026-03-15T12:00Z", tick=False)
def test_preview_of_what_has_ended_counts_no_running_period():
    line = make.line(ends_on=date(2026, 2, 15))

    assert "the oldest of 2 open periods" in source_of(administrator().get(page(line)))


@time_machine.travel("2026-03-15T12:00Z", tick=False)
def test_preview_counts_open_periods_up_to_a_bound(settings):
    settings.CLOSE_MAX_PERIODS = 2
    line = make.line()

    assert "the oldest of more than 2 open periods" in source_of(administrator().get(page(line)))


@time_machine.travel("2026-01-15T12:00Z", tick=False)
@pytest.mark.parametrize(
    ("style", "quantity", "amount"),
    [
        ("point", "1,234,567.5", "2,469,135.00"),
        ("comma", "1.234.567,5", "2.469.135,00"),
        ("space", "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567,5", "2\N{NO-BREAK SPACE}469\N{NO-BREAK SPACE}135,00"),
    ],
)
def test_preview_writes_numbers_as_the_workspace_does(style, quantity, amount):
    line = make.line(make.workspace(number_format=style))
    make.use(line, "1234567.5", "2026-01-02")

    shown = source_of(administrator().get(page(line)))

    assert f">{quantity}<" in shown
    assert f"USD {amount}<" in shown


@time_machine.travel("2026-01-15T12:00Z", tick=False)
def test_preview_of_an_incomplete_price_says_so():
    line = make.line(model="graduated", tiers=TIERS)
    PriceTier.objects.filter(up_to=None).delete()

    assert "the last tier must be open" in source_of(administrator().get(page(line)))


@time_machine.travel("2025-12-15T12:00Z", tick=False)
def test_preview_before_the_first_period_says_that_none_is_open():
    assert "No period is open" in administrator().get(page(make.line())).content.decode()


@time_machine.travel("2026-01-15T12:00Z", tick=False)
def test_preview_takes_as_many_queries_for_many_records():
    line, client = make.line(), administrator()
    make.use(line, "1", "2026-01-02")
    one = queries_of(client, page(line))
    make.use(line, "1", "2026-01-03")
    make.use(line, "1", "2026-01-04")

    assert queries_of(client, page(line)) == one


def test_preview_shows_to_those_who_may_see_both():
    line = make.line()

    assert client_of("billing.view_subscription").get(page(line)).status_code == 403
    assert client_of("usage.view_usagerecord").get(page(line)).status_code == 403
    assert client_of("billing.view_subscription", "usage.view_usagerecord").get(page(line)).status_code == 200


def test_usage_that_no_period_counts_is_listed_on_the_subscription():
    line = make.line()
    make.use(line, "7", "2062-01-01", recorded_at="2026-01-10")

    page = administrator().get(reverse("admin:usage_preview", args=[line.subscription_id])).content.decode()

    assert 'id="ahead"' in page
    assert "1 Jan 2062, 00:00" in page
    assert f"7 (line {line.number})" in page


@time_machine.travel("2026-01-15T12:00Z", tick=False)
def test_preview_shows_usage_beyond_the_ends_of_any_number_of_lines():
    line = make.line()
    Line.objects.bulk_create(
        Line(
            workspace_id=line.workspace_id,
            subscription_id=line.subscription_id,
            brick_id=line.brick_id,
            price_id=line.price_id,
            number=1000 + n,
            starts_at=line.starts_at - (n + 2) * timedelta(minutes=1),
            ends_at=line.starts_at - (n + 1) * timedelta(minutes=1),
            open_from_at=line.starts_at,
        )
        for n in range(1001)
    )
    make.use(line, "7", "2062-01-01", recorded_at="2026-01-10")

    shown = administrator().get(page(line))

    assert shown.status_code == 200
    assert [record.quantity for record in shown.context["ahead"]] == [7]
