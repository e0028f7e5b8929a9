"""Lists that are kept by hand, each held against what it lists: pages, paths, dialects, packages and permissions."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_permission_codename

from billing.history import KINDS
from billing.models import ApiKey, Invoice, Line
from billing.people import grants
from tests.bench import intake
from tests.coverage_floors import PACKAGES, WHOLE
from tests.faults.dialects import DIALECTS as FAULTS
from tests.faults.journal import Entry
from tests.faults.setting import Target
from tests.sources import ROOT
from usage.dialects import BY_NAME, DIALECTS
from usage.models import UsageRecord

pytestmark = pytest.mark.once

OURS = [model for label in ("billing", "usage") for model in apps.get_app_config(label).get_models()]
PAGES = [model for model in admin.site._registry if model in OURS]

# Rows with a page in the panel that have no history, each with its reason.
WITHOUT_HISTORY = {
    Invoice: "its run tells who issued it, and an issued invoice never changes",
    UsageRecord: "the ledger is a history itself: a change is a further record with its author and note",
}
# Rows without a page of their own: the page of their owner shows their history.
ON_THE_PAGE_OF_ANOTHER = {"AllowedOrigin", "CustomerAlias", "EventRule", "Line"}


def test_every_row_with_a_page_has_a_history():
    assert len(PAGES) > 8
    assert [model.__name__ for model in PAGES if model not in KINDS and model not in WITHOUT_HISTORY] == []
    # A reason that is needed no more goes.
    assert [model.__name__ for model in WITHOUT_HISTORY if model in KINDS or model not in PAGES] == []
    assert {model.__name__ for model in KINDS if model not in PAGES} == ON_THE_PAGE_OF_ANOTHER


@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.__name__)
def test_a_history_is_shown_on_a_page_and_leaves_out_fields_that_exist(model):
    kind = KINDS[model]
    names = {field.name for field in model._meta.concrete_fields}

    assert kind.subject in {page._meta.model_name for page in PAGES}
    assert (kind.subject == model._meta.model_name) is (kind.owner == "pk")
    assert kind.owner == "pk" or kind.owner in {field.attname for field in model._meta.concrete_fields}
    assert kind.not_told - names == set()


# The row that each resource of our own API is about, where it does not have the name of a model.
ROWS = {"customers": "customer", "aliases": "customer", "bricks": "brick", "prices": "price", "lines": "line"} | {
    "subscriptions": "subscription",
    "usage": "usagerecord",
    "close-runs": "closerun",
    "invoices": "invoice",
    "matchings": "customer",
    "upcoming-invoice": "subscription",
    # Below an invoice's line.
    "records": "usagerecord",
}
# What is done to a row, by the last word of its path.
DONE_TO_A_ROW = {"archive", "end", "issue", "discard"}
# A batch is several of the path before it.
SEVERAL = {"batch"}


def right_of(path: str, method: str) -> tuple[str, str]:
    """Return what a request of our own API does, as an action and a row."""
    words = [word for word in path.split("/") if word and not word.startswith("<") and word not in SEVERAL]
    is_done_to_a_row = words[-1] in DONE_TO_A_ROW
    row = ROWS[words[-2] if is_done_to_a_row else words[-1]]
    # An alias is a value of its customer.
    is_change = is_done_to_a_row or method != "post" or words[-1] == "aliases"
    return ("view" if method == "get" else "change" if is_change else "add"), row


def test_a_key_has_the_rights_that_our_own_api_uses():
    done = {
        right_of(str(pattern.pattern), method)
        for pattern in BY_NAME["native"].urls.urlpatterns
        for method in pattern.callback.cls.http_method_names
        if hasattr(pattern.callback.cls, method)
    }
    labels = {model._meta.model_name: model._meta.app_label for model in OURS}
    written = {row for action, row in done if action != "view"}
    # Who may write a row may see it.
    needed = {(action, row) for action, row in done if action != "view" or row not in written}

    assert {f"{labels[row]}.{action}_{row}" for action, row in needed} == set(grants.RIGHTS_OF_A_KEY)
    assert len(grants.RIGHTS_OF_A_KEY) == len(set(grants.RIGHTS_OF_A_KEY))


def test_the_rights_of_a_key_are_permissions_of_rows_with_a_page_or_a_part_of_one():
    known = {
        f"{model._meta.app_label}.{get_permission_codename(action, model._meta)}"
        for model in (*PAGES, Line)
        for action in ("add", "change", "view")
    }

    assert set(grants.RIGHTS_OF_A_KEY) - known == set()
    assert not {right for right in grants.RIGHTS_OF_A_KEY if right.endswith(f"_{ApiKey._meta.model_name}")}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_faults_send_to_each_dialect_at_its_mount(dialect):
    sent = FAULTS[dialect.name]
    entry = Entry(datetime(2026, 1, 10, 12, tzinfo=UTC), 0, sent.is_of_events, Decimal(3), dialect.name, "k-1", "1")
    target = Target(number=0, line=7, reference="sub_7", subscription=str(UUID(int=1)), brick=str(UUID(int=2)))

    paths = [sent.report(target, entry)[0], *(how(entry)[1] for how in (sent.correct, sent.retract) if how)]
    assert [path for path in paths if not path.startswith(f"/{dialect.mount}")] == []


def test_faults_and_bench_know_the_dialects_that_there_are():
    assert FAULTS.keys() == BY_NAME.keys()
    assert intake.TARGETS.keys() == BY_NAME.keys()


def test_floors_of_coverage_are_of_packages_in_the_tree():
    assert [path for path in PACKAGES if not (ROOT / path / "__init__.py").exists()] == []
    assert [path for path, floor in PACKAGES.items() if floor < WHOLE] == []
