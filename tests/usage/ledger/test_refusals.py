"""Reasons for refusing usage, in plain text or in a reader's formats."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.localmoment import LocalMoment
from tests.factories import moment
from usage import ledger
from usage.ledger.refusals import (
    DuplicateKey,
    LimitReached,
    LineNotFound,
    LineNotMetered,
    OutsideLine,
    PropertiesRefused,
    QuantityRefused,
    RecordNotFound,
    TextRefused,
    UnableToRecord,
)

pytestmark = pytest.mark.once


def local(day: str) -> LocalMoment:
    zone = ZoneInfo("Europe/Berlin")
    return LocalMoment(moment(day, tz="Europe/Berlin"), zone)


REFUSALS: list[tuple[UnableToRecord, str | None, str]] = [
    (QuantityRefused("A gauge can't be negative."), "quantity", "A gauge can't be negative."),
    (LimitReached(Decimal("2.50")), "quantity", "The limit of this line leaves 2.5 in the period."),
    (LineNotFound("There is no such line."), "line", "There is no such line."),
    (LineNotMetered("It takes no usage."), "line", "It takes no usage."),
    (
        OutsideLine([(local("2026-01-01"), None)]),
        "occurred_at",
        "The line was not active then, only from 2026-01-01T00:00:00+01:00.",
    ),
    (
        OutsideLine([(local("2026-01-01"), local("2026-02-01")), (local("2026-07-01"), None)]),
        "occurred_at",
        "The line was not active then, only from 2026-01-01T00:00:00+01:00 until 2026-02-01T00:00:00+01:00"
        " and from 2026-07-01T00:00:00+02:00.",
    ),
    (DuplicateKey(record_id=7), "key", "Usage with this id was already recorded."),
    (PropertiesRefused("They are too large."), "properties", "They are too large."),
    (TextRefused("Too long.", field="customer_alias"), "customer_alias", "Too long."),
    (RecordNotFound(), "record", "There is no such usage."),
]


@pytest.mark.parametrize(("refusal", "field", "message"), REFUSALS, ids=lambda value: type(value).__name__)
def test_a_refusal_names_its_field_and_says_why(refusal, field, message):
    assert (refusal.field, refusal.message, str(refusal)) == (field, message, message)


def test_every_refusal_is_in_the_table_above_and_in_the_ledgers_door():
    kinds = {type(refusal) for refusal, _, _ in REFUSALS}

    assert kinds == set(UnableToRecord.__subclasses__())
    assert {kind.__name__ for kind in kinds} <= set(ledger.__all__)


def test_a_refusal_is_told_in_a_readers_own_writing():
    assert LimitReached(Decimal("2.5")).told(lambda left: "2,5") == "The limit of this line leaves 2,5 in the period."
    outside = OutsideLine([(local("2026-01-01"), local("2026-02-01"))])
    told = outside.told(lambda at: f"{at.at.astimezone(at.tz):%d/%m}")
    assert told == "The line was not active then, only from 01/01 until 01/02."


def test_a_repeat_tells_the_id_of_the_first():
    assert DuplicateKey(record_id=7).record_id == 7
