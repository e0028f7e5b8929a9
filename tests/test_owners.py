"""Only its owner writes a table: the owners by table, and the few exceptions."""

import pytest
from django.apps import apps

from tests.imports import is_within, module_of
from tests.sources import SOURCES
from tests.test_architecture import MODELS
from tests.writers import UNKNOWN, Tables, Write, returned_models, writes_in

pytestmark = pytest.mark.once

# Who writes which table: the package that owns it first. Others write what the comment names and nothing else.
WRITERS: dict[str, tuple[str, ...]] = {
    "Workspace": ("billing.parties",),
    "AllowedOrigin": ("billing.parties",),
    # Closing notes on customers, subscriptions and lines what is closed.
    "Customer": ("billing.parties", "billing.invoicing"),
    "CustomerAlias": ("billing.parties",),
    "ApiKey": ("billing.keys",),
    "ApiKeyUse": ("billing.keys",),
    "Brick": ("billing.catalog",),
    "EventRule": ("billing.catalog",),
    "Price": ("billing.catalog",),
    "PriceTier": ("billing.catalog",),
    "Subscription": ("billing.contracts", "billing.invoicing"),
    "Line": ("billing.contracts", "billing.invoicing"),
    "Name": ("billing.names",),
    # A workspace opens with its series; lines and invoices take their numbers from them.
    "NumberSeries": ("billing.parties", "billing.contracts.line_numbers", "billing.invoicing"),
    "Invoice": ("billing.invoicing",),
    "InvoiceLine": ("billing.invoicing",),
    "BillingPeriod": ("billing.invoicing",),
    "CloseRun": ("usage.closing", "billing.invoicing"),
    "CloseItem": ("usage.closing", "billing.invoicing", "billing.close_states"),
    "Change": ("billing.history",),
    "LoginTally": ("billing.people",),
    "SentForm": ("billing.people",),
    "ShownWorkspace": ("billing.people",),
    "UsageRecord": ("usage.ledger",),
    "UsageCount": ("usage.ledger",),
    "Matching": ("usage.ledger",),
    "StoredReply": ("usage.dialects.shared",),
    "ScheduleTurn": ("usage.schedule",),
}
# Written past their owner, or by code that does not say what it writes: package and table, each with its reason.
PAST_THE_OWNER: dict[tuple[str, str], str] = {
    (
        "billing.admin",
        UNKNOWN,
    ): "2026-11-27: people and groups are saved by Django's own pages, of which billing has one",
    ("billing.close_states", UNKNOWN): "one function makes the transitions of runs and of items",
    ("billing.history", UNKNOWN): "writes the row that its caller gives, who is found instead",
    ("billing.invoicing", UNKNOWN): "deletes drafts and their periods, whose tables it has in a loop",
    ("billing.models", UNKNOWN): "what all rows of a tenant share deletes the row that it is called on",
    ("billing.storage", UNKNOWN): "bulk.insert writes the model that its caller names, who is found instead",
    ("usage.demo", "Group"): "the demonstration has people with a group of their own",
    ("usage.heartbeats", UNKNOWN): "a job that stopped is taken up in one place, a close run like a matching",
}
TABLES = Tables.of(apps.get_models())
RETURNED = returned_models(SOURCES.values(), TABLES)


def written_past(path: str, source: str) -> list[Write]:
    """Return what a module writes to tables of others."""
    found = writes_in(path, source, tables=TABLES, returned=RETURNED)
    return [
        write for write in found if not any(is_within(module_of(path), owner) for owner in WRITERS.get(write.model, ()))
    ]


def test_every_table_has_a_writer():
    assert sorted(WRITERS) == sorted(model.__name__ for model in MODELS)
    names = [model.__name__ for model in MODELS]
    assert len(names) == len(set(names))

    seen = {write.model for path, source in SOURCES.items() for write in writes_in_module(path, source)}
    assert set(WRITERS) - seen == set()


def writes_in_module(path: str, source: str) -> list[Write]:
    return list(writes_in(path, source, tables=TABLES, returned=RETURNED))


def test_only_its_owner_writes_a_table():
    past = [write for path, source in SOURCES.items() for write in written_past(path, source)]

    assert [
        write
        for write in past
        if not any(
            is_within(module_of(write.path), package) and model == write.model for package, model in PAST_THE_OWNER
        )
    ] == []
    # An exception that nobody needs any more goes.
    assert [
        (package, model)
        for package, model in PAST_THE_OWNER
        if not any(is_within(module_of(write.path), package) and model == write.model for write in past)
    ] == []


@pytest.mark.parametrize(
    ("planted", "model"),
    [
        ("Price.objects.create(name=name)", "Price"),
        ("Price.objects.filter(pk=1).update(name=name)", "Price"),
        ("Price._base_manager.filter(pk=1).delete()", "Price"),
        ("PriceTier.objects.bulk_create(rows)", "PriceTier"),
        ("EventRule.objects.get_or_create(brick=brick)", "EventRule"),
        ("found = Price.objects.filter(pk=1)\n    found.update(name=name)", "Price"),
        ("found = Price.objects.get(pk=1)\n    found.save()", "Price"),
        ("made = Price(name=name)\n    made.save(force_insert=True)", "Price"),
        ("for row in Line.objects.all():\n        row.delete()", "Line"),
        ("if (row := Line.objects.first()) is not None:\n        row.save()", "Line"),
        ("subscription.save()", "Subscription"),
        ("history.save(subscription, fields=[], actor=actor)", "Subscription"),
        ("history.insert(Price(name=name), actor=actor)", "Price"),
        ("subscription.lines.filter(pk=1).update(ends_at=None)", "Line"),
        ("subscription.customer.save()", "Customer"),
        ("locked_brick(brick).delete()", "Brick"),
        ("bulk.insert(model=Invoice, rows=[])", "Invoice"),
        ("thing.save()", UNKNOWN),
        ("things.filter(pk=1).update(name=name)", UNKNOWN),
        ("super().save_model(request, obj, form, change)", UNKNOWN),
        ('cursor.execute("INSERT INTO billing_name (text) VALUES (%s)")', "Name"),
        ('cursor.execute("UPDATE billing_line AS l SET cutoff = 1")', "Line"),
        ('cursor.execute("DELETE FROM billing_price WHERE id = %s")', "Price"),
        ('cursor.execute(f"UPDATE {Invoice._meta.db_table} SET number = %s")', "Invoice"),
        ('cursor.execute(f"DELETE FROM {table} WHERE id = %s")', UNKNOWN),
        ('cursor.execute("DELETE FROM {table}".format(table=table))', UNKNOWN),
    ],
)
def test_planted_writer_is_found(planted, model):
    source = f"def change(subscription: Subscription, cursor, name):\n    {planted}\n"

    assert [write.model for write in written_past("usage/planted.py", source)] == [model]


@pytest.mark.parametrize(
    "harmless",
    [
        "found = dict(Price.objects.values_list('pk', 'name'))\n    found.update(a=1)",
        "names.update(given)",
        "formset.save(commit=False)",
        "super().save(*args)",
        "keys.create_key(workspace=subscription.workspace)",
        'cursor.execute("SELECT id FROM billing_line FOR NO KEY UPDATE OF billing_line")',
        '"""An INSERT INTO billing_line would be none of its business."""',
    ],
)
def test_reading_is_no_writing(harmless):
    assert written_past("usage/planted.py", f"def change(subscription: Subscription):\n    {harmless}\n") == []
