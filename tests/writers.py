"""Find what the code writes to which table: by managers, query sets, rows, ``history``, ``bulk.insert`` and SQL.

Types are not checked: a row's model is the one that its variable was made from, annotated with or returned as. What
can't be told by that is found as ``UNKNOWN``, so that it has to be named.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import Model, QuerySet

UNKNOWN = "unknown"

# Of a manager or query set, and of a row. Sets and dicts have an ``update`` too.
_OF_ROWS = {
    "create",
    "get_or_create",
    "update_or_create",
    "bulk_create",
    "bulk_update",
    "update",
    "delete",
    "_raw_delete",
    "save",
    "save_base",
    "save_model",
}
_QUERIES = {"filter", "exclude", "all", "select_for_update", "order_by", "not_voided", "using", "get_queryset"}
_SQL = re.compile(r"\b(?:INSERT\s+INTO|DELETE\s+FROM|COPY|UPDATE(?=\s+\S+\s+(?:(?:AS\s+)?\w+\s+)?SET\b))\s+(\S+)")
_DYNAMIC = "\0"


class Write(NamedTuple):
    """A place that writes to the table of a model, or of one that is not known."""

    path: str
    line: int
    model: str
    # The method that is called, ``history`` for a row that is written with its history, or ``sql``.
    how: str = ""


@dataclass(frozen=True)
class Tables:
    """The models, by the names that code knows them by."""

    by_name: frozenset[str]
    by_table: Mapping[str, str]
    by_relation: Mapping[tuple[str, str], frozenset[str]]

    @classmethod
    def of(cls, models: Iterable[type[Model]]) -> "Tables":
        models = list(models)
        relations: dict[tuple[str, str], frozenset[str]] = {}
        for model in models:
            for relation in model._meta.get_fields():
                if relation.is_relation and isinstance(relation.related_model, type):
                    accessor = getattr(relation, "get_accessor_name", lambda relation=relation: relation.name)()
                    relations[model.__name__, str(accessor)] = frozenset({relation.related_model.__name__})
        return cls(
            by_name=frozenset(model.__name__ for model in models),
            by_table={model._meta.db_table: model.__name__ for model in models},
            by_relation=relations,
        )

    def related(self, models: frozenset[str], attr: str) -> frozenset[str]:
        """Return the models that a relation of rows leads to; nothing where the attribute is none."""
        return frozenset().union(*(self.by_relation.get((model, attr), frozenset()) for model in models))

    def named_in(self, node: ast.AST | None) -> frozenset[str]:
        """Return the models that an annotation names."""
        if node is None:
            return frozenset()
        texts = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                texts += re.findall(r"\w+", part.value)
        return self.by_name & frozenset(texts)


@dataclass
class _Reader:
    tables: Tables
    returned: Mapping[str, frozenset[str]]
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def models_of(self, node: ast.AST | None) -> frozenset[str]:
        """Return the models whose rows, query sets or managers an expression may be."""
        match node:
            case ast.Name(id=name):
                return self.known.get(name) or (frozenset({name}) if name in self.tables.by_name else frozenset())
            case ast.Attribute(value=value, attr=attr):
                models = self.models_of(value)
                return self.tables.related(models, attr) or models or self.known.get(f".{attr}", frozenset())
            case ast.Call(func=ast.Name(id=name)) if name not in self.tables.by_name:
                return self.returned.get(name, frozenset())
            case ast.Call(func=ast.Attribute(attr=attr) as func) if attr in self.returned and not self.models_of(func):
                return self.returned[attr]
            case ast.Call(func=func):
                return self.models_of(func)
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.models_of(value)
            case ast.IfExp(body=body, orelse=orelse):
                return self.models_of(body) | self.models_of(orelse)
            case ast.BoolOp(values=values):
                return frozenset().union(*map(self.models_of, values))
            case _:
                return frozenset()

    def learn(self, function: ast.AST) -> None:
        """Note what the variables of a function may be."""
        for _ in range(3):
            for node in ast.walk(function):
                match node:
                    case ast.arg(arg=name, annotation=annotation):
                        self._note(name, self.tables.named_in(annotation))
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                        self._note(name, self.tables.named_in(annotation))
                    case ast.Assign(targets=targets, value=value):
                        for target in targets:
                            self._assign(target, value)
                    case ast.NamedExpr(target=target, value=value):
                        self._assign(target, value)
                    case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                        self._assign(target, value)
                    case ast.withitem(context_expr=value, optional_vars=ast.Name() as target):
                        self._assign(target, value)

    def _assign(self, target: ast.AST, value: ast.AST) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._assign(one, its)
        elif isinstance(target, ast.Name):
            self._note(target.id, self.models_of(value))
        elif isinstance(target, ast.Attribute):
            self._note(f".{target.attr}", self.models_of(value))

    def _note(self, name: str, models: frozenset[str]) -> None:
        if models:
            self.known[name] = self.known.get(name, frozenset()) | models


def returned_models(sources: Iterable[str], tables: Tables) -> dict[str, frozenset[str]]:
    """Return the models in the return annotation of each function, by its name."""
    found: dict[str, frozenset[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            is_of_queries = isinstance(node, ast.FunctionDef) and hasattr(QuerySet, node.name)
            if isinstance(node, ast.FunctionDef) and not is_of_queries and (models := tables.named_in(node.returns)):
                found[node.name] = found.get(node.name, frozenset()) | models
    return found


def writes_in(path: str, source: str, *, tables: Tables, returned: Mapping[str, frozenset[str]]) -> Iterator[Write]:
    """Yield what a module writes, by line and model; ``returned`` is that of all modules that it may call."""
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        functions += [node for node in kind.body if isinstance(node, ast.FunctionDef)]
    for function in functions:
        reader = _Reader(tables, returned)
        reader.learn(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                yield from (Write(path, node.lineno, model, _how(node)) for model in _written_by(node, reader))
    for text, line in _texts(tree):
        for table in _SQL.findall(text):
            name = table.strip('"').partition("(")[0]
            if name in tables.by_table:
                yield Write(path, line, tables.by_table[name], "sql")
            elif _DYNAMIC in name:
                model = name.removeprefix(_DYNAMIC)
                yield Write(path, line, model if model in tables.by_name else UNKNOWN, "sql")


def _written_by(call: ast.Call, reader: _Reader) -> frozenset[str]:
    if not isinstance(call.func, ast.Attribute):
        return frozenset()
    attr, receiver = call.func.attr, call.func.value
    if _how(call) == "history":
        return reader.models_of(call.args[0]) or frozenset({UNKNOWN})
    if attr == "insert":
        named = [word.value for word in call.keywords if word.arg == "model"]
        return reader.models_of(named[0]) or frozenset({UNKNOWN}) if named else frozenset()
    is_called_on = _is_super(receiver) and attr in ("save", "delete")
    if attr not in _OF_ROWS or is_called_on or any(word.arg == "commit" for word in call.keywords):
        return frozenset()
    models = reader.models_of(receiver)
    if models or (attr == "update" and not _is_query(receiver)):
        return models
    return frozenset({UNKNOWN})


def _how(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(value=ast.Name(id="history"), attr="insert" | "save" | "delete"):
            return "history"
        case ast.Attribute(attr=attr):
            return attr
        case _:
            return ""


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _is_query(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _QUERIES for part in ast.walk(node))


def _texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the texts of a module but for docstrings, whatever stands in braces made unreadable."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(map(_text_of, node.values)), node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docs | parts):
            yield re.sub(r"\{\w+\}", _DYNAMIC, node.value), node.lineno


def _text_of(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=value):
            return str(value)
        case ast.FormattedValue(value=ast.Attribute(value=ast.Attribute(value=ast.Name(id=model)), attr="db_table")):
            return f"{_DYNAMIC}{model}"
        case _:
            return _DYNAMIC
