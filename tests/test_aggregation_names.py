"""No file names an aggregation but those that define it."""

import ast
import re
from collections.abc import Iterator

import pytest

from billing.aggregations import Aggregation, EventAggregation
from tests.sources import ROOT, sources
from usage.metering import AGGREGATIONS, EVENT_AGGREGATIONS, table

pytestmark = pytest.mark.once

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
