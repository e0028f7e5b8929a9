"""The folders of the dialects follow the rule in their README."""

import ast
import re
from pathlib import Path

import pytest

from usage.dialects import DIALECTS, Dialect
from usage.dialects.shared.errors import ErrorStyle

pytestmark = pytest.mark.once

FOLDER = Path(__file__).parents[3] / "usage" / "dialects"
README = (FOLDER / "README.md").read_text()

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading of the README, without its head."""
    section = re.split(r"^##+ ", README.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


FILES = table("The files of a dialect")
ROLES = {re.sub(r"[`*]|\.py", "", name): holds for name, holds in FILES}
REQUIRED = {re.sub(r"[`*]|\.py", "", name) for name, _ in FILES if name.startswith("**")}
OWN = {
    (name, module)
    for name, modules in table("Files of single dialects")
    for module in re.findall(r"`(\w+)\.py`", modules)
}


def modules(dialect: Dialect) -> dict[str, ast.Module]:
    files = (FOLDER / dialect.name).glob("*.py")
    return {file.stem: ast.parse(file.read_text()) for file in files if file.stem != "__init__"}


def classes(module: ast.Module, *, based_on: str) -> list[str]:
    """Return the classes of a module with a base whose name ends so."""
    return [
        node.name
        for node in module.body
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(based_on) for base in node.bases)
    ]


def resources(dialect: Dialect) -> set[str]:
    """Return the modules that have views of paths."""
    return {name for name, module in modules(dialect).items() if name != "base" and classes(module, based_on="View")}


def test_the_rule_names_its_files():
    assert sorted(REQUIRED) == ["base", "errors", "translate", "urls"]
    assert ROLES.keys() > REQUIRED | {"views", "serializers", "fields", "filters", "rows"}


@each_dialect
def test_a_dialect_has_the_files_that_all_have(dialect: Dialect):
    assert modules(dialect).keys() >= REQUIRED
    assert isinstance(dialect.urls.urlpatterns[-1].callback.cls.error_style, ErrorStyle)
    assert dialect.urls.urlpatterns[-1].callback.cls.__module__ == f"usage.dialects.{dialect.name}.base"


@each_dialect
def test_one_resource_is_in_views_and_several_are_a_file_each(dialect: Dialect):
    found = resources(dialect)

    assert found == {"views"} or (len(found) > 1 and "views" not in found)
    assert found != {"views"} or "serializers" in modules(dialect)


@each_dialect
def test_every_file_has_a_role_or_is_a_resources(dialect: Dialect):
    own = {module for name, module in OWN if name == dialect.name}
    found = resources(dialect)
    of_resources = {f"{resource}_{role}" for resource in found - {"views"} for role in ROLES}

    assert modules(dialect).keys() - ROLES.keys() - found - of_resources == own


@each_dialect
def test_keys_errors_and_serializers_stand_in_the_files_of_their_roles(dialect: Dialect):
    found = modules(dialect)
    holds = {
        "Authentication": {"base"},
        "Style": {"errors"},
        "FilterSet": {"filters"}
        | {name for name in found if name.endswith("_filters")}
        | resources(dialect) - {"views"},
    }

    for kind, at in holds.items():
        assert {name for name, module in found.items() if classes(module, based_on=kind)} <= at, kind
    if resources(dialect) == {"views"}:
        with_serializers = {name for name, module in found.items() if classes(module, based_on="Serializer")}
        assert with_serializers <= {"serializers", "errors"}


@each_dialect
def test_no_file_is_longer_than_a_reader_likes(dialect: Dialect):
    lengths = {file.name: len(file.read_text().splitlines()) for file in (FOLDER / dialect.name).glob("*.py")}

    assert {name: length for name, length in lengths.items() if length > 300} == {}
