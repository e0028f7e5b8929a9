"""Functions of the domain that write take an actor, which is stored with each row that has a history."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from billing.history.kinds import KINDS
from tests.imports import is_within, module_of
from tests.sources import ROOT, SOURCES
from tests.test_architecture import DOMAIN
from tests.test_owners import RETURNED, TABLES
from tests.writers import Write, writes_in

pytestmark = pytest.mark.once

# Rows with a history that are written without it: the function, the model and how, each with its reason.
BESIDE_THE_HISTORY = {
    ("billing.catalog.bricks", "Brick", "update"): "archived once, by a conditional UPDATE, and noted",
    ("billing.catalog.bricks", "EventRule", "update"): "the former rule ends: the history has the next one",
    ("billing.catalog.event_rules", "EventRule", "update"): "the former rule ends: the history has the next one",
    ("billing.invoicing.discarding", "Line", "update"): "its cutoff, which closing alone moves",
    ("billing.invoicing.pointers", "Customer", "sql"): "the pointers that closing alone moves",
    ("billing.invoicing.pointers", "Line", "sql"): "the pointers that closing alone moves",
    ("billing.invoicing.pointers", "Subscription", "sql"): "the pointers that closing alone moves",
    ("billing.keys", "ApiKey", "update"): "revoked once, by a conditional UPDATE, and noted",
    ("usage.closing.work", "CloseRun", "update"): "the heartbeat and problem of a job",
}


def test_rows_with_a_history_are_written_with_it():
    recorded = {model.__name__ for model in KINDS}
    found = {
        (module_of(write.path), write.model, write.how)
        for path, source in SOURCES.items()
        for write in writes(path, source)
        if write.model in recorded and write.how != "history"
    }

    assert found == set(BESIDE_THE_HISTORY)


def writes(path: str, source: str) -> Iterator[Write]:
    return writes_in(path, source, tables=TABLES, returned=RETURNED)


# Functions that write and take no actor, each with its reason.
WITHOUT_ACTOR = {
    "billing.close_states.move_items": "a step of closing, in its caller's transaction: the run keeps who started it",
    "billing.close_states.move_run": "a step of approving or closing, in its caller's transaction",
    "billing.close_states.release_subscriptions": "a step of closing or discarding, in its caller's transaction",
    "billing.invoicing.drafts.write_drafts": "a step of closing: the run keeps who started it",
    "billing.invoicing.issuing.issue_next": "does what was approved: the run keeps by whom",
    "billing.invoicing.pointers.move_event_pointers": "a step of closing: the run keeps who started it",
    "billing.invoicing.pointers.move_pointers": "a step of closing and discarding: the run keeps who did",
    "billing.keys.find_key": "notes when a key was last used, by itself",
    "billing.names.free_reference": "a step of ending, in its caller's transaction",
    "billing.names.give": "a step of its callers, in their transaction",
    "billing.names.give_agreed": "a step of its callers, in their transaction",
    "billing.names.take_back": "a step of its callers, in their transaction",
    "usage.closing.runs.stalled": "marks a job as taken up",
    "usage.heartbeats.take_up_silent": "marks a job as taken up",
    "usage.ledger.counts.count_usages": "moves a count of records that are there",
    "usage.ledger.events.matching.stalled_matchings": "marks a job as taken up",
    "usage.ledger.events.matching.work_on_matching": "does what was begun: the job keeps by whom",
    "usage.schedule.note_turn": "notes when a task of the schedule ended",
}
# What people of the panel do to their own log-in; what writes rows for others; the loading of the demonstration.
OF_NO_DOMAIN = ("billing.people", "billing.storage", "billing.history", "usage.demo")


def test_every_function_of_the_domain_that_writes_takes_who_acts():
    without = {
        name_of(function) for function in functions_at_doors() if is_writer(function) and not takes_actor(function)
    }

    assert {name for name in without if not name.startswith(OF_NO_DOMAIN)} == set(WITHOUT_ACTOR)


@pytest.mark.parametrize(
    "name",
    [
        "billing.catalog.bricks.create_brick",
        "billing.contracts.ends.end_line",
        "billing.parties.customers.add_alias",
        "usage.closing.unattended.close_now",
        "usage.ledger.batch.recording.record_many",
        "usage.ledger.lines.recording.record",
    ],
)
def test_a_function_that_writes_by_others_is_known_as_a_writer(name):
    [function] = [function for function in functions_at_doors() if name_of(function) == name]

    assert is_writer(function)
    assert takes_actor(function)


def functions_at_doors() -> set[FunctionType]:
    """Return what packages of the domain offer: the names in ``__all__``, or all public functions of a module."""
    modules = {name: importlib.import_module(name) for name in DOMAIN}
    doors = {name for name, module in modules.items() if hasattr(module, "__all__")}
    found = set()
    for name, module in modules.items():
        if any(is_within(name, door) and name != door for door in doors):
            continue
        for offered in getattr(module, "__all__", [one for one in vars(module) if not one.startswith("_")]):
            value = getattr(module, offered)
            if inspect.isfunction(value) and (name in doors or value.__module__ == name):
                found.add(value)
    return found


def name_of(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__name__}"


def takes_actor(function: FunctionType) -> bool:
    return not {"actor", "command", "commands"}.isdisjoint(inspect.signature(function).parameters)


def is_writer(function: FunctionType) -> bool:
    """Tell whether a function writes a row, or calls functions of the program that do."""
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        one = inspect.unwrap(waiting.pop())
        if one in seen:
            continue
        seen.add(one)
        if writes_itself(one):
            return True
        waiting += called_by(one)
    return False


@cache
def lines_that_write(path: str) -> frozenset[int]:
    return frozenset(write.line for write in writes(path, SOURCES[path]))


def path_of(function: FunctionType) -> str:
    return str(Path(function.__code__.co_filename).relative_to(ROOT))


def writes_itself(function: FunctionType) -> bool:
    """Tell whether a statement of the function, or a text of its module that it uses, writes a table."""
    path, lines = path_of(function), inspect.getsourcelines(function)
    own = range(lines[1], lines[1] + len(lines[0]))
    if any(line in own for line in lines_that_write(path)):
        return True
    tree = ast.parse(SOURCES[path])
    used = {node.id for node in ast.walk(ast.parse(textwrap.dedent("".join(lines[0])))) if isinstance(node, ast.Name)}
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    constants = [
        node for node in assigned if {target.id for target in node.targets if isinstance(target, ast.Name)} & used
    ]
    return any(node.lineno <= line <= (node.end_lineno or 0) for node in constants for line in lines_that_write(path))


def called_by(function: FunctionType) -> list[FunctionType]:
    """Return the functions of the program that a function names: by themselves, or in a module that it names."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    scope = function.__globals__
    found: list[Any] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                found.append(scope.get(name))
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found.append(getattr(scope.get(module), name, None))
    return [one for one in found if inspect.isfunction(one) and one.__module__.split(".")[0] in ("billing", "usage")]
