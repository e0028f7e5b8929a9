from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from billing import contracts, invoicing
from billing.admin.saving import NO_MORE
from billing.models import BillingPeriod, CloseItem, CloseRun, Invoice, Price, PriceTier, Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of
from tests.billing.admin.staff import administrator, client_of, errors_of, queries_of, source_of, turn_to
from tests.scenarios.closing import close, close_and_issue, totals
from usage import closing

pytestmark = pytest.mark.django_db

LIST = "admin:billing_closerun_changelist"
ADD = "admin:billing_closerun_add"


def page(of: CloseRun, view: str = "change") -> str:
    return reverse(f"admin:billing_closerun_{view}", args=[of.pk])


def more_lines(owner: Workspace, count: int) -> None:
    """Customers of the first line's price."""
    price = Price.objects.get(workspace=owner)
    for number in range(count):
        of = make.subscription(make.customer(owner, f"Customer {number}"))
        contracts.add_line(subscription=of, brick=price.brick, price=price, actor=make.ACTOR)


def test_periods_up_to_a_day_are_closed_in_the_workspaces_time_zone(eager_tasks, django_capture_on_commit_callbacks):
    owner = make.workspace(time_zone="Asia/Tokyo")
    make.use(make.line(owner), "10", "2026-01-05")

    with django_capture_on_commit_callbacks(execute=True):
        response = administrator().post(reverse(ADD), {"workspace": owner.pk, "last_day": "2026-01-31"})

    run = CloseRun.objects.get()
    assert response.url == page(run)
    assert run.until_at == make.moment("2026-02-01", tz="Asia/Tokyo")
    assert (run.state, run.started_by) == ("review", "Fiona Ledger")
    assert totals(owner) == ["20.00"]


def test_nothing_to_close_is_said_on_the_day():
    owner = make.line().workspace

    response = administrator().post(reverse(ADD), {"workspace": owner.pk, "last_day": "2026-01-30"})

    assert list(errors_of(response)) == ["last_day"]
    assert not CloseRun.objects.exists()


def test_last_day_of_all_is_refused_on_the_form():
    owner = make.line().workspace

    response = administrator().post(reverse(ADD), {"workspace": owner.pk, "last_day": "9999-12-31"})

    assert list(errors_of(response)) == ["__all__"]
    assert not CloseRun.objects.exists()


def test_all_drafts_are_issued_after_a_confirmation(eager_tasks, django_capture_on_commit_callbacks):
    line, client = make.line(), administrator()
    make.use(line, "10", "2026-01-05")
    run = close(line.workspace, "2026-02-01")

    asked = client.get(page(run, "issue_all"))
    assert "Issue 1 invoice?" in asked.content.decode()
    assert Invoice.objects.get().state == "draft"
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page(run, "issue_all"))

    run.refresh_from_db()
    assert (run.state, run.decided_by) == ("issued", "Fiona Ledger")
    assert Invoice.objects.get().number == "INV-000001"


@pytest.mark.parametrize("action", ["issue_all", "discard"])
def test_page_that_is_older_than_the_runs_state_does_nothing_and_leads_to_the_run(eager_tasks, action):
    line, client = make.line(), administrator()
    run = close(line.workspace, "2026-02-01")
    form = page_of(client, page(run, action))
    invoicing.discard(run=run, actor=make.actor("Otto Other"), as_of=make.moment("2026-02-02"))

    answer = client.post(page(run, action), form)

    run.refresh_from_db()
    assert (answer.status_code, answer["Location"]) == (302, page(run))
    assert (run.state, run.decided_by) == ("discarded", "Otto Other")
    told = [str(message) for message in client.get(page(run)).context["messages"]]
    assert told == [NO_MORE]


def test_second_click_on_issue_leads_to_the_run_as_well(eager_tasks):
    line, client = make.line(), administrator()
    run = close(line.workspace, "2026-02-01")
    form = page_of(client, page(run, "issue_all"))

    answers = [client.post(page(run, "issue_all"), form) for _ in range(2)]

    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, page(run))] * 2
    told = [str(message) for message in client.get(page(run)).context["messages"]]
    assert told == [
        "The invoices are being issued.",
        "This form was already processed: this is its result.",
    ]


def test_what_waits_for_review_is_named_where_it_stands_in_the_way():
    line, client = make.line(), administrator()
    first = close(line.workspace, "2026-02-01")

    response = client.post(reverse(ADD), {"workspace": line.workspace.pk, "last_day": "2026-02-28"})

    assert errors_of(response) == {
        "last_day": [
            f"Nothing to close: the periods of Acme that end by 28 Feb 2026 are in {first} (drafts to review)."
        ]
    }
    assert CloseRun.objects.get() == first


def test_what_waits_for_review_is_named_where_it_is_closed_again():
    line, client = make.line(), administrator()
    first = close(line.workspace, "2026-02-01")

    response = client.post(reverse(ADD), {"workspace": line.workspace.pk, "last_day": "2026-01-31"})

    assert errors_of(response) == {
        "last_day": [
            f"Nothing to close: the periods of Acme that end by 31 Jan 2026 are in {first} (drafts to review)."
        ]
    }
    assert CloseRun.objects.get() == first


@pytest.mark.parametrize("day", ["2026-01-27", "2026-01-30"])
def test_a_last_day_that_is_not_over_in_the_workspaces_zone_is_refused(day):
    owner = make.workspace(time_zone="America/New_York")
    make.line(owner)

    # The 27th for two hours more in New York.
    with time_machine.travel(make.moment("2026-01-28 03:00"), tick=False):
        response = administrator().post(reverse(ADD), {"workspace": owner.pk, "last_day": day})

    said = f"{day[-2:]} Jan 2026 is not over: the last whole day is 26 Jan 2026."
    assert errors_of(response) == {"last_day": [said]}
    assert not CloseRun.objects.exists()


@pytest.mark.parametrize(
    ("as_of", "shown"),
    [("2026-02-27 08:00", "26 Feb 2026"), ("2026-02-27", "26 Feb 2026"), ("2026-02-27 23:59:59", "26 Feb 2026")],
)
def test_no_day_is_shown_as_closed_that_was_not_over(as_of, shown):
    owner = make.line().workspace
    closing.start(
        workspace=owner, until_at=make.moment("2026-03-01"), actor=make.actor("a service"), as_of=make.moment(as_of)
    )

    client = administrator()

    page_text = client.get(reverse(LIST)).content.decode()
    assert shown in page_text
    assert "27 Feb 2026<" not in page_text


def test_what_is_left_to_another_run_is_said_beside_what_is_closed():
    line, client = make.line(), administrator()
    first = close(line.workspace, "2026-02-01")
    make.line(line.workspace)

    response = client.post(reverse(ADD), {"workspace": line.workspace.pk, "last_day": "2026-02-28"}, follow=True)

    assert CloseRun.objects.latest("pk").items.count() == 1
    assert [str(message) for message in response.context["messages"]] == [
        f"Subscriptions that are in {first} are skipped: close again after that."
    ]


def test_run_is_discarded_after_a_confirmation():
    line, client = make.line(), administrator()
    run = close(line.workspace, "2026-02-01")

    client.get(page(run, "discard"))
    assert Invoice.objects.count() == 1
    client.post(page(run, "discard"))

    run.refresh_from_db()
    assert (run.state, run.decided_by) == ("discarded", "Fiona Ledger")
    assert not Invoice.objects.exists()
    assert not BillingPeriod.objects.exists()


def test_parked_subscription_is_shown_with_its_reason():
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    PriceTier.objects.filter(up_to=None).delete()
    run = close(line.workspace, "2026-02-01")

    shown = source_of(administrator().get(page(run)))

    assert CloseItem.objects.get().reason in shown
    assert "0 of 1 done, 1 parked" in shown


def test_page_takes_as_many_queries_for_three_drafts_as_for_one():
    client, counts = administrator(), []
    for code, more in (("one", 0), ("three", 2)):
        owner = make.workspace(code)
        make.line(owner)
        more_lines(owner, more)
        close_and_issue(owner, "2026-02-01")
        counts.append(queries_of(turn_to(client, owner), page(close(owner, "2026-03-01"))))

    assert counts[0] == counts[1]


def test_progress_asks_again_while_at_work_and_reloads_the_page_after():
    line, client = make.line(), administrator()
    run = close(line.workspace, "2026-02-01")
    done = client.get(page(run, "progress"))
    CloseRun.objects.update(state=CloseRun.State.COMPUTING)
    at_work = client.get(page(run, "progress"))

    assert "hx-trigger" not in done.content.decode()
    assert done["HX-Refresh"] == "true"
    assert 'hx-trigger="every 2s"' in at_work.content.decode()
    assert "HX-Refresh" not in at_work


def test_progress_of_issuing_counts_invoices():
    line, client = make.line(), administrator()
    run = close(line.workspace, "2026-02-01")
    invoicing.approve(run=run, actor=make.actor("finance"), as_of=timezone.now())

    assert "0 of 1 issued, 1 pending" in " ".join(client.get(page(run, "progress")).content.decode().split())


def test_viewer_of_runs_can_neither_start_issue_nor_discard():
    line = make.line()
    run, viewer = close(line.workspace, "2026-02-01"), client_of("billing.view_closerun")

    shown = viewer.get(page(run)).content.decode()

    assert page(run, "issue_all") not in shown
    assert page(run, "discard") not in shown
    for url in (reverse(ADD), page(run, "issue_all"), page(run, "discard")):
        assert viewer.post(url, {}).status_code == 403
    assert client_of().get(page(run, "progress")).status_code == 403


def test_form_suggests_the_last_day_of_the_last_month():
    make.workspace(time_zone="UTC")

    initial = administrator().get(reverse(ADD)).context["form"].initial

    assert (initial["last_day"] + timedelta(days=1)).day == 1
