"""Lists of a large ledger are answered from selective indexes, not by reading the ledger backwards."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from billing.models import InvoiceLine, Line, Workspace
from tests import skewed
from tests.plans import Statement, Step, analyse, nodes_of, reads, statements_of
from tests.plans.cases import FILTERED, ORDERED, UNFILTERED, client_of, path_of
from usage import ledger
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.together]

RECORDS = 300_000
# Indexes in id order, whatever the filter.
IN_ORDER = ("usage_usagerecord_pkey", "usage_record_newest_event")


@pytest.fixture(scope="module")
def owner(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Workspace]:
    """Return a workspace with 300,000 records, shared by the module's tests and removed after them."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        foreign_keys = skewed.drop_foreign_keys()
        try:
            made = skewed.build(RECORDS)
            analyse(UsageRecord, Line)
            ledger.count_usages()
            yield made.workspace
        finally:
            # Unlike a bare TRUNCATE, flush restores the permissions and content types that later tests need.
            call_command("flush", interactive=False, verbosity=0)
            for add in foreign_keys:
                cursor.execute(add)


@pytest.mark.parametrize(("dialect", "query"), FILTERED, ids=str)
def test_a_filter_leads_to_its_records(owner, dialect, query):
    for step in steps_of(owner, dialect, query):
        assert "Seq Scan" not in step.node, step
        assert step.by not in IN_ORDER or "id = " in step.condition, step


@pytest.mark.parametrize(("dialect", "query"), UNFILTERED, ids=str)
def test_a_list_without_filters_begins_at_its_newest_record(owner, dialect, query):
    for step in steps_of(owner, dialect, query):
        assert "Seq Scan" not in step.node, step


@pytest.mark.parametrize(("dialect", "query"), ORDERED, ids=str)
def test_an_order_of_the_whole_workspace_is_not_made_by_sorting_it(owner, dialect, query):
    for statement in statements_about(owner, dialect, query):
        for node in nodes_of(statement, mode="custom"):
            assert "Seq Scan" not in node["Node Type"] or node["Relation Name"] != UsageRecord._meta.db_table, node
            assert node["Node Type"] != "Sort" or node["Plan Rows"] < RECORDS / 20, node


@pytest.mark.parametrize("year", [2024, 2025, 2030])
def test_what_an_invoice_line_has_counted_is_found_by_its_line(owner, year):
    # The statistics cover nothing of 2030.
    starts_at, ends_at = datetime(year, 1, 15, tzinfo=UTC), datetime(year, 2, 15, tzinfo=UTC)
    line = Line.objects.get(workspace=owner, number=1001)
    billed = InvoiceLine(pk=1, workspace=owner, line=line, cutoff=10**9, starts_at=starts_at, ends_at=ends_at)

    [statement] = statements_of(lambda: list(UsageRecord.objects.counted_by(billed)))

    steps = reads(statement, mode="custom")
    ledger_read = [step.by for step in steps if (step.by or "").startswith("usage_record")]
    assert ledger_read == ["usage_record_by_line"], steps


def statements_about(owner: Workspace, dialect: str, query: str) -> list[Statement]:
    """Return the statements that a list sends about the ledger."""
    client, path = client_of(owner, dialect), path_of(owner, dialect, query)
    answers: list[Any] = []
    statements = statements_of(lambda: answers.append(client.get(path)))
    assert answers[0].status_code == 200, answers[0].content
    return [statement for statement in statements if UsageRecord._meta.db_table in statement.text]


def steps_of(owner: Workspace, dialect: str, query: str) -> list[Step]:
    """Return the plan nodes with which a list reads the ledger."""
    return [
        step
        for statement in statements_about(owner, dialect, query)
        for step in reads(statement, mode="custom")
        if step.table == UsageRecord._meta.db_table or (step.by or "").startswith("usage_record")
    ]
