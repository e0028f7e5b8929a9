import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import contracts, invoicing
from billing.models import CloseItem, CloseRun, Line, Workspace
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue, issue

pytestmark = pytest.mark.django_db


def test_drafts_of_two_runs_over_one_subscription_are_issued_and_discarded_in_order():
    line = make.line()
    january, february = drafts_of_two_runs(line)

    with pytest.raises(invoicing.UnableToIssue, match=f"issue or discard {january}"):
        invoicing.approve(run=february, actor=make.actor("finance"), as_of=make.moment("2026-03-01"))
    with pytest.raises(invoicing.UnableToDiscard, match=f"discard {february} first"):
        invoicing.discard(run=january, actor=make.actor("finance"), as_of=make.moment("2026-03-01"))

    issue(january)
    issue(february)


def drafts_of_two_runs(line: Line) -> tuple[CloseRun, CloseRun]:
    """As a database may have them from before runs held their subscriptions."""
    january = close(line.workspace, "2026-02-01")
    CloseItem.objects.update(holds_subscription=False)
    return january, close(line.workspace, "2026-03-01")


def numbers(workspace: Workspace) -> list[str | None]:
    return list(workspace.invoices.order_by("id").values_list("number", flat=True))


def test_numbers_go_on_without_a_gap_per_workspace_and_kind():
    first, second = make.line(), make.line(make.workspace("initech"))
    records = [make.use(line, "10", "2026-01-05") for line in (first, second)]
    close_and_issue(first.workspace, "2026-02-01")
    close_and_issue(second.workspace, "2026-02-01")
    make.take_back(records[0])
    make.use(second, "1", "2026-02-05")

    close_and_issue(first.workspace, "2026-03-01")
    close_and_issue(second.workspace, "2026-03-01")

    assert numbers(first.workspace) == ["INV-000001", "CN-000001"]
    assert numbers(second.workspace) == ["INV-000001", "INV-000002"]


def approved(lines: int) -> CloseRun:
    owner = make.workspace()
    for _ in range(lines):
        make.use(make.line(owner), "3", "2026-01-10")
    run = close(owner, "2026-02-01")
    return invoicing.approve(run=run, actor=make.actor("finance"), as_of=make.moment("2026-02-01"))


def test_drafts_are_issued_batch_by_batch_and_then_the_run_is_issued(monkeypatch):
    monkeypatch.setattr("billing.invoicing.issuing.ISSUE_BATCH", 2)
    run, at = approved(3), make.moment("2026-02-02")

    counts = [invoicing.issue_next(run=run, as_of=at) for _ in range(3)]

    run.refresh_from_db()
    assert (counts, run.state, run.finished_at) == ([2, 1, 0], CloseRun.State.ISSUED, at)
    assert numbers(run.workspace) == ["INV-000001", "INV-000002", "INV-000003"]
    assert set(run.invoices.values_list("issued_at", flat=True)) == {at}
    assert invoicing.issue_next(run=run, as_of=at) == 0


def test_a_batch_that_fails_takes_its_numbers_back(monkeypatch):
    run, at = approved(2), make.moment("2026-02-02")
    with monkeypatch.context() as patch:
        patch.setattr("billing.invoicing.issuing._save_issued", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            invoicing.issue_next(run=run, as_of=at)
    assert numbers(run.workspace) == [None, None]

    invoicing.issue_next(run=run, as_of=at)

    assert numbers(run.workspace) == ["INV-000001", "INV-000002"]


def test_the_number_of_queries_does_not_grow_with_the_drafts():
    counts = []
    for code, size in (("one", 1), ("many", 20)):
        owner = make.workspace(code)
        price = make.price(make.brick(owner), model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
        for _ in range(size):
            subscription = make.subscription(make.customer(owner))
            line = contracts.add_line(subscription=subscription, brick=price.brick, price=price, actor=make.ACTOR)
            make.use(line, "5", "2026-01-10")
        run = invoicing.approve(
            run=close(owner, "2026-02-01"), actor=make.actor("finance"), as_of=make.moment("2026-02-01")
        )
        with CaptureQueriesContext(connection) as queries:
            assert invoicing.issue_next(run=run, as_of=make.moment("2026-02-01")) == size
        # On SQLite each row of an executemany counts as a query of its own.
        counts.append(len({query["sql"][:60] for query in queries}))

    assert counts[0] == counts[1]
