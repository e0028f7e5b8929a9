"""Large, skewed ledger on PostgreSQL, built in SQL. Rows that are searched for lie where a bad plan finds them last.

Of ``count`` records, three in ten are events. The first thousandth happened on one old day and includes all rare
records: of a source, a dialect, an event type; late, corrected and retracted ones. None is unmatched.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from billing import contracts
from billing.models import Customer, Line, Subscription, Workspace
from tests import factories as make

LINES = 5_000
OLD_DAY = "2024-01-15"


@dataclass(frozen=True)
class Skewed:
    workspace: Workspace
    line: Line  # with records
    empty: Line  # with none
    customer: Customer
    key: str


def build(count: int, *, code: str = "skewed", lines: int = LINES) -> Skewed:
    """Create the workspace and its records. Indexes are kept: drop them first for very large counts."""
    workspace = make.workspace(code)
    text = make.api_key(workspace)
    line, empty = make.line(workspace, reference=f"{code} sub"), _empty(workspace)
    sub = line.subscription
    copy_rows(Customer, of=sub.customer_id, count=lines, id=f"md5('{code} c ' || n)::uuid", reference="'c ' || n")
    copy_rows(
        Subscription,
        of=sub.pk,
        count=lines,
        id=f"md5('{code} s ' || n)::uuid",
        customer_id=f"md5('{code} c ' || n)::uuid",
        reference="'s ' || n",
    )
    copy_rows(
        Line,
        of=line.pk,
        count=lines,
        number="1000 + n",
        subscription_id=f"md5('{code} s ' || n)::uuid",
        reference="'l ' || n",
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(id), 0) FROM usage_usagerecord")
        (base,) = cursor.fetchone()
        cursor.execute("SELECT MIN(id) FROM billing_line WHERE workspace_id = %s AND number > 1000", [workspace.pk])
        (first_line,) = cursor.fetchone()
        places = {"base": base, "count": count, "first_line": first_line, "lines": lines, "code": code}
        cursor.execute(_RECORDS.format(**places), [workspace.pk])
        cursor.execute(_RETRACTIONS.format(**places), [workspace.pk])
        cursor.execute("SELECT setval(pg_get_serial_sequence('usage_usagerecord', 'id'), %s)", [base + count + 100])
    known = Line.objects.get(workspace=workspace, number=1001)
    return Skewed(workspace, known, empty, known.subscription.customer, text)


def _empty(workspace: Workspace) -> Line:
    what = make.brick(workspace, "Nothing")
    return contracts.add_line(
        subscription=make.subscription(make.customer(workspace, "Nobody")),
        brick=what,
        price=make.price(what),
        actor=make.ACTOR,
    )


# The first thousandth is of an old day; each record among the first twenty is rare in its own way.
_RECORDS = """
INSERT INTO usage_usagerecord (id, workspace_id, line_id, quantity, customer_id, customer_alias, event_type,
    occurred_at, recorded_at, is_late, kind, source, dialect, key, recorded_by, note, properties)
SELECT {base} + n, %s,
    CASE WHEN NOT is_event THEN {first_line} + n / 10 * 7919 %% {lines} END,
    CASE WHEN NOT is_event THEN 1 + n %% 97 END,
    CASE WHEN is_event THEN md5('{code} c ' || (1 + n / 10 * 7919 %% {lines}))::uuid END,
    CASE WHEN is_event THEN 'c ' || (1 + n / 10 * 7919 %% {lines}) END,
    CASE WHEN is_event THEN CASE WHEN n <= 20 THEN 'rare' ELSE 'type ' || n %% 5 END END,
    CASE WHEN n <= {count} / 1000 THEN timestamptz '{OLD_DAY}' + n %% 86400 * interval '1 second'
        ELSE timestamptz '2025-01-01' + (n + (n * 7919) %% 1000) * interval '1 year' / {count} END,
    CASE WHEN n <= {count} / 1000 THEN timestamptz '{OLD_DAY}' + interval '1 day'
        ELSE timestamptz '2025-01-01' + (n + 1000) * interval '1 year' / {count} END,
    n <= 20, 'entry',
    CASE WHEN n <= 20 THEN 'file' ELSE 'api' END,
    CASE WHEN n <= 20 THEN 'salesbricks_v1' ELSE 'native' END,
    CASE WHEN n %% 2 = 0 THEN 'key ' || n END,
    'key ark_live_abc (a service)', '',
    CASE WHEN is_event THEN jsonb_build_object('length', n %% 1000) END
FROM (SELECT n, n %% 10 < 3 AS is_event FROM generate_series(1::bigint, {count}) AS n) AS given
""".replace("{OLD_DAY}", OLD_DAY)
_RETRACTIONS = """
WITH retraction AS (
    INSERT INTO usage_usagerecord (id, workspace_id, line_id, quantity, occurred_at, recorded_at, is_late, kind, source,
        dialect, recorded_by, note, origin_id)
    SELECT {base} + {count} + n, %s, line_id, quantity, occurred_at, now(), false, 'retraction', 'api', 'native',
        'tests', '', id
    FROM usage_usagerecord JOIN generate_series(4, 9) AS n ON id = {base} + n RETURNING id, origin_id)
UPDATE usage_usagerecord former SET superseded_by_id = retraction.id
FROM retraction WHERE former.id = retraction.origin_id
"""


def drop_foreign_keys() -> list[str]:
    """Drop the foreign keys, whose checks take longer than everything else. Return the statements that restore them.

    Call it in a test's transaction before writing anything: the rollback restores them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        )
        found = cursor.fetchall()
        for table, name, _ in found:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    return [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}" for table, name, definition in found]


def copy_rows(model: type, *, of: Any, count: int, **columns: str) -> None:
    """Insert copies of a row in SQL.

    ``columns`` are SQL expressions in which ``n`` counts from 1 and ``row`` is the row.
    """
    fields = [str(field.column) for field in model._meta.concrete_fields]  # type: ignore[attr-defined]
    names = [name for name in fields if name != "id" or "id" in columns]
    values = ", ".join(columns.get(name, f"row.{name}") for name in names)
    table = model._meta.db_table  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"
            f" FROM {table} AS row, generate_series(1, %s) AS n WHERE row.id = %s",
            [count, of],
        )
