"""A workspace's time zone, currency and formats."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from billing.entry.moments import DayFormat
from billing.entry.numbers import NumberFormat
from billing.models import Workspace, validate_currency
from billing.models.parties import validate_time_zone

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", ["USD", "JPY", "KWD"])
def test_a_currency_is_known_by_its_code(value):
    validate_currency(value)


@pytest.mark.parametrize(
    ("validate", "value", "told"),
    [
        (validate_currency, "usd", "“usd” is not a currency, such as USD."),
        (validate_currency, "XXX", "“XXX” is not a currency, such as USD."),
        (validate_currency, "", "“” is not a currency, such as USD."),
        (validate_time_zone, "Mars", "“Mars” is not a time zone, such as Europe/Berlin."),
        (validate_time_zone, "../../etc/passwd", "“../../etc/passwd” is not a time zone, such as Europe/Berlin."),
    ],
)
def test_what_is_unknown_is_told_with_an_example(validate, value, told):
    with pytest.raises(ValidationError) as refusal:
        validate(value)

    assert refusal.value.messages == [told]


def test_a_workspace_is_called_by_its_name_and_its_twin_says_that_it_is_one():
    assert str(Workspace(name="Acme")) == "Acme"
    assert str(Workspace(name="Acme", mode=Workspace.Mode.TEST)) == "Acme (test)"


def test_a_workspace_reads_and_writes_in_its_formats():
    of = Workspace(time_zone="Europe/Berlin", number_format="comma", day_format="iso")

    assert (of.formats.numbers, of.formats.days, of.formats.tz.key) == (
        NumberFormat.COMMA,
        DayFormat.ISO,
        "Europe/Berlin",
    )
    assert str(of.local(datetime(2026, 7, 1, tzinfo=UTC))) == "2026-07-01T02:00:00+02:00"
