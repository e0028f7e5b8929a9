"""Many events that wait under a name are matched by a job; until it is done, nothing in which they count is closed."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import contracts, parties
from billing.models import CloseItem, Customer, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator
from tests.scenarios.closing import close, close_and_issue, totals
from tests.usage.dialects.native.client import Native
from usage import closing, ledger, tasks
from usage.models import Matching, UsageRecord

pytestmark = pytest.mark.django_db

FEBRUARY = make.moment("2026-02-01")
STALE = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _few_at_once(settings, monkeypatch):
    settings.MATCH_AT_ONCE = 3
    monkeypatch.setattr("usage.ledger.events.matching.BATCH", 2)


@pytest.fixture
def globex():
    """Its messages are billed at $2 each; its workspace closes by itself."""
    customer = make.customer(make.workspace(closing="drafts"))
    make.counting_line(customer, make.event_brick(customer.workspace))
    return customer


def wait_for_a_name(owner: Workspace, count: int, alias: str = "gx") -> list[ledger.RecordedEvent]:
    return [make.event(owner, alias, f"2026-01-{day:02d}") for day in range(1, count + 1)]


def finish(job: Matching) -> Matching:
    ledger.work_on_matching(workspace_id=job.workspace_id, matching_id=job.pk, clock=timezone.now)
    job.refresh_from_db()
    return job


def counted(customer: Customer) -> int:
    return UsageRecord.objects.live().filter(customer=customer).count()


@pytest.mark.bound("MATCH_AT_ONCE")
def test_a_few_events_are_matched_with_the_name(globex):
    wait_for_a_name(globex.workspace, 3)

    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    assert (counted(globex), Matching.objects.count()) == (3, 0)


@pytest.mark.bound("MATCH_AT_ONCE")
def test_many_are_matched_by_a_job_while_new_ones_are_the_customers_at_once(globex):
    wait_for_a_name(globex.workspace, 5)

    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    job = Matching.objects.get()
    new = make.event(globex.workspace, "gx", "2026-01-20")

    assert (new.customer_id, counted(globex), job.state) == (globex.pk, 1, "matching")
    job = finish(job)
    assert (counted(globex), job.state, job.found_count, job.matched_count) == (6, "done", 5, 5)
    assert not UsageRecord.objects.unmatched().exists()
    finish(job)
    assert counted(globex) == 6


def test_a_customer_with_several_names_gets_the_events_of_all(globex):
    owner = globex.workspace
    for alias, count in (("a", 2), ("b", 1), ("other", 2), ("R-1", 3)):
        wait_for_a_name(owner, count, alias)

    initech = parties.create_customer(
        workspace=owner, name="Initech", reference="R-1", aliases=["a", "b", "c"], actor=make.ACTOR
    )
    jobs = list(Matching.objects.order_by("name"))
    for job in jobs:
        finish(job)

    assert [job.name for job in jobs] == ["R-1", "a", "b"]
    assert counted(initech) == 6
    assert UsageRecord.objects.unmatched().count() == 2


def test_periods_in_which_the_events_count_are_closed_only_after_the_job(globex):
    owner = globex.workspace
    other = make.line(owner)
    make.use(other, "3", "2026-01-05")
    wait_for_a_name(owner, 5)
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    close(owner, "2026-02-01")

    item = CloseItem.objects.get(state="parked")
    assert item.subscription.customer == globex
    assert item.reason.startswith("Events under another name are still being matched")
    assert totals(owner) == ["6.00"]
    # The schedule leaves it out as long as the job is at work, and takes it up then.
    assert closing.close_due(as_of=FEBRUARY + timedelta(hours=2), actor=make.ACTOR) == []
    finish(Matching.objects.get())
    (run,) = closing.close_due(as_of=FEBRUARY + timedelta(hours=3), actor=make.ACTOR)
    closing.work(workspace_id=run.workspace_id, run_id=run.pk, clock=lambda: FEBRUARY, actor=make.ACTOR)
    assert totals(owner) == ["6.00", "10.00"]


def test_what_counts_no_events_is_closed_meanwhile(globex):
    wait_for_a_name(globex.workspace, 5)
    brick = make.brick(globex.workspace)
    line = contracts.add_line(
        subscription=make.subscription(globex), brick=brick, price=make.price(brick), actor=make.ACTOR
    )
    make.use(line, "4", "2026-01-05")
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    close(globex.workspace, "2026-02-01")

    assert totals(globex.workspace) == ["8.00"]


def test_events_of_closed_periods_are_late_and_billed_as_a_difference(globex):
    owner = globex.workspace
    close_and_issue(owner, "2026-02-01")
    wait_for_a_name(owner, 5)
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    finish(Matching.objects.get())
    close_and_issue(owner, "2026-03-01")

    assert UsageRecord.objects.filter(kind="match", is_late=True).count() == 5
    assert totals(owner) == ["0.00", "10.00"]


def test_the_workers_do_the_job(globex, eager_tasks, django_capture_on_commit_callbacks):
    wait_for_a_name(globex.workspace, 5)

    with django_capture_on_commit_callbacks(execute=True):
        parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    assert (counted(globex), Matching.objects.get().state) == (5, "done")


def test_a_job_whose_worker_died_is_taken_up_by_the_sweep(globex, eager_tasks, django_capture_on_commit_callbacks):
    wait_for_a_name(globex.workspace, 5)
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert Matching.objects.get().state == "matching", "it was at work a moment ago"
    Matching.objects.update(heartbeat_at=timezone.now() - STALE)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()

    assert (counted(globex), Matching.objects.get().state) == (5, "done")


def test_an_event_that_is_changed_while_it_waits_for_the_job_is_the_customers(globex):
    first, second, third, *_ = wait_for_a_name(globex.workspace, 5)
    with_key = make.event(globex.workspace, "gx", "2026-01-25", key="k")
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    fixed = make.fix_event(first, properties={"length": 1})
    make.take_event_back(second)
    again = make.event(globex.workspace, "gx", "2026-01-26", key="k")

    assert (fixed.customer_id, again.customer_id) == (globex.pk, globex.pk)
    finish(Matching.objects.get())
    # Six came, one was taken back.
    assert (counted(globex), UsageRecord.objects.unmatched().count()) == (5, 0)
    assert third.customer_id is None
    assert with_key.customer_id is None


def test_a_name_that_is_given_on_before_the_job_is_done_takes_nothing_along(globex):
    owner = globex.workspace
    initech = make.customer(owner, "Initech")
    wait_for_a_name(owner, 5)
    alias = parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)
    parties.remove_alias(alias=alias, actor=make.ACTOR)
    make.event(owner, "gx", "2026-01-20")

    parties.add_alias(customer=initech, value="gx", actor=make.ACTOR)
    for job in Matching.objects.all():
        finish(job)

    assert (counted(globex), counted(initech), UsageRecord.objects.unmatched().count()) == (5, 1, 0)


def test_the_customers_page_and_the_api_show_how_far_it_is(globex):
    owner, panel, api = globex.workspace, administrator(), Native(globex.workspace)
    page, path = reverse("admin:usage_matchings", args=[globex.pk]), f"customers/{globex.pk}/matchings/"
    assert "Events that were received before" not in panel.get(page).content.decode()
    wait_for_a_name(owner, 5)
    parties.add_alias(customer=globex, value="gx", actor=make.ACTOR)

    waiting = panel.get(page).content.decode()
    (told,) = api.get(path).json()["results"]

    assert "Being matched" in waiting
    assert "every 2s" in waiting
    assert (told["name"], told["state"], told["found_count"], told["matched_count"]) == ("gx", "matching", None, 0)
    finish(Matching.objects.get())
    done = panel.get(page).content.decode()
    assert "5 of 5" in " ".join(done.split())
    assert "every 2s" not in done
    assert api.get(f"{path}?state=matching").json()["results"] == []
    assert api.get(path).json()["results"][0]["finished_at"]
    assert page in panel.get(reverse("admin:billing_customer_change", args=[globex.pk])).content.decode()


def test_another_workspaces_matchings_are_not_found(globex):
    stranger = Native(make.workspace("other"))

    assert stranger.get(f"customers/{globex.pk}/matchings/").status_code == 404
