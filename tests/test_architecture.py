"""Rules for the whole code: who may import whom, what every table has, what every function documents."""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

import billing
import usage
from billing.aggregations import Aggregation, EventAggregation
from billing.storage.exact import ExactDecimalField
from billing.storage.jsontext import ExactJSONField
from tests.imports import doors, imported, is_within, module_of, past_the_door
from tests.writers import UNKNOWN, Tables, Write, returned_models, writes_in
from usage.metering import AGGREGATIONS, EVENT_AGGREGATIONS, table

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "billing", "usage")
MODELS = [model for label in ("billing", "usage") for model in apps.get_app_config(label).get_models()]
FIELDS = [field for model in MODELS for field in model._meta.concrete_fields]

# Unique across workspaces: the workspace itself, and the API key that identifies it.
NOT_OF_A_WORKSPACE = {
    "billing_workspace_code_is_unique": ("code", "mode"),
    "billing_api_key_digest_is_unique": ("digest",),
}

# The rest is the domain.
NOT_DOMAIN = (
    "admin",
    "apps",
    "dialects",
    "management",
    "migrations",
    "models",
    "postgresql",
    "tasks",
    "templatetags",
)
DOMAIN = [
    module.name
    for package in (billing, usage)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not set(module.name.split(".")) & set(NOT_DOMAIN)
]


def broken_contracts(folder: Path) -> list[str]:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=folder, capture_output=True, text=True)
    broken = sorted(re.findall(r"^(.+) BROKEN\b", run.stdout, re.MULTILINE))
    assert (run.returncode == 0) is (broken == []), run.stdout + run.stderr
    assert " KEPT" in run.stdout, run.stdout + run.stderr
    return broken


def test_import_contracts_hold():
    assert broken_contracts(ROOT) == []


@pytest.mark.parametrize(
    ("module", "violation", "contract"),
    [
        ("billing/catalog/prices.py", "import usage.models", "usage is above billing"),
        ("billing/contracts/lines.py", "import celery", "the domain of billing knows no interface"),
        ("billing/money.py", "from django.conf import settings", "rating, calendar, money and entry know no framework"),
        ("usage/ledger/lines/recording.py", "import rest_framework", "ledger, metering and closing know no interface"),
        (
            "usage/dialects/piriod/__init__.py",
            "import usage.dialects.salesbricks_v2",
            "dialects do not know each other",
        ),
    ],
)
def test_planted_import_breaks_its_contract(tmp_path, module, violation, contract):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    with (tmp_path / module).open("a") as source:
        source.write(f"\n{violation}\n")

    assert broken_contracts(tmp_path) == [contract]


def test_each_domain_package_is_named_in_a_contract_that_keeps_interfaces_out():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {
        module
        for contract in contracts
        if contract["name"].endswith("know no interface") or contract["name"].endswith("knows no interface")
        for module in contract["source_modules"]
    }

    assert {module for module in DOMAIN if module.count(".") == 1} - named == set()
    assert [module for module in named if importlib.util.find_spec(module) is None] == []


@pytest.mark.django_db
def test_no_migration_is_outstanding():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_table_of_a_tenant_carries_its_workspace():
    without = [
        model.__name__
        for model in MODELS
        if not any(field.name == "workspace" and not field.null for field in model._meta.concrete_fields)
    ]

    # Logins, submitted forms and the choice of a workspace belong to a user, and the schedule's last run to the
    # installation.
    assert sorted(without) == ["LoginTally", "ScheduleTurn", "SentForm", "ShownWorkspace", "Workspace"]


def test_every_unique_constraint_begins_with_the_workspace():
    uniques = {
        constraint.name: constraint.fields
        for model in MODELS
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint)
    }

    assert {name: fields for name, fields in uniques.items() if fields[0] != "workspace"} == NOT_OF_A_WORKSPACE


def test_no_column_is_unique_by_itself():
    unique = [str(field) for field in FIELDS if field.unique and not field.primary_key]

    # Each workspace has one twin. The table of workspaces is not divided among them.
    assert unique == ["billing.Workspace.live"]
    assert [model.__name__ for model in MODELS if model._meta.unique_together] == []


def test_no_column_is_a_float():
    assert [str(field) for field in FIELDS if isinstance(field, models.FloatField)] == []
    inexact = [
        str(field)
        for field in FIELDS
        if (isinstance(field, models.DecimalField) and not isinstance(field, ExactDecimalField))
        or (isinstance(field, models.JSONField) and not isinstance(field, ExactJSONField))
    ]
    assert inexact == []


def test_moments_end_in_at_and_days_in_on():
    moments = {str(field) for field in FIELDS if isinstance(field, models.DateTimeField)}
    days = {str(field) for field in FIELDS if isinstance(field, models.DateField)} - moments

    assert {name for name in moments if not name.endswith("_at")} == set()
    assert {name for name in days if not name.endswith("_on")} == set()


def test_no_model_sorts_by_itself():
    assert [model.__name__ for model in MODELS if model._meta.ordering] == []


def test_every_constraint_and_index_is_named_after_its_app():
    named = [
        (model._meta.app_label, thing.name)
        for model in MODELS
        for thing in (*model._meta.constraints, *model._meta.indexes)
    ]

    assert [name for label, name in named if not name.startswith(f"{label}_")] == []
    assert len({name for _, name in named}) == len(named)


def sources(*, but: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "migrations" not in path.parts and name not in but:
                yield name, path.read_text()


SOURCES = dict(sources())
DOORS = doors(SOURCES)
# Packages whose ``__init__`` is no door, each with its reason.
NO_DOOR = {
    "billing.admin": "it loads the pages for Django to register; usage has pages that are built of its parts",
    "usage.admin": "it loads the pages for Django to register",
}
ENTERED = sorted(DOORS.keys() - NO_DOOR.keys())


def test_packages_of_the_domain_have_doors():
    assert len(ENTERED) > 15
    assert sorted(NO_DOOR.keys() - DOORS.keys()) == []


@pytest.mark.parametrize("package", ENTERED)
def test_a_package_is_entered_by_its_door(package):
    assert past_the_door(package, DOORS[package], SOURCES) == []


@pytest.mark.parametrize("package", ENTERED)
def test_a_package_does_not_come_in_by_its_own_door(package):
    inside = {path: source for path, source in SOURCES.items() if is_within(module_of(path), package)}
    exported = {f"{package}.{name}" for name in DOORS[package]} - {module_of(path) for path in inside}

    assert [path for path, source in inside.items() if exported & set(imported(source))] == []


@pytest.mark.parametrize(
    ("planted", "is_past"),
    [
        ("from billing.people.login import attempt", True),
        ("from billing.people import devices", True),
        ("from billing.people import attempt, grants", False),
        ("from billing.people.grants import may_make_keys", True),
        ("import billing.people.devices", True),
        ("def late():\n    from billing.people import login", True),
        ("import billing.people", False),
    ],
)
def test_a_planted_import_past_a_door_is_found(planted, is_past):
    found = past_the_door("billing.people", DOORS["billing.people"], {**SOURCES, "usage/planted.py": planted})

    assert {path for path, _ in found} == ({"usage/planted.py"} if is_past else set())


@pytest.mark.parametrize(
    ("folder", "strangers"), [("lines", ("events", "batch")), ("events", ("lines", "batch"))], ids=["lines", "events"]
)
def test_lines_and_events_of_the_ledger_do_not_know_each_other_nor_the_batch(folder, strangers):
    inside = {path: source for path, source in SOURCES.items() if path.startswith(f"usage/ledger/{folder}/")}

    assert len(inside) > 3
    assert [
        path
        for path, source in inside.items()
        for name in imported(source)
        if any(is_within(name, f"usage.ledger.{stranger}") for stranger in strangers)
    ] == []


def test_decimals_are_added_by_the_exact_sum_only():
    # Django's own would add floats on SQLite.
    inexact = re.compile(r"\b(?:Sum|Avg|StdDev|Variance)\(")

    assert [name for name, text in sources(but=("billing/storage/exact.py",)) if inexact.search(text)] == []


# Modules that may name an aggregation: those that define or register one, the demo's data, and a vendor's API, where
# a setting of the vendor stands for one.
VENDORS = {path.parent.name for path in (ROOT / "usage/dialects").glob("*/__init__.py")} - {"native", "shared"}
NAMING = ("billing/aggregations.py", "usage/metering/", "usage/demo/", *(f"usage/dialects/{name}/" for name in VENDORS))
NAMES = sorted({each.name for each in (*AGGREGATIONS, *EVENT_AGGREGATIONS)})
# A quoted name that an aggregation is compared with or set to, in Python, SQL or a template.
NAMED = re.compile(
    r"""aggregation\w*["'\])]*\s*(?:[=!]=|=|<>|(?:not\s+)?in\b)\s*[\[({]*\s*["'](?:NAMES)["']""".replace(
        "NAMES", "|".join(NAMES)
    ),
    re.IGNORECASE,
)
# A name with no other meaning in this code.
UNMISTAKABLE = re.compile(r"\bunit_days\b", re.IGNORECASE)
CONSTANTS = {name for name, value in vars(table).items() if isinstance(value, Aggregation | EventAggregation)}
CONSTANT = re.compile(rf"\b(?:metering|table)\.(?:{'|'.join(sorted(CONSTANTS))})\b")


def names_an_aggregation(path: str, text: str) -> bool:
    if path.startswith(NAMING):
        return False
    if NAMED.search(text) or UNMISTAKABLE.search(text) or CONSTANT.search(text):
        return True
    return path.endswith(".py") and any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("usage.metering")
        and {name.name for name in node.names} & CONSTANTS
        for node in ast.walk(ast.parse(text))
    )


def templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield str(path.relative_to(ROOT)), path.read_text()


def test_no_file_names_an_aggregation_but_those_that_define_them():
    assert [path for path, text in (*sources(), *templates()) if names_an_aggregation(path, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        'if brick.aggregation == "sum":\n    pass',
        "found = bricks.filter(brick__aggregation='events')",
        'found = bricks.filter(aggregation__in=["unique", "count"])',
        'is_plain = said["aggregation"] != "none"',
        'is_plain = brick.aggregation in ("sum", "none")',
        "SQL = \"WHERE b.aggregation <> 'events'\"",
        "SQL = \"WHERE b.aggregation IN ('sum')\"",
        'make_brick(aggregation="sum")',
        'GAUGE = "unit_days"',
        "from usage.metering import UNIT_DAYS",
        "from usage import metering\n\nCOUNTER = metering.SUM.name",
        "from usage.metering.sum import SUM as COUNTER",
    ],
)
def test_a_name_of_an_aggregation_is_found(text):
    assert names_an_aggregation("usage/ledger/lines/recording.py", text)
    assert not names_an_aggregation("usage/dialects/piriod/translate.py", text)


@pytest.mark.parametrize("text", ['{% if line.brick.aggregation == "sum" %}', "{% if aggregation in 'events' %}"])
def test_a_name_of_an_aggregation_in_a_template_is_found(text):
    assert names_an_aggregation("templates/usage/preview.html", text)


def test_domain_reads_no_clock():
    clock = re.compile(r"\b(?:timezone|datetime|date|time)\.(?:now|utcnow|today|time|localdate)\(")

    assert [module for module in DOMAIN if clock.search(inspect.getsource(importlib.import_module(module)))] == []


def test_every_check_has_an_id_of_its_own():
    ids = [found for _, source in sources() for found in re.findall(r"\bid=\"(\w+\.[CDIWE]\d{3})\"", source)]

    assert "billing.W001" in ids
    assert sorted(ids) == sorted(set(ids))


def without_docstring(module: ModuleType) -> list[str]:
    return [
        f"{module.__name__}.{name}"
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_") and not function.__doc__
    ]


def test_every_public_function_of_the_domain_says_what_it_promises():
    assert [name for module in DOMAIN for name in without_docstring(importlib.import_module(module))] == []


TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Django looks for the pages of these answers by their names.
OF_ANSWERS = {f"{name}.html" for name in ("400", "403", "403_csrf", "404", "500")}
LONGEST_TEMPLATE_LINE = 140


def overrides_a_frameworks(name: str) -> bool:
    apps_below = [app.path for app in apps.get_app_configs() if app.label not in ("billing", "usage")]
    return any((Path(folder) / "templates" / name).exists() for folder in apps_below)


def test_every_template_is_used_or_takes_the_place_of_a_frameworks():
    texts = [text for _, text in sources()] + [path.read_text() for path in TEMPLATES]
    used = {name for text in texts for name in re.findall(r"""["']([\w/]+\.html)["']""", text)}
    names = [str(path.relative_to(ROOT / "templates")) for path in TEMPLATES]

    assert len(names) > 40
    assert [name for name in names if name not in used | OF_ANSWERS and not overrides_a_frameworks(name)] == []


def test_templates_can_be_read():
    lines = [(path, number, line) for path in TEMPLATES for number, line in enumerate(path.read_text().splitlines(), 1)]
    too_long = [f"{path}:{number}" for path, number, line in lines if len(line) > LONGEST_TEMPLATE_LINE]

    assert [path for path in TEMPLATES if not path.read_text().strip()] == []
    assert too_long == []


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
