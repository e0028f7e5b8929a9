"""Rules for the whole code: who may import whom, what every table has, what every function documents."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

import billing
import usage
from billing.storage.exact import ExactDecimalField
from billing.storage.jsontext import ExactJSONField
from tests.imports import doors, imported, is_within, module_of, past_the_door
from tests.sources import PACKAGES, ROOT, SOURCES, sources

pytestmark = pytest.mark.once


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


@pytest.mark.together
def test_a_group_of_tests_is_named_in_the_ids_by_which_tests_are_distributed(request):
    is_grouped = request.node.nodeid.endswith(f"@{request.module.__name__}")

    assert is_grouped is getattr(request.config.option, "loadgroup", False)
