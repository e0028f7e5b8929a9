"""The tables of aggregations: what is registered, under which names, and what is asked of them."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from billing import aggregations
from billing.aggregations import OF_BRICKS, OF_RULES, Aggregation, EventAggregation
from usage.metering import AGGREGATIONS, EVENT_AGGREGATIONS


def an_aggregation(name: str = "reports", **properties: Any) -> Aggregation:
    return Aggregation(name=name, label="Reports", short_label="report counter", **properties)


def test_the_program_offers_what_metering_lists():
    assert list(OF_BRICKS) == list(AGGREGATIONS)
    assert list(OF_RULES) == list(EVENT_AGGREGATIONS)
    assert aggregations.brick_choices()[0] == ("sum", "Counter: total of the period")
    assert aggregations.rule_choices()[0] == ("count", "Number of events")


def test_the_names_that_the_schema_keeps_are_those_of_the_table():
    assert aggregations.DEFAULT in OF_BRICKS
    assert [way.name for way in EVENT_AGGREGATIONS if not way.reads_property] == [aggregations.READS_NO_PROPERTY]


@pytest.mark.parametrize("name", ["", "Sum", "it's", "a" * 17, "sum2", "_sum", "sum\n"])
def test_a_name_that_sql_could_not_carry_is_refused(name):
    with pytest.raises(ValueError, match="An aggregation's name"):
        an_aggregation(name)
    with pytest.raises(ValueError, match="An aggregation's name"):
        EventAggregation(name=name, label="Reports", phrase="reports")


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="already is an aggregation “sum”"):
        OF_BRICKS.register(an_aggregation("sum"))
    # The same again changes nothing.
    OF_BRICKS.register(*AGGREGATIONS)
    assert list(OF_BRICKS) == list(AGGREGATIONS)


def test_what_is_not_registered_is_not_found():
    assert "reports" not in OF_BRICKS
    with pytest.raises(LookupError, match="no aggregation “reports”"):
        OF_BRICKS["reports"]


def test_a_property_is_asked_for_in_sql_and_in_words(monkeypatch):
    monkeypatch.setattr(OF_BRICKS, "_by_name", dict(OF_BRICKS._by_name))
    OF_BRICKS.register(an_aggregation(takes_usage=True, takes_limits=True))

    assert aggregations.names("takes_usage") == ("sum", "unit_days", "reports")
    assert aggregations.sql_names("takes_usage") == "('sum', 'unit_days', 'reports')"
    assert aggregations.short_labels("takes_limits") == "counter or report counter"


@pytest.mark.django_db
def test_a_property_that_none_has_is_asked_for_in_valid_sql(monkeypatch):
    monkeypatch.setattr(OF_BRICKS, "_by_name", {})

    assert aggregations.sql_names("stands_on") == "(NULL)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 WHERE 'sum' IN {aggregations.sql_names('stands_on')}")
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("properties", "is_metered"), [({}, False), ({"takes_usage": True}, True), ({"takes_events": True}, True)]
)
def test_what_takes_neither_usage_nor_events_is_not_metered(properties, is_metered):
    assert an_aggregation(**properties).is_metered is is_metered


def test_parts_add_up_exactly_unless_an_aggregation_says_otherwise():
    parts = [Decimal("999999999999999.999999999")] * 30

    assert an_aggregation().combine(parts) == Decimal("29999999999999999.99999997")
    assert an_aggregation().combine([]) == 0
