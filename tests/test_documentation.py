"""The documentation names only what exists, and all modules, folders of tests, pages and make targets."""

import re
from pathlib import Path

import pytest

from tests.sources import ROOT

pytestmark = pytest.mark.once

PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not {".venv", "node_modules", "var", "mutants", "static"} & set(page.relative_to(ROOT).parts)
)
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
# A path from the project's root.
_PATH = re.compile(r"`((?:billing|config|docs|templates|tests|usage)/[\w./*-]*)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    assert [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_exists(page):
    assert [path for path in _PATH.findall(page.read_text()) if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("package", ["billing", "usage"])
def test_the_readme_of_a_package_names_each_of_its_modules(package):
    folder = ROOT / package
    modules = {
        f"{path.stem}.py" if path.is_file() else f"{path.name}/"
        for path in folder.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    # Modules that Django expects in any app need no description.
    modules -= {"__init__.py", "apps.py", "admin/", "management/", "migrations/", "templatetags/"}
    # The first table is the one of modules.
    rows = (folder / "README.md").read_text().partition("\n| ")[2].partition("\n\n")[0]
    table = "\n".join(row.split("|")[1] for row in rows.splitlines()[2:])

    assert sorted(name for name in modules if f"`{name}`" not in table) == []
    named_there = set(re.findall(r"`(\w+(?:\.py|/))`", table))
    assert sorted(name for name in named_there if not (folder / name.rstrip("/")).exists()) == []


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of any level."""
    return re.split(r"^#+ ", (ROOT / page).read_text().split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_readme_of_usage_names_each_file_of_the_ledger():
    named_there = set(re.findall(r"`((?:\w+/)?\w+(?:\.py|/))`", section("usage/README.md", "The ledger")))
    ledger = ROOT / "usage/ledger"
    files = {str(path.relative_to(ledger)) for path in ledger.rglob("*.py") if path.name != "__init__.py"}
    folders = {name for name in named_there if name.endswith("/")}

    assert len(files) > 15
    assert sorted(file for file in files - named_there if not file.startswith(tuple(folders))) == []
    assert sorted(name for name in named_there if not (ledger / name).exists()) == ["ledger/"]


def test_the_contributors_table_names_each_folder_of_tests():
    table = section("docs/CONTRIBUTING.md", "Where things are").partition("\n| tests/ | |\n")[2].partition("\n\n")[0]
    named_there = {name for row in table.splitlines() for name in re.findall(r"`(\w+)/`", row.split("|")[1])}
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}

    assert len(named_there) > 8
    # These mirror the code.
    assert folders - named_there == {"billing", "config", "usage"}
    assert named_there - folders == set()


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_the_page_of_contents_names_each_page(folder):
    contents = (ROOT / folder / "README.md").read_text()
    pages = {page.name for page in (ROOT / folder).glob("*.md")} - {"README.md"}

    assert sorted(name for name in pages if f"({name})" not in contents) == []


def test_each_target_of_the_makefile_is_in_the_readme():
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = (ROOT / "README.md").read_text() + (ROOT / "docs/CONTRIBUTING.md").read_text()

    assert [target for target in targets if target != "help" and f"make {target}" not in words] == []
