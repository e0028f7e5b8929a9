"""Statements of a workspace among others: what the planner expects of it, and the index that it takes."""

import pytest

from billing.models import Line, Subscription, Workspace
from tests import factories as make
from tests.plans import MODES, Statement, analyse, plan, reads, statements_of
from tests.skewed import copy_rows, drop_foreign_keys
from usage import ledger
from usage.commands import LineByNumber, Origin, RecordUsage
from usage.models import UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

KEYS = "usage_record_key_is_unique_while_live"


def test_repeated_keys_are_found_by_the_index_of_keys():
    drop_foreign_keys()
    known = make.use(make.line(make.workspace("known")), "1", "2026-01-10", key="k")
    copy_rows(UsageRecord, of=known.id, count=50_000, key="'k ' || n")
    line = make.line(make.workspace("new"))
    first = make.use(line, "1", "2026-01-10", key="k")
    copy_rows(UsageRecord, of=first.id, count=5_000, key="'k ' || n")
    analyse(UsageRecord)
    origin = Origin(workspace_id=line.workspace_id, source="api", dialect="piriod", recorded_by="tests")
    at = make.moment("2026-01-10")
    repeated = [RecordUsage(origin, LineByNumber(line.number), first.quantity, at, key=f"k {n}") for n in range(1, 21)]

    statements = statements_of(lambda: ledger.record_many(commands=repeated, recorded_at=at))

    looked_up = [statement for statement in statements if "r.key = wanted.key" in statement.text]
    assert looked_up
    for statement in looked_up:
        for mode in MODES:
            found = [step for step in reads(statement, mode=mode) if step.table == UsageRecord._meta.db_table]
            assert {(step.by, "key" in step.condition) for step in found} == {(KEYS, True)}, mode


def test_lines_of_many_subscriptions_in_one_of_many_workspaces_are_expected_as_many():
    drop_foreign_keys()
    line = make.line()
    drawn = "md5('s ' || n)::uuid"
    # Twenty workspaces with five hundred subscriptions of one line each.
    copy_rows(
        Subscription, of=line.subscription_id, count=10_000, id=drawn, workspace_id="mod(n, 20)", reference="NULL"
    )
    copy_rows(
        Line, of=line.pk, count=10_000, subscription_id=drawn, workspace_id="mod(n, 20)", number="n", reference="NULL"
    )
    analyse(Workspace, Subscription, Line)
    ids = list(Subscription.objects.filter(workspace_id=7).values_list("pk", flat=True))
    assert len(ids) == 500

    of_these = Statement("SELECT id FROM billing_line WHERE workspace_id = %s AND subscription_id = ANY(%s)", [7, ids])

    for mode, expected in (("custom", 500), ("generic", 10)):
        assert plan(of_these, mode=mode)["Plan Rows"] >= expected / 2, mode
