"""Values that the history keeps of a row, as JSON, without the fields that the program sets itself."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from billing.history.kinds import KINDS, told, values_of
from billing.models import ApiKey, Brick, Customer, CustomerAlias, Line, Subscription, Workspace

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Decimal("1.500000000"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-01-31T12:00:00+01:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (True, True),
        (None, None),
        (["text", "fax"], ["text", "fax"]),
    ],
)
def test_a_value_is_kept_as_an_exact_text_or_as_json_has_it(value, kept):
    assert told(value) == kept


def test_values_are_kept_by_field_without_empty_ones():
    of = Customer(id=UUID(int=1), workspace_id=7, name="Globex", reference=None, email="", address="1 Main Street")

    assert values_of(of) == {"name": "Globex", "address": "1 Main Street"}


def test_a_part_is_kept_without_the_row_that_it_belongs_to():
    assert values_of(CustomerAlias(pk=1, workspace_id=7, customer_id=UUID(int=1), value="gx", label="EU")) == {
        "value": "gx",
        "label": "EU",
    }


@pytest.mark.parametrize(
    ("row", "subject", "subject_id", "part", "workspace"),
    [
        (Workspace(pk=7), "workspace", "7", "", 7),
        (ApiKey(pk=3, workspace_id=7), "apikey", "3", "", 7),
        (Brick(pk=UUID(int=2), workspace_id=7), "brick", str(UUID(int=2)), "", 7),
        (CustomerAlias(pk=1, workspace_id=7, customer_id=UUID(int=1)), "customer", str(UUID(int=1)), "alias", 7),
        (
            Line(pk=9, number=42, workspace_id=7, subscription_id=UUID(int=3)),
            "subscription",
            str(UUID(int=3)),
            "line 42",
            7,
        ),
    ],
)
def test_a_row_is_found_on_the_page_of_its_owner(row, subject, subject_id, part, workspace):
    kind = KINDS[type(row)]

    assert (kind.subject, kind.subject_id_of(row)) == (subject, subject_id)
    assert (kind.part(row), kind.workspace_of(row)) == (part, workspace)


@pytest.mark.parametrize(
    ("model", "silent"),
    [
        (ApiKey, {"workspace", "created_at", "created_by", "digest"}),
        (Subscription, {"workspace", "created_at", "open_from_at", "next_close_at"}),
        (Line, {"workspace", "created_at", "open_from_at", "cutoff", "subscription"}),
    ],
)
def test_what_the_program_sets_is_not_recorded(model, silent):
    recorded = {field.name for field in KINDS[model].fields_of(model)}

    assert recorded & silent == set()
    assert {field.name for field in model._meta.concrete_fields if not field.primary_key} - recorded <= silent
