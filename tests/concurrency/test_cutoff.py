"""The cutoff of a close beside an insert that waits for its lock. What is counted and what comes later never mix."""

from collections.abc import Callable

import pytest
from django.db import transaction

from billing.models import Customer, Line, Workspace
from tests import factories as make
from tests.concurrency.test_events import while_held
from tests.concurrency.threads import at_once
from usage import ledger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def read_after(
    lock: Callable[[], object], other: Callable[[], int], owner: Workspace, insert: Callable[[], int]
) -> None:
    """Lock as closing does, let an insert wait, record something else, and only then read the cutoff."""
    cutoffs: list[int] = []

    def read() -> None:
        (written,) = at_once([other])
        cutoffs.append(ledger.last_id(workspace_id=owner.pk))
        assert cutoffs == [written]

    inserted = while_held(lock, insert, meanwhile=read)

    assert inserted > cutoffs[0]


def test_a_record_that_waits_for_a_close_has_a_greater_id_than_its_cutoff():
    owner = make.workspace()
    line, other = make.line(owner), make.line(owner)

    read_after(
        lambda: list(Line.objects.filter(pk=line.pk).select_for_update()),
        lambda: make.use(other, "1", "2026-01-10").id,
        owner,
        lambda: make.use(line, "1", "2026-01-10").id,
    )


def test_an_event_that_waits_for_a_close_has_a_greater_id_than_its_cutoff():
    owner = make.workspace()
    waits, _ = make.customer(owner, aliases=["gx"]), make.customer(owner, aliases=["ix"])

    read_after(
        lambda: list(Customer.objects.filter(pk=waits.pk).select_for_update(no_key=True)),
        lambda: make.event(owner, "ix", "2026-01-10").id,
        owner,
        lambda: make.event(owner, "gx", "2026-01-10").id,
    )


@transaction.atomic
def test_the_cutoff_is_the_workspaces_own():
    line = make.line()
    mine = make.use(line, "1", "2026-01-10").id
    make.use(make.line(make.workspace("other")), "1", "2026-01-10")

    assert ledger.last_id(workspace_id=line.workspace_id) == mine
