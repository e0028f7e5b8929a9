"""Find the imports of modules, and packages with a door: an ``__init__`` with ``__all__``."""

import ast
from functools import cache


def module_of(path: str) -> str:
    """Return a module's dotted name from its path below the project's root."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@cache
def imported(source: str) -> tuple[str, ...]:
    """Return the modules from which a source imports, and each name that it takes from one, by their dotted names."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            found += [name.name for name in node.names]
    return tuple(found)


def exports(source: str) -> set[str] | None:
    """Return the names in the ``__all__`` of a source, None where it has none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def doors(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return the packages with a door and the names that it exports."""
    found = {module_of(path): exports(source) for path, source in sources.items() if path.endswith("/__init__.py")}
    return {package: names for package, names in found.items() if names is not None}


def past_the_door(package: str, exported: set[str], sources: dict[str, str]) -> list[tuple[str, str]]:
    """Return the modules outside a package that import from a module inside it, with the name that they import."""
    inside = {module for path in sources if is_within(module := module_of(path), package)} - {package}
    behind = inside - {f"{package}.{name}" for name in exported}
    return [
        (path, name)
        for path, source in sources.items()
        if not is_within(module_of(path), package)
        for name in imported(source)
        # A module that is exported is used by its name: what it holds isn't imported from it.
        if name in behind or name.rpartition(".")[0] in inside
    ]
