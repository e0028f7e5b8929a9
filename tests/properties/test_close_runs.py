"""Property test of several close runs: whatever is done to them, no run waits for another, and all is billed once."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import invoicing
from billing.models import CloseItem, CloseRun, InvoiceLine, Line, Workspace
from tests import factories as make
from tests.scenarios.closing import all_replay_identically
from tests.usage.closing.deaths import Killed
from usage import closing
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

MAY = make.moment("2026-05-01")
UNTIL = ("2026-02-01", "2026-03-01", "2026-04-01")

# A step: start a run until a day (and whether it issues automatically); work on the n-th run for one batch or to its
# end; issue it; discard it; or record late usage of the ended or the other subscription.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(UNTIL), st.booleans()),
        st.tuples(st.sampled_from(["batch", "work", "issue", "discard"]), st.integers(0, 4)),
        st.tuples(st.just("late"), st.booleans()),
    ),
    max_size=10,
)


@dataclass
class Story:
    """X has ended and is closed entirely; Y is monthly, and its January is open."""

    workspace: Workspace = field(default_factory=make.workspace)

    def __post_init__(self) -> None:
        self.x = make.line(self.workspace, ends_on=date(2026, 1, 15))
        make.use(self.x, "10", "2026-01-05")
        self.run(self.start(UNTIL[0], True))
        self.y = make.line(self.workspace)
        for month in (1, 2, 3):
            make.use(self.y, str(month), f"2026-0{month}-10")

    def start(self, until: str, issues_itself: bool) -> CloseRun | None:
        try:
            return closing.start(
                workspace=self.workspace,
                until_at=make.moment(until),
                actor=make.actor("a person"),
                as_of=MAY,
                issues_itself=issues_itself,
            )
        except closing.NothingToClose:
            return None

    def run(self, run: CloseRun | None) -> None:
        if run:
            closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: MAY, actor=make.ACTOR)

    def tell(self, kind: str, *details: Any) -> None:
        if kind == "start":
            self.start(*details)
        elif kind == "late":
            make.use(self.x if details[0] else self.y, "1", "2026-01-06", recorded_at="2026-05-01")
        else:
            runs = list(self.workspace.close_runs.order_by("pk"))
            self.change(runs[details[0] % len(runs)], kind)
        self.no_run_waits_for_another()

    def change(self, run: CloseRun, kind: str) -> None:
        if kind == "batch":
            one_batch(run)
        elif kind == "work":
            self.run(run)
        elif kind == "discard" and run.state in (CloseRun.State.COMPUTING, CloseRun.State.REVIEW):
            invoicing.discard(run=run, actor=make.actor("a person"), as_of=MAY)
        elif kind == "issue" and run.state == CloseRun.State.REVIEW:
            invoicing.approve(run=run, actor=make.actor("a person"), as_of=MAY)

    def no_run_waits_for_another(self) -> None:
        for run in self.workspace.close_runs.filter(state__in=(CloseRun.State.COMPUTING, CloseRun.State.REVIEW)):
            for kind in ("discard", "issue"):
                with transaction.atomic():
                    self.change(run, kind)
                    transaction.set_rollback(True)

    def end(self) -> None:
        for run in self.workspace.close_runs.filter(state__in=CloseRun.UNFINISHED).order_by("-pk"):
            self.run(run)
            run.refresh_from_db()
            self.change(run, "issue")
            self.run(run)
        # The rest of the runs above, and a further period, which brings the differences of earlier ones.
        for _ in range(2):
            self.run(self.start("2026-05-01", True))
        assert self.start("2026-05-01", True) is None


def one_batch(run: CloseRun) -> None:
    """Run one batch of one item, after which the worker dies."""

    def die() -> Any:
        raise Killed

    with suppress(Killed):
        closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=die, batch=1, actor=make.ACTOR)


def billed(line: Line) -> Decimal:
    return sum((row.amount for row in InvoiceLine.objects.filter(line=line)), Decimal(0))


@settings(max_examples=15)
@given(story=steps)
def test_no_run_ever_waits_for_another_and_all_is_billed_once(story):
    with transaction.atomic():
        told = Story()
        for step in story:
            told.tell(*step)
        told.end()

        for line in (told.x, told.y):
            live = UsageRecord.objects.live().filter(line=line)
            assert billed(line) == 2 * sum((record.quantity for record in live), Decimal(0))
        assert {run.state for run in told.workspace.close_runs.all()} <= {"issued", "discarded"}
        assert not CloseItem.objects.filter(holds_subscription=True).exists()
        assert all_replay_identically(told.workspace)
        transaction.set_rollback(True)
