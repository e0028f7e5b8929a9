"""Pages of the panel by URL pattern: who may open each, and that none shows anything of another workspace.

New pages are included by their pattern. A page below no model, or with a new argument name, fails until it is described
here.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, reverse

from billing.models import ApiKey, InvoiceLine, Line, Workspace
from tests import factories as make
from tests.billing.admin.staff import administrator, client_of, errors_of
from tests.scenarios.closing import close_and_issue
from tests.usage.admin.test_records import adding, typed
from tests.usage.dialects.shared.assertions import nothing_changed, rows
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

# Pages for all staff: each shows only what its user may see, or changes their own password.
FOR_ALL_STAFF = {
    "index",
    "login",
    "logout",
    "password_change",
    "password_change_done",
    "search",
    "autocomplete",
    "jsi18n",
    "view_on_site",
    "app_list",
}


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Yield the panel's named pages, those below a model with the model's name."""
    for one in admin.site.get_urls():
        if isinstance(one, URLPattern):
            if one.name:
                yield "", one
            continue
        label = str(one.pattern).strip("/").replace("/", ".")
        yield from ((label, below) for below in one.url_patterns if isinstance(below, URLPattern) and below.name)


NO_ID = "11111111-2222-4333-8444-555555555555"
MODELS = {model._meta.label_lower: model for model in admin.site._registry}
PAGES = [(label, pattern) for label, pattern in patterns() if label]


def things(code: str) -> dict[str, Any]:
    """Return a row of each model by the model's name, and the other path arguments."""
    owner = make.workspace(code, next_line_number=1 + 1000 * Workspace.objects.count())
    line = make.line(owner)
    make.use(line, "3", "2026-01-10")
    make.api_key(owner)
    run = close_and_issue(owner, "2026-02-01")
    return {
        "billing.workspace": owner,
        "billing.line": line,
        "billing.customer": line.subscription.customer,
        "billing.subscription": line.subscription,
        "billing.brick": line.brick,
        "billing.price": line.price,
        "billing.closerun": run,
        "billing.invoice": run.invoices.get(),
        "billing.invoiceline": InvoiceLine.objects.get(workspace=owner),
        "billing.apikey": ApiKey.objects.get(workspace=owner),
        "usage.usagerecord": UsageRecord.objects.get(workspace=owner),
        "auth.user": User.objects.create_user(f"somebody at {code}"),
        "auth.group": Group.objects.create(name=f"some of {code}"),
    }


ARGUMENTS = {
    "subscription_id": "billing.subscription",
    "line_id": "billing.line",
    "invoice_id": "billing.invoice",
    "invoice_line_id": "billing.invoiceline",
    "run_id": "billing.closerun",
    "customer_id": "billing.customer",
}


def url_of(label: str, pattern: URLPattern, about: dict[str, Any]) -> str:
    names = pattern.pattern.converters
    of = {name: about[ARGUMENTS.get(name, label)].pk for name in names}
    return reverse(f"admin:{pattern.name}", kwargs=of)


def urls(about: dict[str, Any]) -> dict[str, str]:
    return {str(pattern.name): url_of(label, pattern, about) for label, pattern in PAGES}


def test_every_page_is_below_a_model_or_known():
    assert {pattern.name for label, pattern in patterns() if not label} == FOR_ALL_STAFF
    assert {label for label, _ in PAGES} == set(MODELS)


def test_each_page_is_there_for_an_administrator():
    """Ensure that the tests below concern pages and rows that exist."""
    client, answers = administrator(), {}
    for name, url in urls(things("acme")).items():
        answers[name] = client.get(url).status_code

    # Pages to edit, add or delete what may not be are refused to everybody; actions of other states redirect.
    refused = {name for name, status in answers.items() if status not in (200, 302)}
    assert {name.rsplit("_", 1)[1] for name in refused} <= {
        "add",
        "delete",
        "download",
        "void",
        "line",
        "discard",
        "all",
    }
    assert set(answers.values()) <= {200, 302, 403, 404, 405}


def test_without_logging_in_no_page_opens_and_nothing_changes():
    of = urls(things("acme"))
    with nothing_changed():
        for method in ("get", "post"):
            answers = {name: getattr(Client(), method)(url) for name, url in of.items()}
            opened = {
                name
                for name, answer in answers.items()
                if answer.status_code != 403 and not answer.get("Location", "").startswith("/admin/login/")
            }
            assert opened == set()


def test_without_a_permission_no_page_opens_and_nothing_changes():
    of, client = urls(things("acme")), client_of()
    with nothing_changed():
        for method in ("get", "post"):
            answers = {name: getattr(client, method)(url).status_code for name, url in of.items()}
            assert {name: status for name, status in answers.items() if status not in (403, 404)} == {}


def test_view_permission_alone_changes_nothing_on_any_page():
    of = urls(things("acme"))
    client = client_of(
        *(f"{model._meta.app_label}.view_{model._meta.model_name}" for model in MODELS.values()), name="Vera Viewer"
    )
    with nothing_changed():
        for name, url in of.items():
            assert client.post(url, {"post": "yes", "confirm": "yes"}).status_code in (200, 302, 403, 404, 405), name


@pytest.mark.django_db(transaction=True)
def test_every_page_answers_a_form_outside_of_a_transaction():
    """Without a test's own transaction, which would hide what a page may not do outside of one."""
    of = urls(things("acme"))
    views = (f"{model._meta.app_label}.view_{model._meta.model_name}" for model in MODELS.values())
    for client in (administrator(), client_of(*views, name="Vera Viewer")):
        for name, url in of.items():
            # A server error raises here.
            answer = client.post(url, {"form_token": str(uuid4())})
            assert answer.status_code in (200, 302, 403, 404, 405), name


def test_pages_of_missing_rows_are_not_found():
    about, client = things("acme"), administrator()
    absent = {
        name: type("Absent", (), {"pk": "00000000-0000-4000-8000-000000000000" if len(str(row.pk)) > 30 else 10**9})
        for name, row in about.items()
    }
    for name, url in urls(absent).items():
        if "00000000-0000" in url or "1000000000" in url:
            answer = client.get(url)
            # Django redirects from missing objects to the panel's index. What nobody may do, this user may not do
            # either.
            is_told = answer.status_code in (403, 404) or answer.get("Location") == reverse("admin:index")
            assert is_told, (name, answer.status_code)


def nested() -> list[tuple[str, URLPattern]]:
    return [(label, pattern) for label, pattern in PAGES if len(pattern.pattern.converters) > 1]


@pytest.mark.parametrize("nested", nested(), ids=lambda pair: pair[1].name)
def test_nested_rows_of_another_workspace_are_not_found(nested):
    """A subscription's page with a line of another workspace, and the reverse."""
    ours, theirs = things("acme"), things("other")
    names = [ARGUMENTS[name] for name in nested[1].pattern.converters]
    before = rows()
    for name in names:
        for method in ("get", "post"):
            mixed = url_of(*nested, ours | {name: theirs[name]})
            assert getattr(administrator(), method)(mixed).status_code in (403, 404)
    after = rows()

    assert after == before


def test_a_line_is_of_its_workspaces_bricks_and_prices_alone():
    ours, theirs = things("acme"), things("other")
    brick = make.brick(ours["billing.workspace"], "Seats")
    url = reverse("admin:billing_subscription_add_line", args=[ours["billing.subscription"].pk])
    lines = Line.objects.count()
    for brick_id, price_id in (
        (theirs["billing.brick"].pk, theirs["billing.price"].pk),
        (brick.pk, theirs["billing.price"].pk),
    ):
        answer = administrator().post(url, {"brick": str(brick_id), "price": str(price_id), "starts_on": "2026-03-01"})

        assert answer.status_code == 200
        assert errors_of(answer).keys() & {"brick", "price"}
    assert Line.objects.count() == lines


def test_usage_is_entered_on_the_customers_own_lines_alone():
    ours, theirs = things("acme"), things("other")
    with nothing_changed():
        answer = administrator().post(adding(ours["billing.line"]), typed(theirs["billing.line"], day="2026-03-10"))

    assert answer.status_code == 200
    assert "line" in errors_of(answer)


MISSING = [
    ("billing_closerun_issue_all", [77], "billing.change_closerun"),
    ("billing_closerun_discard", [77], "billing.change_closerun"),
    ("billing_subscription_end", [NO_ID], "billing.change_subscription"),
    ("billing_line_end", [None, 999], "billing.change_line"),
    ("billing_line_limits", [None, 999], "billing.change_line"),
    ("billing_invoice_download", [77], "billing.view_invoice"),
    ("usage_usagerecord_correct", [77], "usage.change_usagerecord"),
    ("usage_usagerecord_retract", [77], "usage.change_usagerecord"),
]


@pytest.mark.parametrize(("name", "ids", "right"), MISSING)
def test_a_missing_row_is_not_found_with_the_permission_and_forbidden_without(name, ids, right):
    subscription = make.line().subscription
    url = reverse(f"admin:{name}", args=[subscription.pk if one is None else one for one in ids])
    label = right.partition(".")[2].partition("_")[2]
    viewing = ("billing.view_subscription", f"{right.partition('.')[0]}.view_{label}")

    assert administrator().get(url).status_code == 404
    assert client_of(right, *viewing).get(url).status_code == 404
    assert client_of(*(one for one in viewing if one != right)).get(url).status_code == 403
