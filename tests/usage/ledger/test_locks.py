"""The locks of writers, and what they do when another came first."""

from datetime import datetime

import pytest
from django.db import connection, transaction

from billing.models import Customer
from tests import factories as make
from usage.ledger.locks import Overtaken, lock_customers, lock_events, retry_when_overtaken
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_who_was_overtaken_begins_again_without_what_was_written():
    owner = make.workspace()
    turns: list[int] = []

    @retry_when_overtaken
    def write(at: datetime) -> int:
        turns.append(make.event(owner, "gx", AT).id)
        if len(turns) < 3:
            raise Overtaken
        return len(turns)

    assert write(make.moment(AT)) == 3
    assert list(UsageRecord.objects.values_list("pk", flat=True)) == turns[2:]


def test_who_is_overtaken_each_time_gives_up():
    turns: list[int] = []

    @retry_when_overtaken
    def write() -> None:
        turns.append(1)
        raise Overtaken

    with pytest.raises(RuntimeError, match="Concurrent writers"):
        write()

    assert len(turns) == 100


def test_the_locks_of_one_turn_are_released_before_the_next():
    turns: list[bool] = []

    @retry_when_overtaken
    def write() -> None:
        turns.append(connection.in_atomic_block)
        if len(turns) < 2:
            raise Overtaken

    write()
    assert turns == [True, True]


def test_another_error_is_no_reason_to_try_again():
    turns: list[int] = []

    @retry_when_overtaken
    def write() -> None:
        turns.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert turns == [1]


def test_customers_are_locked_with_one_statement_that_tells_from_when_on_they_are_open(django_assert_num_queries):
    owner = make.workspace()
    closed, new = make.customer(owner), make.customer(owner, "Initech")
    other = make.customer(make.workspace("umbra"))
    Customer.objects.filter(pk=closed.pk).update(events_open_from_at=make.moment("2026-02-01"))

    with transaction.atomic(), django_assert_num_queries(1):
        found = lock_customers([new.pk, closed.pk, other.pk], workspace_id=owner.pk)

    assert found == {closed.pk: make.moment("2026-02-01"), new.pk: None}


def test_events_are_locked_with_their_customers_and_names():
    owner = make.workspace()
    for name, open_from in (("gx", "2026-02-01"), ("in", "2026-03-01"), ("um", None)):
        of = make.customer(owner, name, aliases=[name])
        at = None if open_from is None else make.moment(open_from)
        Customer.objects.filter(pk=of.pk).update(events_open_from_at=at)
        make.event(owner, name, AT)
    make.event(owner, "nobody", AT)
    gx, initech, umbra, nobody = UsageRecord.objects.order_by("pk")

    with transaction.atomic():
        assert lock_events(gx, initech, umbra, nobody) == make.moment("2026-03-01")
        assert lock_events(umbra) is None
        assert lock_events(nobody) is None
