import pytest
import time_machine
from django.urls import reverse

from billing.models import PriceTier
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, queries_of, turn_to
from tests.scenarios.closing import close, close_and_issue
from tests.usage.admin.test_closing import more_lines

pytestmark = pytest.mark.django_db

HOME = "admin:index"


def test_home_shows_what_waits():
    line = make.line()
    close_and_issue(line.workspace, "2026-02-01")
    run = close(line.workspace, "2026-03-01")

    context = administrator().get(reverse(HOME)).context

    assert context["due"]["count"] == 1
    assert list(context["runs"]) == [run]
    assert [invoice.number for invoice in context["invoices"]] == ["INV-000001"]
    assert list(context["parked"]) == []


def test_parked_subscription_stays_on_the_home_page_until_it_is_closed():
    line = make.line(model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    last = PriceTier.objects.get(up_to=None)
    last.delete()
    close(line.workspace, "2026-02-01")
    client = administrator()

    parked = [item.subscription for item in client.get(reverse(HOME)).context["parked"]]
    last.save(force_insert=True)
    close(line.workspace, "2026-02-02")

    assert parked == [line.subscription]
    assert list(client.get(reverse(HOME)).context["parked"]) == []


def test_home_takes_as_many_queries_for_three_workspaces_as_for_one():
    client, counts = administrator(), []
    for codes in (["one"], ["two", "three"]):
        for code in codes:
            owner = make.workspace(code)
            make.line(owner)
            more_lines(owner, 1)
            close_and_issue(owner, "2026-02-01")
            close(owner, "2026-03-01")
        counts.append(queries_of(turn_to(client, owner), reverse(HOME)))

    assert counts[0] == counts[1]


def test_home_is_of_the_workspace_that_is_shown():
    ours, theirs = make.line(), make.line(make.workspace("other"))
    close_and_issue(ours.workspace, "2026-02-01")
    close(ours.workspace, "2026-03-01")
    client = turn_to(administrator(), theirs.workspace)

    context = client.get(reverse(HOME)).context

    assert (context["due"]["count"], list(context["runs"]), list(context["invoices"])) == (1, [], [])
    assert list(turn_to(client, theirs.workspace.twin).get(reverse(HOME)).context["due"].values()) == [0, None]


def test_home_leads_to_the_first_workspace():
    page = administrator().get(reverse(HOME))

    assert reverse("admin:billing_workspace_add") in page.content.decode()
    assert reverse("admin:billing_workspace_add") not in client_of().get(reverse(HOME)).content.decode()


def test_home_without_permissions_shows_nothing_of_others():
    line = make.line()
    close(line.workspace, "2026-02-01")

    context = client_of().get(reverse(HOME)).context

    assert [context[name] for name in ("due", "runs", "parked", "invoices")] == [None] * 4


def test_anonymous_visitor_is_asked_to_log_in(client):
    assert client.get(reverse(HOME)).url == f"{reverse('admin:login')}?next={reverse(HOME)}"


def test_home_tells_of_usage_dated_in_the_future():
    line, calm = make.line(), make.line(make.workspace("calm"))
    make.use(line, "1", "2062-01-01", recorded_at="2026-01-10")
    make.use(calm, "1", "2026-01-10")
    client = administrator()

    page = client.get(reverse(HOME))

    assert page.context["ahead_from"] == make.moment("2062-01-01")
    shown = f"{reverse('admin:usage_usagerecord_changelist')}?state=ahead"
    assert shown in page.content.decode()
    assert [record.line for record in client.get(shown).context["cl"].result_list] == [line]
    assert client_of("billing.view_closerun").get(reverse(HOME)).context["ahead_from"] is None
    assert turn_to(client, calm.workspace).get(reverse(HOME)).context["ahead_from"] is None


@time_machine.travel("2026-02-15T12:00Z", tick=False)
def test_home_says_since_when_periods_wait_in_the_workspaces_time():
    # January is over at midnight in Tokyo, which is 15:00 on the day before in UTC.
    make.line(make.workspace(time_zone="Asia/Tokyo"))

    page = " ".join(administrator().get(reverse(HOME)).content.decode().split())

    assert '<td>1 Feb 2026 <span class="panel-muted panel-small">Asia/Tokyo</span></td>' in page
