"""The table of dialects matches the folders, the tests, the pages and the documentation."""

import re
from pathlib import Path

import pytest

from usage.dialects import BY_NAME, DIALECTS, RECORDED_AS, VENDORS, Dialect
from usage.dialects.shared.view import DialectView
from usage.models import UsageRecord

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "usage" / "dialects"
OURS = "api"

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
each_vendor = pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != OURS])


def folders(beside: Path) -> set[str]:
    return {path.parent.name for path in beside.glob("*/__init__.py")} - {"shared"}


def row(text: str, name: str) -> list[str]:
    """Return the cells of a table's row by its first cell."""
    (found,) = re.findall(rf"^\| {name} \| (.+) \|$", text, re.MULTILINE)
    return [cell.strip() for cell in found.split(" | ")]


def test_every_folder_has_a_line_and_every_line_a_folder():
    assert folders(FOLDER) == BY_NAME.keys()


def test_every_dialect_has_its_tests():
    assert folders(Path(__file__).parent) == BY_NAME.keys()


def test_no_two_dialects_have_a_mount_or_a_title_in_common():
    assert len({dialect.mount for dialect in DIALECTS}) == len({dialect.title for dialect in DIALECTS}) == len(DIALECTS)


@each_dialect
def test_records_of_a_dialect_bear_its_name(dialect: Dialect):
    views = [pattern.callback.cls for pattern in dialect.urls.urlpatterns]

    assert all(issubclass(view, DialectView) for view in views)
    assert {view.dialect for view in views} == {dialect.name}


def test_a_records_dialect_is_an_api_the_panel_or_a_file():
    assert set(RECORDED_AS) == {"panel", "file"} | BY_NAME.keys()
    assert max(map(len, RECORDED_AS)) <= (UsageRecord._meta.get_field("dialect").max_length or 0)


def test_the_table_of_features_has_a_column_for_every_dialect():
    text = (FOLDER / "README.md").read_text()
    mounts, pages = row(text, "mount"), row(text, "API page")
    ours = [dialect for dialect in DIALECTS if dialect.vendor == OURS]
    others = sorted(
        (dialect for dialect in DIALECTS if dialect.vendor != OURS),
        key=lambda dialect: mounts.index(_cell(dialect, mounts)),
    )

    assert [_cell(dialect, mounts) for dialect in others + ours] == mounts
    assert [_page(dialect) for dialect in others + ours] == pages


def _cell(dialect: Dialect, cells: list[str]) -> str:
    (cell,) = [cell for cell in cells if cell.startswith(f"`/{dialect.mount}`")] or [""]
    assert cell, f"{dialect.mount} is in no column of the README"
    return cell


def _page(dialect: Dialect) -> str:
    return f"`/docs/{dialect.name}/{'schema.graphql' if dialect.speaks_graphql else ''}`"


@each_vendor
def test_every_vendor_has_a_guide_and_its_base_url_in_the_readme(vendor: str):
    guide = f"docs/coming-from-{vendor}.md"
    readme = (ROOT / "README.md").read_text()

    assert f"DIALECT_HOSTS=usage.example.com={vendor}" in (ROOT / guide).read_text()
    assert re.search(rf"^\| .+ \| `/{vendor}[/a-z]*` \| \[.+\]\({guide}\) \|$", readme, re.MULTILINE)
