"""Figures in templates, in the formats and the zone of the workspace that the panel shows."""

from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template

from billing.models import EventRule, Workspace
from billing.templatetags.figures import MOST_LETTERS
from tests.factories import moment

pytestmark = pytest.mark.once

ACME = Workspace(time_zone="Europe/Berlin", number_format="comma", day_format="iso")


def rendered(template: str, of: Workspace = ACME, **values: object) -> str:
    request = SimpleNamespace(workspace=of)
    return Template("{% load figures %}" + template).render(Context({"request": request, **values}))


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ('{% amount value "USD" %}', Decimal("1234.5"), "USD 1.234,50"),
        ('{% amount value "USD" bare=True %}', Decimal("-0.5"), "-0,50"),
        ('{% amount value "JPY" %}', Decimal(1234), "JPY 1.234"),
        ('{% amount value "USD" %}', None, "–"),
        ('{% unit_price value "EUR" %}', Decimal("0.000250"), "EUR 0,00025"),
        ('{% unit_price value "EUR" %}', Decimal(2), "EUR 2,00"),
        ("{% number value %}", Decimal("1234.567800000"), "1.234,5678"),
        ("{% number value %}", None, "–"),
        ("{% count value %}", 12345, "12.345"),
        ("{% count value %}", 0, "0"),
        ('{% count value none="no" %}', 0, "no"),
        (
            "{% arithmetic value %}",
            "1200.5 units (above 1000) x 0.10 = 120.05",
            "1.200,5 units (above 1.000) x 0,10 = 120,05",
        ),
        ("{{ value|identifier }}", " SUB-1", "␣SUB-1"),
        ("{{ value|identifier }}", None, "–"),
        ("{{ value|beginning }}", "short", "short"),
    ],
)
def test_a_value_is_written_by_the_workspaces_formats(template, value, text):
    assert rendered(template, value=value) == text


@pytest.mark.parametrize(
    ("style", "text"),
    [("point", "KWD 1,234.125"), ("comma", "KWD 1.234,125"), ("space", "KWD 1\xa0234,125")],
)
def test_each_format_has_its_marks(style, text):
    acme = Workspace(time_zone="UTC", number_format=style)

    assert rendered('{% amount value "KWD" %}', acme, value=Decimal("1234.125")) == text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        # 23:30 in UTC is the next day in Berlin.
        ("{% day starts %}", "1 Jan 2026"),
        ("{% moment starts %}", "1 Jan 2026, 00:30"),
        ("{% last_day ends %}", "31 Jan 2026"),
        ("{% days starts ends %}", "1 Jan – 31 Jan 2026"),
        ("{% day nothing %}", "–"),
        ("{% last_day nothing %}", "–"),
        ("{% moment nothing %}", "–"),
        ("{{ starts|moment_in:tokyo }}", "1 Jan 2026, 08:30"),
    ],
)
def test_a_moment_is_written_in_the_workspaces_zone(template, text):
    values = {
        "starts": moment("2025-12-31 23:30"),
        "ends": moment("2026-02-01", tz="Europe/Berlin"),
        "nothing": None,
        "tokyo": ZoneInfo("Asia/Tokyo"),
    }

    assert rendered(template, **values) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (1, ""),
        (2, ", the oldest of 2 open periods"),
        (12, ", the oldest of 12 open periods"),
        (13, ", the oldest of more than 12 open periods"),
    ],
)
def test_the_oldest_open_period_is_told_to_be_one_of_so_many(count, text):
    assert rendered("{% oldest_of count 12 %}", count=count) == text


def test_a_long_value_is_begun():
    text = rendered("{{ value|beginning }}", value="x" * (MOST_LETTERS + 5))

    assert text.startswith("x" * MOST_LETTERS)
    assert len(text) < MOST_LETTERS + 100
    assert "5" in text[MOST_LETTERS:]


def test_a_rule_is_told_in_words():
    rule = EventRule(event_type="message-sent", aggregation="sum", property="length", filters={"type": ["text", "fax"]})

    assert rendered("{{ rule|event_rule }}", rule=rule) == "message-sent: total of length where type is text or fax"
