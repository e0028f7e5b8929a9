import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from billing import contracts
from billing.models import CloseItem, CloseRun, Invoice, PriceTier
from tests import factories as make
from tests.scenarios.closing import close, totals
from tests.usage.dialects.native.client import Native, wrong
from usage import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make.workspace(time_zone="Asia/Tokyo")


@pytest.fixture
def line(workspace):
    line = make.line(workspace)
    make.use(line, "10", "2026-01-05")
    return line


@pytest.fixture
def api(line):
    return Native(line.workspace)


@pytest.fixture
def commits(eager_tasks, django_capture_on_commit_callbacks):
    """What a request hands to the queue is done at once, when the request is committed."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_periods_up_to_a_day_are_closed_in_the_workspaces_time_zone(api, workspace, commits):
    with commits():
        response = api.post("close-runs/", until="2026-01-31")

    run = CloseRun.objects.get()
    told = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, f"/api/close-runs/{run.pk}/")
    assert told == {
        "id": run.pk,
        "state": "computing",
        "until_at": "2026-01-31T15:00:00Z",
        "issues_itself": False,
        "started_by": run.started_by,
        "started_at": "2026-07-20T14:00:00Z",
        "decided_by": "",
        "finished_at": None,
        "problem": "",
        "progress": {"subscriptions": 1, "pending": 1, "done": 0, "parked": 0},
        "totals": [],
        "parked": [],
        "notices": [],
        "missing": [],
    }
    assert run.started_by.startswith("key ark_live_")
    assert api.get(f"close-runs/{run.pk}/").json() == {
        **told,
        "state": "review",
        "progress": {"subscriptions": 1, "pending": 0, "done": 1, "parked": 0},
        "totals": [{"currency": "USD", "kind": "invoice", "invoices": 1, "issued": 0, "total": "20.00"}],
    }
    assert totals(workspace) == ["20.00"]


def test_nothing_to_close_is_a_conflict(api):
    response = api.post("close-runs/", until="2026-01-30")

    assert wrong(response) == (409, {})
    assert response.json()["detail"] == "No period of Acme has ended by 2026-01-31 00:00."
    assert not CloseRun.objects.exists()


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("2026-02-30", "Date has wrong format. Use this format instead: YYYY-MM-DD."),
        ("9999-12-31", "Date is out of range."),
        (None, "This field may not be null."),
    ],
)
def test_a_day_that_is_none_is_refused(api, until, message):
    assert wrong(api.post("close-runs/", until=until)) == (422, {"until": message})


def test_without_the_queue_a_run_waits_for_the_sweep(api, monkeypatch, django_capture_on_commit_callbacks):
    def fail(*_, **__):
        raise OperationalError("connection refused")

    monkeypatch.setattr(Celery, "send_task", fail)
    monkeypatch.setattr(tasks.work_on_close, "apply_async", fail)

    with django_capture_on_commit_callbacks(execute=True):
        response = api.post("close-runs/", until="2026-01-31")

    assert response.status_code == 201
    assert CloseRun.objects.get().state == CloseRun.State.COMPUTING


def test_what_waits_for_review_is_named_where_it_is_asked_for_again(api, workspace):
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")

    response = api.post("close-runs/", until="2026-01-31")

    assert wrong(response) == (409, {})
    assert response.json()["detail"] == (
        f"The periods of Acme that have ended by 2026-02-01 00:00 are in {run} (drafts to review)."
    )


def test_what_another_run_holds_is_a_conflict_that_names_it(api, workspace):
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")

    response = api.post("close-runs/", until="2026-02-28")

    assert wrong(response) == (409, {})
    assert response.json()["detail"] == (
        f"The periods of Acme that have ended by 2026-03-01 00:00 are in {run} (drafts to review)."
    )


def test_a_reviewed_run_is_issued_once(api, workspace, commits):
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")

    with commits():
        response = api("POST", f"close-runs/{run.pk}/issue/")

    assert (response.status_code, response.json()["state"]) == (202, "issuing")
    told = api.get(f"close-runs/{run.pk}/").json()
    assert (told["state"], told["finished_at"]) == ("issued", "2026-07-20T14:00:00Z")
    assert told["decided_by"].startswith("key ark_live_")
    assert told["totals"] == [{"currency": "USD", "kind": "invoice", "invoices": 1, "issued": 1, "total": "20.00"}]
    assert Invoice.objects.get().number == "INV-000001"
    again = api("POST", f"close-runs/{run.pk}/issue/")
    assert (wrong(again)[0], again.json()["detail"]) == (409, f"{run} is not waiting for review: issued.")
    late = api("POST", f"close-runs/{run.pk}/discard/")
    assert (wrong(late)[0], late.json()["detail"]) == (409, f"{run} can't be discarded: issued.")


def test_a_discarded_run_leaves_its_periods_open(api, workspace, commits):
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")

    response = api("POST", f"close-runs/{run.pk}/discard/")

    assert (response.status_code, response.json()["state"]) == (200, "discarded")
    assert not Invoice.objects.exists()
    with commits():
        assert api.post("close-runs/", until="2026-01-31").status_code == 201
    assert totals(workspace) == ["20.00"]


def test_what_is_parked_is_told_with_its_reason(api, workspace):
    tiered = make.line(workspace, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(price=tiered.price, up_to=None).delete()
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")

    told = api.get(f"close-runs/{run.pk}/").json()

    reason = CloseItem.objects.get(state="parked").reason
    assert told["progress"] == {"subscriptions": 2, "pending": 0, "done": 1, "parked": 1}
    assert told["parked"] == [{"subscription": str(tiered.subscription_id), "reason": reason}]


def test_runs_are_listed_newest_first(api, workspace):
    first = close(workspace, "2026-02-01", tz="Asia/Tokyo")
    make.line(workspace)
    second = close(workspace, "2026-03-01", tz="Asia/Tokyo")
    api("POST", f"close-runs/{second.pk}/discard/")
    theirs = make.line(make.workspace("other"))
    foreign = close(theirs.workspace, "2026-02-01")

    def found(query: str) -> list[int]:
        return [run["id"] for run in api.get(f"close-runs/{query}").json()["results"]]

    assert found("") == [second.pk, first.pk]
    assert found("?state=review") == [first.pk]
    assert found("?started_from=2026-02-20T00:00:00Z") == [second.pk]
    assert found("?started_before=2026-02-20T00:00:00Z") == [first.pk]
    for path in (f"{foreign.pk}/", "0/", "x/"):
        assert api.get(f"close-runs/{path}").status_code == 404
    for step in ("issue", "discard"):
        assert api("POST", f"close-runs/{foreign.pk}/{step}/").status_code == 404


@pytest.mark.parametrize("subscriptions", [1, 12])
def test_a_run_is_shown_with_as_many_queries_for_many_subscriptions(
    api, line, workspace, subscriptions, django_assert_num_queries
):
    for number in range(subscriptions):
        of = make.subscription(make.customer(workspace, f"Customer {number}"))
        contracts.add_line(subscription=of, brick=line.brick, price=line.price, actor=make.ACTOR)
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")
    api.get("close-runs/")

    with django_assert_num_queries(6):
        api.get(f"close-runs/{run.pk}/")


def test_a_property_that_no_event_has_is_told_once_per_rule(commits):
    # Two customers' events, of which none has the length that is added or the region that is filtered by.
    owner = make.workspace()
    api, brick = (
        Native(owner),
        make.event_brick(owner, aggregation="sum", property="length", filters={"region": ["eu"]}),
    )
    brick.event_rules.update(negated=["region"])
    for alias in ("gx", "in"):
        make.counting_line(make.customer(owner, alias, aliases=[alias]), brick)
        make.event(owner, alias, "2026-01-10", Length=5)
    with commits():
        started = api.post("close-runs/", until="2026-01-31").json()

    told = api.get(f"close-runs/{started['id']}/").json()["missing"]

    of = {"brick": str(brick.pk), "rule": brick.event_rules.get().pk, "event_type": "message-sent"}
    assert started["missing"] == []
    assert told == [
        {
            **of,
            "property": "region",
            "notice": "“region” is missing in all 2 events of type “message-sent”: the filter on it excludes none",
        },
        {**of, "property": "length", "notice": "“length” is missing in all 2 events, which add nothing"},
    ]


def test_what_is_missing_is_told_once_all_of_the_run_is_computed(line, workspace, api):
    brick = make.event_brick(workspace, aggregation="sum", property="length")
    make.counting_line(make.customer(workspace, "Initech", aliases=["in"]), brick)
    make.event(workspace, "in", "2026-01-10", Length=5)
    run = close(workspace, "2026-02-01", tz="Asia/Tokyo")
    assert len(api.get(f"close-runs/{run.pk}/").json()["missing"]) == 1
    CloseRun.objects.update(state=CloseRun.State.COMPUTING)

    assert api.get(f"close-runs/{run.pk}/").json()["missing"] == []
