import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection, transaction

from billing import contracts
from billing.contracts import UnableToAgree
from billing.models import InvoiceLine, Line, Subscription
from tests import factories as make
from tests.billing.contracts.agreed import fields_of, line_of, next_line_of
from tests.scenarios.closing import close, close_and_issue, totals
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

at = make.moment


@pytest.mark.parametrize("ends_at", ["2026-01-01 00:00:01", "2026-01-15", "2026-02-01", "2027-01-01"])
def test_open_line_ends_at_a_moment(ends_at):
    line = make.line()

    ended = contracts.end_line(line=line, ends_at=at(ends_at), actor=make.ACTOR)

    assert (ended.ends_at, Line.objects.get().ends_at) == (at(ends_at), at(ends_at))
    assert Subscription.objects.get().ends_at is None


def test_line_does_not_end_before_its_start():
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=make.line(), ends_at=at("2025-12-31"), actor=make.ACTOR)

    assert fields_of(refusal) == ["ends_at"]
    assert Line.objects.get().ends_at is None


def test_line_ends_with_its_subscription_at_the_latest():
    line = make.line(ends_on=date(2026, 3, 1))

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-03-02"), actor=make.ACTOR)

    assert fields_of(refusal) == ["ends_at"]


def test_line_does_not_end_in_a_closed_period():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-01-31"), actor=make.ACTOR)
    assert fields_of(refusal) == ["ends_at"]
    assert contracts.end_line(line=line, ends_at=at("2026-02-01"), actor=make.ACTOR).ends_at == at("2026-02-01")


def test_drafts_close_a_period_too():
    line = make.line()
    close(line.workspace, "2026-02-01")

    with pytest.raises(UnableToAgree):
        contracts.end_line(line=line, ends_at=at("2026-01-31"), actor=make.ACTOR)


def test_line_end_in_a_closed_period_stays():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"), actor=make.ACTOR)
    close_and_issue(line.workspace, "2026-02-01")

    for ends_at in ("2026-01-20", "2026-03-01"):
        with pytest.raises(UnableToAgree):
            contracts.end_line(line=line, ends_at=at(ends_at), actor=make.ACTOR)

    assert Line.objects.get().ends_at == at("2026-01-15")


def test_line_end_in_the_open_period_can_be_moved_either_way():
    line = make.line()

    for ends_at in ("2026-01-15", "2026-01-20", "2026-01-10"):
        assert contracts.end_line(line=line, ends_at=at(ends_at), actor=make.ACTOR).ends_at == at(ends_at)


def test_line_is_not_prolonged_into_the_next_one():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"), actor=make.ACTOR)
    next_line_of(line, starts_at=at("2026-01-20"))

    assert contracts.end_line(line=line, ends_at=at("2026-01-20"), actor=make.ACTOR).ends_at == at("2026-01-20")
    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-01-21"), actor=make.ACTOR)
    assert fields_of(refusal) == ["brick"]


def test_recorded_usage_stands_against_an_earlier_end_until_it_is_taken_back():
    line = make.line()
    record = make.use(line, "1", "2026-01-20")

    for ends_at in ("2026-01-10", "2026-01-20"):
        with pytest.raises(UnableToAgree) as refusal:
            contracts.end_line(line=line, ends_at=at(ends_at), actor=make.ACTOR)
        assert refusal.value.message_dict == {
            "ends_at": ["Usage was recorded up to 2026-01-20T00:00:00+00:00: retract it first."]
        }

    make.take_back(record)
    assert contracts.end_line(line=line, ends_at=at("2026-01-10"), actor=make.ACTOR).ends_at == at("2026-01-10")


def test_line_end_just_after_the_last_usage_is_taken():
    line = make.line()
    make.use(line, "1", "2026-01-20")

    assert contracts.end_line(line=line, ends_at=at("2026-01-20 00:00:01"), actor=make.ACTOR).ends_at == at(
        "2026-01-20 00:00:01"
    )


def test_corrected_usage_stands_where_it_was_moved_to():
    line = make.line()
    make.fix(make.use(line, "1", "2026-01-20"), at="2026-01-05")

    assert contracts.end_line(line=line, ends_at=at("2026-01-06"), actor=make.ACTOR).ends_at == at("2026-01-06")


@pytest.mark.django_db(transaction=True)
def test_line_is_not_prolonged_over_one_that_is_being_added():
    line = make.line()
    contracts.end_line(line=line, ends_at=at("2026-01-15"), actor=make.ACTOR)
    ended = threading.Event()

    def prolong():
        try:
            contracts.end_line(line=line, ends_at=at("2026-03-01"), actor=make.ACTOR)
        except UnableToAgree as refusal:
            return refusal.message_dict
        finally:
            ended.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            added = next_line_of(line, starts_at=at("2026-02-01"), ends_at=at("2026-04-01"))
            refusal = pool.submit(prolong)
            # Prolonging has to wait for this transaction: half a second shows whether it does.
            ended.wait(0.5)
        assert refusal.result(timeout=30) == {
            "brick": ["The subscription already has a line of this brick at that time."]
        }

    assert list(Line.objects.order_by("id").values_list("ends_at", flat=True)) == [at("2026-01-15"), added.ends_at]


def test_a_line_that_was_agreed_with_an_end_keeps_it_and_one_that_was_told_to_go_on_has_none(subscription):
    agreed = line_of(subscription, ends_at=at("2026-05-01"))
    released = line_of(subscription, ends_at=at("2026-05-01"))
    contracts.end_subscription(subscription=subscription, ends_at=at("2026-02-01"), actor=make.ACTOR)
    contracts.end_line(line=released, ends_at=None, actor=make.ACTOR)

    contracts.end_subscription(subscription=subscription, ends_at=None, actor=make.ACTOR)

    assert dict(Line.objects.values_list("pk", "ends_at")) == {agreed.pk: at("2026-05-01"), released.pk: None}


def test_a_line_without_an_end_goes_on_as_long_as_its_subscription():
    for ends_on in (None, date(2026, 3, 1)):
        line = line_of(make.subscription(make.customer(make.workspace(f"w-{ends_on}")), ends_on=ends_on))
        contracts.end_line(line=line, ends_at=at("2026-01-10"), actor=make.ACTOR)

        assert contracts.end_line(line=line, ends_at=None, actor=make.ACTOR).ends_at == line.subscription.ends_at


def test_a_line_made_by_mistake_is_voided_and_its_place_is_free():
    line = make.line()
    contracts.end_line(line=line, ends_at=line.starts_at, actor=make.ACTOR)

    right = next_line_of(line)

    make.use(right, "4", "2026-01-02")
    close_and_issue(line.workspace, "2026-02-01")
    assert totals(line.workspace) == ["8.00"]


def test_a_voided_line_is_none_that_a_gauge_carries_on_from_or_that_stops_it():
    # 20 users for 31 days: the two that were voided are as if they had never been.
    line = make.line(aggregation="unit_days")
    make.use(line, "20", "2026-01-01")
    contracts.end_line(line=line, ends_at=at("2026-01-16"), actor=make.ACTOR)
    for carries_on in (False, True):
        wrong = next_line_of(line, starts_at=at("2026-01-16"), carries_on=carries_on)
        contracts.end_line(line=wrong, ends_at=at("2026-01-16"), actor=make.ACTOR)
    next_line_of(line, starts_at=at("2026-01-16"))

    close_and_issue(line.workspace, "2026-02-01")

    assert totals(line.workspace) == ["1240.00"]
    assert [row.surprises for row in InvoiceLine.objects.all()] == [[], []]


def test_usage_dated_in_the_future_does_not_stand_against_an_end_before_it():
    line = make.line()
    make.use(line, "1", "2062-01-01", recorded_at="2026-01-10")
    soon = make.use(line, "1", "2026-01-11 09:00", recorded_at="2026-01-10")
    as_of = at("2026-01-10 10:00")

    with pytest.raises(UnableToAgree) as refusal:
        contracts.end_line(line=line, ends_at=at("2026-01-11"), as_of=as_of, actor=make.ACTOR)
    make.take_back(soon)
    ended = contracts.end_subscription(
        subscription=line.subscription, ends_at=at("2026-01-11"), as_of=as_of, actor=make.ACTOR
    )

    # A day ahead is a clock that is wrong, and counts.
    assert refusal.value.message_dict == {
        "ends_at": ["Usage was recorded up to 2026-01-11T09:00:00+00:00: retract it first."]
    }
    assert ended.lines.get().ends_at == at("2026-01-11")
    assert UsageRecord.objects.live().count() == 1
