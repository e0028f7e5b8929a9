"""The ledger has one door, and so has each of its folders: no other code reaches past it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LEDGER = ROOT / "usage" / "ledger"
FOLDERS = sorted(path.name for path in LEDGER.iterdir() if (path / "__init__.py").exists())

pytestmark = pytest.mark.once


def imported(path: Path) -> Iterator[str]:
    """Yield the modules from which a file imports, by their dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def modules_below(package: str) -> set[str]:
    folder = ROOT.joinpath(*package.split("."))
    found = (path.relative_to(ROOT).with_suffix("") for path in folder.rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in found} - {package}


def reach_past(package: str, files: Iterator[Path]) -> list[str]:
    kept = modules_below(package)
    assert kept
    return [f"{file.relative_to(ROOT)}: {name}" for file in files for name in imported(file) if name in kept]


def test_others_import_from_the_ledger_itself():
    others = (path for name in ("billing", "config", "usage") for path in (ROOT / name).rglob("*.py"))

    assert reach_past("usage.ledger", (path for path in others if LEDGER not in path.parents)) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_the_ledger_is_entered_by_its_door(folder):
    others = (path for path in LEDGER.rglob("*.py") if LEDGER / folder not in path.parents)

    assert reach_past(f"usage.ledger.{folder}", others) == []


def test_lines_and_events_do_not_know_each_other_nor_the_batch():
    assert FOLDERS == ["batch", "events", "lines"]
    for folder, strangers in (("lines", ("events", "batch")), ("events", ("lines", "batch"))):
        names = [name for path in (LEDGER / folder).rglob("*.py") for name in imported(path)]
        assert names
        assert [n for n in names for stranger in strangers if n.startswith(f"usage.ledger.{stranger}")] == []


def test_no_module_of_the_ledger_comes_in_by_the_front_door():
    assert [str(path) for path in LEDGER.rglob("*.py") if "usage.ledger" in imported(path)] == []
