"""Figures for people, in each number format and in a workspace's time zone."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing import figures
from billing.entry.numbers import NumberFormat
from billing.localmoment import LocalMoment
from billing.models import EventRule, Subscription
from tests.factories import moment

pytestmark = pytest.mark.once

BERLIN = ZoneInfo("Europe/Berlin")
# New Year in Berlin.
NEW_YEAR = datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("style", "money"),
    [
        (NumberFormat.POINT, "KWD 1,234.125"),
        (NumberFormat.COMMA, "KWD 1.234,125"),
        (NumberFormat.SPACE, "KWD 1\xa0234,125"),
    ],
)
def test_money_has_its_currencys_decimals_and_the_workspaces_marks(style, money):
    assert figures.money(Decimal("1234.125"), "KWD", style) == money


def test_counts_are_grouped_and_a_quantity_keeps_its_decimals():
    assert figures.count(1234567, NumberFormat.COMMA) == "1.234.567"
    assert figures.quantity(Decimal("1234.500000000"), NumberFormat.COMMA) == "1.234,5"
    assert figures.quantity(None, NumberFormat.COMMA) == "–"


@pytest.mark.parametrize(
    ("starts", "ends", "told"),
    [
        ("2026-01-01", "2026-02-01", "1 Jan – 31 Jan 2026"),
        ("2025-12-15", "2026-01-15", "15 Dec 2025 – 14 Jan 2026"),
        ("2026-01-01", "2026-01-02", "1 Jan 2026"),
        ("2026-01-01", "2026-01-02 00:00:00.000001", "1 Jan – 2 Jan 2026"),
        ("2026-01-01", None, "from 1 Jan 2026"),
        ("2026-01-01", "2026-01-01", "nothing (voided, from 1 Jan 2026)"),
    ],
)
def test_a_span_is_told_by_its_first_and_last_day(starts, ends, told):
    tz = "Europe/Berlin"
    ends_at = None if ends is None else moment(ends, tz=tz)

    assert figures.days(moment(starts, tz=tz), ends_at, BERLIN) == told


def test_days_and_moments_are_those_of_the_zone():
    assert figures.day(NEW_YEAR, BERLIN) == "1 Jan 2026"
    assert figures.last_day(NEW_YEAR, BERLIN) == "31 Dec 2025"
    assert figures.moment(NEW_YEAR, BERLIN) == "1 Jan 2026, 00:00"
    assert figures.local(LocalMoment(NEW_YEAR, BERLIN)) == "1 Jan 2026, 00:00"
    assert [tell(None, BERLIN) for tell in (figures.day, figures.last_day, figures.moment)] == ["–"] * 3


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (NEW_YEAR, "31 Dec 2025"),
        (datetime(2025, 12, 31, 22, 59, tzinfo=UTC), "30 Dec 2025"),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), "31 Dec 2025"),
    ],
)
def test_the_last_whole_day_is_over(at, told):
    assert figures.last_whole_day(at, BERLIN) == told


def test_the_end_of_a_day_is_the_first_moment_after_it():
    assert figures.end_of(date(2025, 12, 31), BERLIN) == NEW_YEAR
    assert figures.end_of(None, BERLIN) is None


def test_an_open_period_is_told_until_all_are_closed():
    of = Subscription(open_from_at=NEW_YEAR, next_close_at=moment("2026-02-01", tz="Europe/Berlin"))
    assert figures.open_period(of, BERLIN) == "1 Jan – 31 Jan 2026"

    of.next_close_at = None
    assert figures.open_period(of, BERLIN) == "–"


@pytest.mark.parametrize(("text", "told"), [("Customer 7 ", "Customer 7␣"), ("SUB-1", "SUB-1"), ("", "–"), (None, "–")])
def test_blanks_at_the_ends_of_an_identifier_are_seen(text, told):
    assert figures.identifier(text) == told


def test_of_a_long_text_the_beginning_is_told_and_how_much_more_there_is():
    assert figures.beginning("abcdef", 6) == "abcdef"
    assert figures.beginning("abcdef", 4) == "abcd… and 2 more characters"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"aggregation": "count"}, "sent: number of events"),
        ({"aggregation": "sum", "property": "length"}, "sent: total of length"),
        (
            {"aggregation": "count", "filters": {"type": ["text", "fax"], "plan": ["trial"]}, "negated": ["plan"]},
            "sent: number of events where plan is not trial and type is text or fax",
        ),
        (
            {"aggregation": "count", "filters": {"type": ["text"]}, "is_case_sensitive": False},
            "sent: number of events where type is text, in upper or lower case",
        ),
    ],
)
def test_a_rule_is_told_in_words(fields, told):
    assert figures.event_rule(EventRule(event_type="sent", **fields)) == told


def test_a_rule_of_very_many_values_is_cut():
    rule = EventRule(event_type="sent", aggregation="count", filters={"to": ["x" * 100] * 100})

    told = figures.event_rule(rule)

    assert told.endswith(" more characters")
    assert len(told) < figures.MOST_OF_RULE + 100
