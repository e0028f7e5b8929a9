"""On PostgreSQL no reference can lead to another tenant's row, whatever the program does."""

from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from billing.models import ApiKeyUse, Line, Subscription
from billing.storage.postgresql.schema import is_of_a_workspace
from billing.tenancy.keys import TenantKey
from tests import factories as make
from tests.scenarios.closing import close_and_issue
from usage.models import Matching, StoredReply, UsageRecord

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

TENANTS = [model for model in apps.get_models() if is_of_a_workspace(model)]
REFERENCES = [(model, field) for model in TENANTS for field in model._meta.local_fields if isinstance(field, TenantKey)]


def query(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def constraint_columns(table: str, kind: str) -> list[tuple[list[str], str, list[str]]]:
    """Return the columns of a table's constraints, and for references the table and columns that they refer to."""
    columns = """ARRAY(SELECT attname::text FROM unnest({keys}) WITH ORDINALITY AS key(number, place)
        JOIN pg_attribute ON attrelid = {table} AND attnum = key.number ORDER BY key.place)"""
    here = columns.format(keys="conkey", table="conrelid")
    there = columns.format(keys="confkey", table="confrelid")
    return query(
        f"SELECT {here}, confrelid::regclass::text, {there} FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = %s",
        table,
        kind,
    )


@pytest.mark.parametrize("model", TENANTS, ids=lambda model: model.__name__)
def test_the_primary_key_begins_with_the_workspace(model):
    ((columns, _, _),) = constraint_columns(model._meta.db_table, "p")

    assert columns == ["workspace_id", "id"]


@pytest.mark.parametrize("model", TENANTS, ids=lambda model: model.__name__)
def test_each_reference_contains_the_workspace(model):
    found = {tuple(here): (table, tuple(there)) for here, table, there in constraint_columns(model._meta.db_table, "f")}
    references = {
        ("workspace_id", field.column): (field.related_model._meta.db_table, ("workspace_id", "id"))
        for field in model._meta.local_fields
        if isinstance(field, TenantKey)
    }

    assert {name: to for name, to in found.items() if to[1] != ("id",)} == references
    others = {to[0] for to in found.values() if to[1] == ("id",)}
    assert others <= {"billing_workspace"}


def a_row(model: type[Any], owner: Any) -> Any:
    """Return a row of the model in a workspace that has one of each kind."""
    return model._base_manager.filter(workspace=owner).order_by("pk").last()


@pytest.fixture
def tenants():
    """Two workspaces that have a row of each kind with references."""
    return [a_tenant(code) for code in ("one", "two")]


def a_tenant(code: str) -> Any:
    owner = make.workspace(code)
    line = make.line(owner, model="graduated", tiers=[("10", "2", "0"), (None, "1", "0")])
    customer = line.subscription.customer
    brick = make.event_brick(owner)
    make.counting_line(make.customer(owner, aliases=[f"{code} alias"]), brick)
    record = make.use(line, "1", "2026-01-10")
    make.fix(record, "2")
    make.event(owner, f"{code} alias", "2026-01-10")
    close_and_issue(owner, "2026-02-01")
    make.api_key(owner)
    key, now = owner.api_keys.get(), make.moment("2026-01-10")
    ApiKeyUse.objects.create(workspace=owner, api_key=key, last_used_at=now)
    StoredReply.objects.create(workspace=owner, api_key=key, key="k", fingerprint="", status=200, created_at=now)
    Matching.objects.create(workspace=owner, customer=customer, name="gx", after_id=0, until_id=1)
    return owner


@pytest.mark.parametrize(("model", "field"), REFERENCES, ids=lambda each: getattr(each, "__name__", None) or each.name)
def test_no_row_can_be_made_to_refer_to_another_tenants(tenants, model, field):
    one, two = tenants
    mine = model._base_manager.filter(workspace=one).exclude(**{field.name: None}).order_by("pk").last()
    foreign = a_row(field.related_model, two)
    assert mine is not None
    assert foreign is not None

    with pytest.raises(IntegrityError, match="violates foreign key constraint"), transaction.atomic():
        refer(mine, field, foreign)


def refer(row: Any, field: TenantKey, to: Any) -> None:
    statement = f"UPDATE {row._meta.db_table} SET {field.column} = %s WHERE workspace_id = %s AND id = %s"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement, [to.pk, row.workspace_id, row.pk])


def test_an_id_that_another_workspace_has_tells_nothing_but_that_it_is_taken():
    customer = make.customer(make.workspace("one"))

    with pytest.raises(ValidationError) as refused:
        make.customer(make.workspace("two"), "Mine", id=customer.pk)

    assert refused.value.message_dict == {"id": ["A customer with this id already exists."]}


def test_rows_of_no_reference_are_tenants_too():
    assert {StoredReply, ApiKeyUse, UsageRecord, Line, Subscription} <= set(TENANTS)
