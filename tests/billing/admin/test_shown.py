"""The panel shows one workspace at a time: on every page, in every form, and in the meaning of what is sent."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import escape

from billing import contracts, keys
from billing.admin.shown import NOT_SAVED
from billing.models import ApiKey, Brick, CloseRun, Customer, Invoice, Price, ShownWorkspace, Subscription, Workspace
from tests import factories as make
from tests.billing.admin.pages import page_of, shown_on
from tests.billing.admin.staff import administrator, client_of, errors_of, logged_in, problems_of, turn_to
from tests.scenarios.closing import close_and_issue
from tests.usage.dialects.shared.assertions import nothing_changed
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.once]

HOME = "/admin/"
CUSTOMERS = "/admin/billing/customer/"
# What is the installation's: workspaces, people, and groups of them.
OF_ALL = {"Workspace", "User", "Group"}
TENANTS = [model for model in admin.site._registry if model.__name__ not in OF_ALL]


def a_tenant(code: str) -> dict[type, Any]:
    """A workspace with a row of each kind, all of which are called by its code."""
    owner = make.workspace(code)
    customer = make.customer(owner, f"{code} buyer", aliases=[f"{code} alias"])
    brick = make.brick(owner, f"{code} brick")
    price = make.price(brick)
    agreed = make.subscription(customer, reference=f"{code} contract")
    line = contracts.add_line(subscription=agreed, brick=brick, price=price, actor=make.ACTOR)
    record = make.use(line, "3", "2026-01-10", key=f"{code} key")
    keys.create_key(workspace=owner, name=f"{code} service", actor=make.actor(f"{code} maker"))
    run = close_and_issue(owner, "2026-02-01")
    CloseRun.objects.filter(pk=run.pk).update(started_by=f"{code} clerk")
    return {
        Workspace: owner,
        Customer: customer,
        Brick: brick,
        Price: price,
        Subscription: agreed,
        ApiKey: ApiKey.objects.get(workspace=owner),
        CloseRun: run,
        Invoice: run.invoices.get(),
        UsageRecord: UsageRecord.objects.get(pk=record.id),
    }


def address(model: Any, view: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def content_of(response: Any) -> str:
    """A page without the head's switch, which names all workspaces by purpose."""
    return re.sub(r'<details class="panel-switch".*?</details>', "", response.content.decode(), flags=re.DOTALL)


@pytest.fixture
def two() -> tuple[dict[type, Any], dict[type, Any]]:
    return a_tenant("acme"), a_tenant("zenith")


# Which workspace is shown, and what is remembered of it.


def test_first_live_workspace_is_shown_until_another_is_chosen_which_is_remembered_per_person(two):
    ours, theirs = two
    fiona, vera = administrator(), administrator()

    turn_to(fiona, theirs[Workspace])
    again = logged_in(User.objects.get(pk=fiona.session["_auth_user_id"]))

    assert "zenith buyer" in again.get(CUSTOMERS).content.decode()
    assert "acme buyer" in vera.get(CUSTOMERS).content.decode()
    assert [row.shown for row in ShownWorkspace.objects.all()] == [theirs[Workspace]]
    turn_to(fiona, ours[Workspace].twin)
    assert [row.shown for row in ShownWorkspace.objects.all()] == [ours[Workspace].twin]


def test_switch_tells_live_and_test_twins_apart():
    owner = make.workspace()
    page = administrator().get(HOME).content.decode()
    switch = re.search(r'<details class="panel-switch".*?</details>', page, re.DOTALL)

    assert switch is not None
    buttons = re.findall(r'<button type="submit" name="workspace" value="(\d+)".*?</button>', switch[0], re.DOTALL)
    assert buttons == [str(owner.pk), str(owner.twin.pk)]
    assert switch[0].count('<span class="panel-test">Test</span>') == 1


@pytest.mark.parametrize("workspaces", [0, 1])
def test_no_switch_is_shown_where_there_is_nothing_to_choose(workspaces):
    for code in range(workspaces):
        Workspace.objects.create(code=str(code), name="Only", time_zone="UTC", currency="USD")

    assert "panel-switch" not in administrator().get(HOME).content.decode()


@pytest.mark.parametrize(
    ("place", "then"),
    [
        (CUSTOMERS, CUSTOMERS),
        ("/admin/usage/usagerecord/", "/admin/usage/usagerecord/"),
        ("/admin/graphql/", "/admin/graphql/"),
        ("/admin/auth/user/", "/admin/auth/user/"),
        ("/admin/billing/customer/add/", HOME),
        ("/admin/billing/invoice/7/change/", HOME),
        ("//evil.example/admin/", HOME),
        ("https://evil.example/admin/billing/customer/", HOME),
        ("", HOME),
    ],
)
def test_one_stays_on_a_list_and_leaves_a_row(place, then):
    twin = make.workspace().twin

    answer = administrator().post(reverse("panel_workspace"), {"workspace": twin.pk, "from": place})

    assert (answer.status_code, answer.url) == (302, then)


@pytest.mark.parametrize("posted", [{}, {"workspace": "x"}, {"workspace": "9" * 30}, {"workspace": "-1"}])
def test_what_is_no_workspace_is_not_switched_to(posted):
    make.workspace()

    assert administrator().post(reverse("panel_workspace"), posted).status_code == 404
    assert not ShownWorkspace.objects.exists()


def test_switching_is_posted_by_staff_with_a_token_alone(client):
    twin = make.workspace().twin
    careful = administrator()
    careful.handler.enforce_csrf_checks = True

    assert careful.get(reverse("panel_workspace")).status_code == 405
    assert careful.post(reverse("panel_workspace"), {"workspace": twin.pk}).status_code == 403
    assert client.post(reverse("panel_workspace"), {"workspace": twin.pk}).url.startswith("/admin/login/")
    assert not ShownWorkspace.objects.exists()


def test_address_that_names_a_workspace_shows_it_and_says_so(two):
    client, theirs = administrator(), two[1]
    url = address(Customer, "change", theirs[Customer].pk)

    answer = client.get(f"{url}?workspace={theirs[Workspace].pk}&page=2", follow=True)

    assert answer.redirect_chain == [(f"{url}?page=2", 302)]
    assert "Switched to Zenith." in answer.content.decode()
    assert client.get(f"{CUSTOMERS}?workspace=77", follow=True).redirect_chain == [(CUSTOMERS, 302)]
    assert "zenith buyer" in client.get(CUSTOMERS).content.decode()


def test_whoever_opens_a_workspace_is_switched_to_it():
    make.workspace()
    client = administrator()
    typed = {"name": "Zenith", "code": "zenith", "time_zone": "UTC", "currency": "USD", "closing": "manual"}
    page = page_of(client, address(Workspace, "add"))

    assert client.post(address(Workspace, "add"), page | typed).status_code == 302
    assert ShownWorkspace.objects.get().shown == Workspace.objects.get(code="zenith", mode="live")


def test_without_a_workspace_lists_are_empty_and_forms_lead_to_the_first():
    client = administrator()

    for model in TENANTS:
        assert client.get(address(model, "changelist"), {"q": "x"}).status_code == 200, model
        if model is not Invoice:
            assert client.get(address(model, "add")).url == address(Workspace, "add"), model
    assert client_of("billing.add_customer", "billing.view_customer").get(address(Customer, "add")).url == HOME


# Whose rows are shown.


def test_no_list_or_page_tells_of_another_workspaces_rows(two):
    ours, theirs = two
    client, seen = administrator(), set()
    for shown, code, other in ((ours, "acme", "zenith"), (theirs, "zenith", "acme")):
        turn_to(client, shown[Workspace])
        pages = [HOME, "/admin/graphql/"]
        for model in TENANTS:
            pages.append(address(model, "changelist"))
            pages.extend(address(model, view, shown[model].pk) for view in ("change", "history"))
            pages.append(f"{address(model, 'changelist')}?q={other[:3]}")
        pages.extend(f"/admin/{page}" for page in others_of(shown))
        for page in pages:
            answer = client.get(page, follow=True)
            assert answer.status_code == 200, page
            text = content_of(answer)
            assert other not in text.lower(), page
            if code in text.lower():
                seen.add(page)
    # Otherwise nothing of this would have been shown, whosever it is.
    assert len(seen) > 2 * len(TENANTS)


def others_of(rows: dict[type, Any]) -> Iterator[str]:
    """Give what pages load beside, and what they pick from."""
    yield f"usage/usagerecord/preview/{rows[Subscription].pk}/"
    yield f"usage/usagerecord/matchings/{rows[Customer].pk}/"
    yield f"billing/closerun/{rows[CloseRun].pk}/progress/"
    yield "billing/customer/pick/"
    yield "billing/brick/pick/"
    yield f"usage/usagerecord/add/?customer={rows[Customer].pk}"
    yield f"billing/subscription/add/?customer={rows[Customer].pk}"
    yield reverse("admin:billing_subscription_add_line", args=[rows[Subscription].pk]).removeprefix("/admin/")
    yield f"graphql/?line={rows[Subscription].lines.get().pk}"
    yield f"usage/usagerecord/?invoice_line={rows[Invoice].lines.get().pk}"
    yield "search/?extended=1&s=" + rows[Workspace].code


@pytest.mark.parametrize("model", TENANTS, ids=lambda model: model.__name__)
def test_another_workspaces_row_is_not_found_as_one_that_is_not_there(two, model):
    client, row = administrator(), two[1][model]
    absent = "00000000-0000-4000-8000-000000000000" if len(str(row.pk)) > 30 else "1000000000"

    for view in ("change", "history"):
        there, nowhere = (client.get(address(model, view, pk)) for pk in (row.pk, absent))
        assert there.status_code == nowhere.status_code == 404, view
        assert there.content == nowhere.content
        assert "one workspace at a time" in there.content.decode()
    with nothing_changed():
        assert client.post(address(model, "change", row.pk), {"name": "taken over"}).status_code in (403, 404)


def test_fragments_and_documents_are_of_the_workspace_that_is_shown(two):
    theirs, client = two[1], administrator()
    pages = [page for page in others_of(theirs) if "/preview/" in page or "/matchings/" in page or "progress" in page]
    pages.append(f"billing/invoice/{theirs[Invoice].pk}/document.json")
    pages.append(f"usage/usagerecord/opening/{theirs[Invoice].lines.get().pk}/")

    assert {page: client.get(f"/admin/{page}").status_code for page in pages} == dict.fromkeys(pages, 404)
    turn_to(client, theirs[Workspace])
    assert {page: client.get(f"/admin/{page}").status_code for page in pages} == dict.fromkeys(pages, 200)


# What is chosen and made.


def test_what_is_picked_from_is_of_the_workspace_that_is_shown(two):
    client = administrator()
    for name, found in (("customer", "acme buyer"), ("brick", "acme brick")):
        picked = client.get(reverse(f"admin:billing_{name}_pick")).json()["results"]
        assert [row["text"] for row in picked] == [found]


@pytest.mark.parametrize(
    ("url", "field", "of", "typed"),
    [
        ("/admin/billing/price/add/", "brick", Brick, {"name": "x", "unit_price": "1", "currency": "USD"}),
        ("/admin/billing/subscription/add/", "customer", Customer, {"starts_on": date(2026, 1, 1), "once_more": "x"}),
        ("/admin/billing/subscription/{subscription}/add_line/", "price", Price, {}),
        ("/admin/usage/usagerecord/add/?customer={customer}", "line", "line", {"quantity": "1"}),
    ],
)
def test_no_foreign_key_takes_another_workspaces_row_also_when_it_is_forged(two, url, field, of, typed):
    ours, theirs = two
    client = administrator()
    url = url.format(subscription=ours[Subscription].pk, customer=ours[Customer].pk)
    row = theirs[Subscription].lines.get() if of == "line" else theirs[of]
    page = page_of(client, url)

    with nothing_changed():
        answer = client.post(url, page | typed | {field: row.pk})

    assert answer.status_code == 200
    told = problems_of(answer) if "adminform" in answer.context else errors_of(answer)[field]
    assert any("Select a valid choice" in text for text in told)
    assert str(row.pk) not in page.values()


def test_adding_usage_of_another_workspaces_customer_asks_whose_it_is(two):
    page = administrator().get(f"/admin/usage/usagerecord/add/?customer={two[1][Customer].pk}")

    assert "choose a customer" in page.content.decode()
    assert "zenith buyer" not in page.content.decode()


def test_what_is_added_is_the_workspaces_that_is_shown_whatever_is_forged():
    ours, theirs = make.workspace(), make.workspace("zenith")
    client = turn_to(administrator(), theirs)
    forged = {"workspace": ours.pk, "name": "New"}
    for url, model, typed in (
        (address(Customer, "add"), Customer, {}),
        (address(Brick, "add"), Brick, {"unit_label": "units"}),
        (address(ApiKey, "add"), ApiKey, {}),
    ):
        page = client.get(url)
        assert "Zenith" in content_of(page)
        client.post(url, shown_on(page) | forged | typed)
        assert model.objects.get().workspace == theirs


def test_row_of_a_row_is_not_another_workspaces(two):
    ours, theirs = two
    client, url = administrator(), address(Customer, "change", ours[Customer].pk)
    alias = theirs[Customer].aliases.get()
    page = page_of(client, url)

    with nothing_changed():
        client.post(url, page | {"aliases-0-id": alias.pk, "aliases-0-value": "taken over"})


# Two tabs.


def forms_of(rows: dict[type, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the pages with a form and what is typed on them."""
    yield address(Customer, "add"), {"name": "New"}
    yield address(Brick, "add"), {"name": "New", "unit_label": "units"}
    yield address(Price, "add"), {"name": "New", "brick": rows[Brick].pk, "currency": "USD", "unit_price": "1"}
    yield address(Subscription, "add"), {"customer": rows[Customer].pk, "starts_on": "2026-11-01"}
    yield address(ApiKey, "add"), {"name": "New"}
    yield address(CloseRun, "add"), {"last_day": "2026-02-28"}
    line = rows[Subscription].lines.get()
    usage = {"line": line.pk, "quantity": "5", "occurred_at_0": "2026-02-10", "occurred_at_1": "10:00"}
    yield f"{address(UsageRecord, 'add')}?customer={rows[Customer].pk}", usage
    for model in (Customer, Brick, ApiKey):
        yield address(model, "change", rows[model].pk), {"name": "Renamed"}
    yield reverse("admin:billing_apikey_revoke", args=[rows[ApiKey].pk]), {}
    yield reverse("admin:billing_price_copy", args=[rows[Price].pk]), {"name": "Copy"}
    yield reverse("admin:billing_subscription_end", args=[rows[Subscription].pk]), {"ends_on": "2026-12-31"}
    yield reverse("admin:usage_usagerecord_retract", args=[rows[UsageRecord].pk]), {"note": "twice"}


def left_open(client: Any, ours: dict[type, Any], theirs: dict[type, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Open each page with a form, then turn to another workspace: give the page's fields and what is typed on it."""
    for url, typed in forms_of(ours):
        turn_to(client, ours[Workspace])
        page = page_of(client, url)
        turn_to(client, theirs[Workspace])
        yield url, page, typed


def test_form_of_one_workspace_is_refused_once_its_person_has_turned_to_another(two):
    ours, theirs = two
    client = administrator()
    for url, page, typed in left_open(client, ours, theirs):
        with nothing_changed():
            refused = client.post(url, page | typed)

        assert refused.status_code == 409, url
        text = content_of(refused)
        assert "this page belongs to Acme" in text
        assert "The current workspace is Zenith" in text
        switch = dict(re.findall(r'<input type="hidden" name="(workspace|back)" value="([^"]*)">', text))
        assert client.post(reverse("panel_workspace"), switch).url == url
        assert client.get(url).status_code == 200


def test_form_that_was_refused_is_shown_again_with_what_was_typed_and_done_when_it_is_sent_again(two):
    ours, theirs = two
    client = administrator()
    for url, page, typed in left_open(client, ours, theirs):
        # The first form of the page is the one that carries what was typed.
        refused = client.post(url, page | typed)
        again = shown_on(refused)
        assert f'action="{escape(url)}"' in content_of(refused)

        rows = LogEntry.objects.count(), UsageRecord.objects.count()
        shown = client.post(url, {name: again[name] for name in again if name not in ("workspace", "back")})

        assert (LogEntry.objects.count(), UsageRecord.objects.count()) == rows
        assert shown.status_code == 200, url
        assert NOT_SAVED in content_of(shown)
        assert ShownWorkspace.objects.get().shown == ours[Workspace]
        sent = shown_on(shown)
        for name, value in typed.items():
            assert sent[name] == str(value), (url, name)
        answer = client.post(url, sent)
        if answer.status_code == 200 and "form" in answer.context and answer.context["form"].unanswered:
            questions = [question.answer for question in answer.context["form"].unanswered]
            answer = client.post(url, sent | {"once_more": questions})
        done = LogEntry.objects.count(), UsageRecord.objects.count()
        assert (done != rows) or "Nothing to close" in content_of(answer), url


def test_form_that_names_no_workspace_that_there_is_is_refused():
    make.workspace()
    client = administrator()

    for carried in ("x", "9" * 30, "77"):
        assert client.post(address(Customer, "add"), {"name": "New", "shown_workspace": carried}).status_code == 409
    assert not Customer.objects.exists()


def test_form_of_the_installation_is_of_no_workspace():
    ours, theirs = make.workspace(), make.workspace("zenith")
    client, url = administrator(), address(Workspace, "change", ours.pk)
    page = page_of(client, url)
    turn_to(client, theirs)

    assert client.post(url, page | {"name": "Acme Ltd."}).status_code == 302
    assert Workspace.objects.get(pk=ours.pk).name == "Acme Ltd."
