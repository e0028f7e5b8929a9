"""The statement check finds tenant tables of which a statement could reach rows of other workspaces."""

from contextlib import nullcontext

import pytest
from django.db import connection

from billing.tenancy import Across, across
from tests import factories as make
from tests.bound import UnboundStatement, unbound_tables
from usage.closing import at_work, stalled

BOUND = [
    "SELECT id FROM billing_line WHERE workspace_id = %s",
    "SELECT l.id FROM billing_line l WHERE l.workspace_id = %s AND l.number = %s",
    "SELECT l.id FROM billing_line l WHERE l.workspace_id IN (%s, %s)",
    "SELECT l.id FROM billing_line l JOIN billing_brick b ON b.workspace_id = l.workspace_id AND b.id = l.brick_id"
    " WHERE l.workspace_id = %s",
    "WITH w AS (SELECT %s AS workspace_id, %s AS id) SELECT 1 FROM w JOIN billing_line l"
    " ON l.workspace_id = w.workspace_id AND l.id = w.id",
    "SELECT 1 FROM billing_line l WHERE l.workspace_id = %s AND EXISTS"
    " (SELECT 1 FROM billing_brick b WHERE b.workspace_id = l.workspace_id AND b.id = l.brick_id)",
    "SELECT 1 FROM billing_line l LEFT JOIN billing_brick b ON b.workspace_id = l.workspace_id AND b.id = l.brick_id"
    " WHERE l.workspace_id = %s",
    "UPDATE billing_line SET cutoff = %s WHERE workspace_id = %s AND id = %s",
    "DELETE FROM billing_name WHERE workspace_id = %s",
    "INSERT INTO billing_name (workspace_id, kind, text, owner) VALUES (%s, %s, %s, %s)",
    "SELECT id FROM billing_workspace",
    "CREATE INDEX i ON billing_line (id)",
]
UNBOUND = [
    ("SELECT id FROM billing_line WHERE id = %s", ["billing_line"]),
    ("SELECT l.id FROM billing_line l WHERE l.workspace_id > %s", ["billing_line"]),
    ("SELECT l.id FROM billing_line l WHERE l.workspace_id = %s OR l.id = %s", ["billing_line"]),
    (
        "SELECT l.id FROM billing_line l JOIN billing_brick b ON b.id = l.brick_id WHERE l.workspace_id = %s",
        ["billing_brick"],
    ),
    (
        "SELECT l.id FROM billing_line l JOIN billing_brick b ON b.workspace_id = l.workspace_id AND b.id = l.brick_id",
        ["billing_brick", "billing_line"],
    ),
    (
        "SELECT 1 FROM billing_line l WHERE l.workspace_id = %s"
        " AND l.brick_id IN (SELECT id FROM billing_brick WHERE name = %s)",
        ["billing_brick"],
    ),
    (
        "WITH w AS (SELECT id FROM billing_brick) SELECT 1 FROM billing_line l JOIN w ON w.id = l.brick_id"
        " WHERE l.workspace_id = %s",
        ["billing_brick"],
    ),
    (
        "SELECT 1 FROM billing_line l LEFT JOIN billing_brick b"
        " ON b.workspace_id = l.workspace_id AND b.workspace_id = %s AND b.id = l.brick_id",
        ["billing_line"],
    ),
    ("UPDATE billing_line SET cutoff = %s WHERE id = %s", ["billing_line"]),
    ("UPDATE billing_line SET workspace_id = %s WHERE id = %s", ["billing_line"]),
    ("DELETE FROM billing_name WHERE id = %s", ["billing_name"]),
    ("INSERT INTO billing_name (kind, text, owner) VALUES (%s, %s, %s)", ["billing_name"]),
    (
        "INSERT INTO billing_name (workspace_id, kind, text, owner) SELECT %s, %s, reference, %s FROM billing_line",
        ["billing_line"],
    ),
]


@pytest.mark.parametrize("sql", BOUND)
def test_bound(sql):
    assert unbound_tables(sql, connection.vendor) == ()


@pytest.mark.parametrize(("sql", "tables"), UNBOUND)
def test_unbound(sql, tables):
    assert list(unbound_tables(sql, connection.vendor)) == tables


@pytest.mark.django_db
def test_the_program_reads_no_tenants_table_without_a_workspace_but_where_it_says_so(monkeypatch):
    now = make.moment("2026-01-01")
    assert stalled(as_of=now) == []

    monkeypatch.setattr("usage.heartbeats.across", lambda _: nullcontext())
    with pytest.raises(UnboundStatement, match="billing_closerun without a workspace"):
        stalled(as_of=now)
    # Statements of a test are not checked.
    assert not at_work().exists()
    with across(Across.SWEEP):
        assert stalled(as_of=now) == []
