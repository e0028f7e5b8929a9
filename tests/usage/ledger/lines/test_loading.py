"""The lines that addresses mean are loaded with one statement, and locked where they are to take usage."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.contracts import Limits
from billing.models import Line
from tests import factories as make
from usage.commands import LineByBrick, LineByName, LineByNumber
from usage.ledger.lines.acceptance import LineFacts
from usage.ledger.lines.loading import find_lines

pytestmark = pytest.mark.django_db


def test_lines_are_loaded_with_one_statement_whatever_the_addresses():
    line = make.line()
    address = {
        "number": LineByNumber(line.number),
        "brick": LineByBrick(line.subscription_id, line.brick_id),
        "name": LineByName(str(line.subscription_id)),
        "unknown": LineByName("unknown"),
    }

    for names in (["number"], ["brick"], ["name"], ["unknown"], list(address)):
        with CaptureQueriesContext(connection) as queries:
            found = find_lines(line.workspace_id, [address[name] for name in names])

        assert len(queries) == 1
        assert [[one.id for one in found.at(address[name])] for name in names] == [
            [] if name == "unknown" else [line.pk] for name in names
        ]


def test_without_an_address_nothing_is_asked():
    with CaptureQueriesContext(connection) as queries:
        found = find_lines(1, [])

    assert len(queries) == 0
    assert found.at(LineByNumber(1)) == ()


def test_the_facts_about_a_line_are_the_same_however_it_is_loaded():
    line = make.line(make.workspace(time_zone="Europe/Berlin"), ends_on=date(2026, 3, 1))
    contracts.set_limits(line=line, limits=Limits(hard_limit_quantity=Decimal(5)), actor=make.ACTOR)
    loaded = Line.objects.select_related("brick", "workspace").get()

    (found,) = find_lines(line.workspace_id, [LineByNumber(line.number)]).at(LineByNumber(line.number))

    assert found == LineFacts.of(loaded)
    assert found.is_bounded is True
