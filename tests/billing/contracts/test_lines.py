from datetime import date

import pytest
from django.core.exceptions import ValidationError

from billing import catalog, contracts
from billing.contracts import UnableToAgree
from billing.models import Line, Price
from tests import factories as make
from tests.billing.contracts.agreed import fields_of, line_of, next_line_of
from tests.scenarios.closing import close

pytestmark = pytest.mark.django_db

at = make.moment


def test_line_lives_as_long_as_its_subscription_unless_told_otherwise():
    agreed = make.subscription(make.customer(make.workspace()), ends_on=date(2026, 3, 1))

    whole = line_of(agreed)
    part = line_of(agreed, starts_at=at("2026-01-10"), ends_at=at("2026-02-10"))

    assert [(line.starts_at, line.ends_at) for line in (whole, part)] == [
        (at("2026-01-01"), at("2026-03-01")),
        (at("2026-01-10"), at("2026-02-10")),
    ]
    assert [(line.workspace, line.open_from_at, line.cutoff) for line in (whole, part)] == [
        (agreed.workspace, at("2026-01-01"), 0)
    ] * 2


def test_reference_of_a_line_is_unique_in_its_workspace_only_and_an_empty_one_is_none():
    live = make.workspace()
    for workspace in (live, live.twin):
        line_of(make.subscription(make.customer(workspace)), reference="item_1")
    agreed = make.subscription(make.customer(live))

    assert [line_of(agreed, reference="").reference for _ in range(2)] == [None, None]
    with pytest.raises(ValidationError):
        line_of(agreed, reference="item_1")


def test_brick_of_another_workspace_is_refused(subscription):
    for workspace in (subscription.workspace.twin, make.workspace("other")):
        with pytest.raises(UnableToAgree) as refusal:
            line_of(subscription, brick=make.brick(workspace))
        assert fields_of(refusal) == ["brick"]


def test_price_has_to_be_the_bricks(subscription):
    brick = make.brick(subscription.workspace)

    with pytest.raises(UnableToAgree) as refusal:
        contracts.add_line(
            subscription=subscription,
            brick=brick,
            price=make.price(make.brick(subscription.workspace)),
            actor=make.ACTOR,
        )
    assert fields_of(refusal) == ["price"]


@pytest.mark.parametrize(
    ("aggregation", "fields"),
    [
        ("sum", {"currency": "EUR"}),
        ("none", {"model": "per_unit"}),
        ("sum", {"model": "graduated", "unit_price": 0}),
    ],
    ids=["another currency", "not metered and not flat", "without tiers"],
)
def test_price_that_cannot_be_billed_is_refused(subscription, aggregation, fields):
    brick = make.brick(subscription.workspace, aggregation=aggregation)
    price = Price.objects.create(
        **{"workspace": brick.workspace, "brick": brick, "name": "x", "currency": "USD"} | fields
    )

    with pytest.raises(UnableToAgree) as refusal:
        contracts.add_line(subscription=subscription, brick=brick, price=price, actor=make.ACTOR)
    assert fields_of(refusal) == ["price"]
    assert not Line.objects.exists()


def test_brick_that_is_not_metered_takes_a_flat_price(subscription):
    brick = make.brick(subscription.workspace, aggregation="none")

    line = contracts.add_line(
        subscription=subscription, brick=brick, price=make.price(brick, model="flat"), actor=make.ACTOR
    )

    assert line.price.model == "flat"


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "named"),
    [
        ("2025-12-31", None, "starts_at"),
        ("2026-03-01", None, "ends_at"),
        ("2026-02-01", "2026-02-01", "ends_at"),
        ("2026-02-01", "2026-01-31", "ends_at"),
        ("2026-02-01", "2026-03-02", "ends_at"),
    ],
)
def test_line_lies_within_its_subscription(starts_at, ends_at, named):
    agreed = make.subscription(make.customer(make.workspace()), ends_on=date(2026, 3, 1))

    with pytest.raises(UnableToAgree) as refusal:
        line_of(agreed, starts_at=at(starts_at), ends_at=ends_at and at(ends_at))

    assert fields_of(refusal) == [named]


@pytest.mark.parametrize(
    ("starts_at", "ends_at"),
    [
        ("2026-01-01", None),
        ("2026-01-01", "2026-02-10"),
        ("2026-01-01", "2026-04-01"),
        ("2026-02-10", "2026-02-20"),
        ("2026-02-28 23:59:59", None),
        ("2026-02-01", "2026-03-01"),
    ],
)
def test_brick_has_one_line_at_a_time(subscription, starts_at, ends_at):
    line = line_of(subscription, starts_at=at("2026-02-01"), ends_at=at("2026-03-01"))

    with pytest.raises(UnableToAgree) as refusal:
        next_line_of(line, starts_at=at(starts_at), ends_at=ends_at and at(ends_at))

    assert fields_of(refusal) == ["brick"]
    assert Line.objects.get() == line


def test_lines_of_a_brick_may_touch(subscription):
    line = line_of(subscription, starts_at=at("2026-02-01"), ends_at=at("2026-03-01"))

    before = next_line_of(line, starts_at=at("2026-01-01"), ends_at=at("2026-02-01"))
    after = next_line_of(line, starts_at=at("2026-03-01"))

    assert [before.ends_at, after.starts_at] == [line.starts_at, line.ends_at]


def test_open_line_leaves_no_room_after_it(subscription):
    line = line_of(subscription)

    with pytest.raises(UnableToAgree):
        next_line_of(line, starts_at=at("2030-01-01"))


def test_line_cannot_begin_in_a_closed_period():
    line = make.line()
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        line_of(line.subscription, starts_at=at("2026-01-31"))
    assert fields_of(refusal) == ["starts_at"]
    assert line_of(line.subscription).starts_at == at("2026-02-01")


def test_nothing_is_added_to_a_subscription_that_is_closed_whole():
    line = make.line(ends_on=date(2026, 1, 15))
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree):
        line_of(line.subscription)


def test_archived_brick_gets_no_further_line_and_its_lines_go_on(subscription):
    line = line_of(subscription)
    catalog.archive_brick(brick=line.brick, as_of=at("2026-01-10"), actor=make.ACTOR)
    contracts.end_line(line=line, ends_at=at("2026-02-01"), actor=make.ACTOR)
    line.brick.refresh_from_db()

    with pytest.raises(UnableToAgree) as refusal:
        next_line_of(line, starts_at=at("2026-02-01"))

    assert fields_of(refusal) == ["brick"]
    assert subscription.lines.count() == 1


def test_a_brick_has_open_lines_until_the_last_of_them_has_ended():
    line = make.line()
    brick, agreed = line.brick, line.subscription
    other = make.brick(line.workspace)
    contracts.end_line(line=line, ends_at=at("2026-02-01"), actor=make.ACTOR)

    assert contracts.has_open_lines(brick, as_of=at("2026-01-31"))
    assert not contracts.has_open_lines(brick, as_of=at("2026-02-01"))
    assert not contracts.has_open_lines(other, as_of=at("2026-01-01"))

    contracts.add_line(subscription=agreed, brick=brick, price=line.price, starts_at=at("2026-06-01"), actor=make.ACTOR)
    assert contracts.has_open_lines(brick, as_of=at("2026-02-01"))
