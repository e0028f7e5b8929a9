"""A run, however many subscriptions it has, is worked on with statements of a bounded number of parameters."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from billing.invoicing import invoicing
from billing.models import BillingPeriod, CloseRun, Invoice, Line, Subscription
from tests import factories as make
from tests.scenarios.closing import close

pytestmark = pytest.mark.django_db

SUBSCRIPTIONS = 40


@contextmanager
def parameters() -> Iterator[list[tuple[int, str]]]:
    """Give each statement with how many parameters it has."""
    found: list[tuple[int, str]] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((0 if many else len(params or ()), sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield found


def test_a_run_of_any_size_is_discarded():
    owner = make.workspace()
    for _ in range(SUBSCRIPTIONS):
        make.use(make.line(owner), "3", "2026-01-10")
    run = close(owner, "2026-02-01")
    assert (run.invoices.count(), run.periods.count()) == (SUBSCRIPTIONS, SUBSCRIPTIONS)

    with parameters() as found:
        invoicing.discard(run=run, by="finance", as_of=make.moment("2026-02-01"))

    assert max(found)[0] < SUBSCRIPTIONS, max(found)
    assert not Invoice.objects.exists()
    assert not BillingPeriod.objects.exists()
    opened = {"open_from_at": make.moment("2026-01-01"), "next_close_at": make.moment("2026-02-01")}
    assert Subscription.objects.filter(**opened).count() == SUBSCRIPTIONS
    assert Line.objects.filter(open_from_at=make.moment("2026-01-01"), cutoff=0).count() == SUBSCRIPTIONS
    assert CloseRun.objects.get().state == CloseRun.State.DISCARDED
