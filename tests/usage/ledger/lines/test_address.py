"""An address means a line at the time of use, for a single record and for a batch."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts
from billing.contracts import Limits
from billing.models import Line
from tests import factories as make
from tests.usage.ledger.commands import origin_of, record_many, report
from usage import ledger
from usage.commands import LineByBrick, LineByName, LineByNumber, RecordUsage
from usage.ledger.lines.acceptance import LineFacts
from usage.ledger.lines.loading import find_lines

pytestmark = pytest.mark.django_db


def test_a_line_is_found_by_subscription_and_brick_at_the_time_of_use():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
        actor=make.ACTOR,
    )
    address = LineByBrick(line.subscription_id, line.brick_id)

    told = [
        ledger.record(
            command=RecordUsage(
                origin=origin_of(line.workspace), address=address, quantity=Decimal(1), occurred_at=make.moment(at)
            ),
            recorded_at=make.moment(at),
        )
        for at in ("2026-01-15 23:59:59.999999", "2026-01-16")
    ]

    assert [record.line_id for record in told] == [line.pk, dearer.pk]


def test_lines_are_found_by_brick_and_by_name_at_the_time_of_use():
    line = make.line()
    contracts.end_line(line=line, ends_at=make.moment("2026-01-16"), actor=make.ACTOR)
    dearer = contracts.add_line(
        subscription=line.subscription,
        brick=line.brick,
        price=make.price(line.brick, "3"),
        starts_at=make.moment("2026-01-16"),
        reference="dearer",
        actor=make.ACTOR,
    )
    by_brick = LineByBrick(line.subscription_id, line.brick_id)
    by_name = LineByName(str(line.subscription_id))

    outcomes = record_many(
        report(line, "1", "2026-01-15 23:59:59.999999", address=by_brick),
        report(line, "2", "2026-01-16", address=by_brick),
        report(line, "3", "2026-01-15", address=by_name),
        report(line, "4", "2026-01-16", address=by_name),
        report(line, "5", "2026-01-16", address=LineByName("dearer")),
        report(line, "6", "2026-01-15", address=LineByName(str(line.number))),
        report(line, "7", "2026-01-15", address=LineByName("nobody")),
    )

    assert [getattr(outcome, "line_id", None) for outcome in outcomes] == [
        line.pk,
        dearer.pk,
        line.pk,
        dearer.pk,
        dearer.pk,
        line.pk,
        None,
    ]
    assert [getattr(outcome, "line_reference", None) for outcome in outcomes[1:3]] == ["dearer", None]


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
