"""An address means a line at the time of use, for a single record and for a batch."""

from decimal import Decimal

import pytest

from billing import contracts
from tests import factories as make
from tests.usage.ledger.commands import origin_of, record_many, report
from usage import ledger
from usage.commands import LineByBrick, LineByName, RecordUsage

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
