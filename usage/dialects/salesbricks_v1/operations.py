"""Parse and validate a GraphQL query, and limit the cost of its operations."""

import functools
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    validate,
)

from usage.dialects.salesbricks_v1.schema import SCHEMA

# The introspection query of GraphQL's own clients has 15 levels and some 220 fields.
MAX_CHARACTERS = 32 * 1024
MAX_TOKENS = 1000
MAX_LEVELS = 20
MAX_FIELDS = 300
MAX_ROOTS = 25
MAX_ERRORS = 20
# Clients repeat the same few queries, except those with literal values, which are sent once.
KEPT_TEXTS = 128
LONGEST_KEPT = 4000


class QueryRefused(Exception):
    """The query is not valid for the schema, or exceeds a limit."""

    def __init__(self, *errors: GraphQLError) -> None:
        super().__init__(*errors)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operations:
    """The valid operations of a query. ``most_roots``: the number of root fields of the largest one."""

    node: DocumentNode
    most_roots: int


def read(text: str) -> Operations:
    """Return the operations of a query; raise ``QueryRefused``."""
    if len(text) > MAX_CHARACTERS:
        raise QueryRefused(GraphQLError(f"A query has at most {MAX_CHARACTERS} characters."))
    return _kept(text) if len(text) <= LONGEST_KEPT else _read(text)


def _read(text: str) -> Operations:
    try:
        node = parse(text, max_tokens=MAX_TOKENS)
    except GraphQLError as error:
        raise QueryRefused(error) from error
    except RecursionError:
        raise QueryRefused(GraphQLError("The query is nested too deeply.")) from None
    most_roots = _bounded(node)
    if errors := validate(SCHEMA, node, max_errors=MAX_ERRORS):
        raise QueryRefused(*errors)
    return Operations(node, most_roots)


_kept = functools.lru_cache(maxsize=KEPT_TEXTS)(_read)


@dataclass(frozen=True, slots=True)
class _Extent:
    """The size of a selection with its fragments expanded."""

    roots: int = 0
    fields: int = 0
    levels: int = 0


class _Extents:
    def __init__(self, text: DocumentNode) -> None:
        self._fragments = {
            node.name.value: node for node in text.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, _Extent] = {}

    def of(self, selections: SelectionSetNode | None) -> _Extent:
        roots = fields = levels = 0
        for node in selections.selections if selections else ():
            match node:
                case FieldNode():
                    below = self.of(node.selection_set)
                    part = _Extent(1, 1 + below.fields, 1 + below.levels)
                case InlineFragmentNode():
                    part = self.of(node.selection_set)
                case FragmentSpreadNode():
                    part = self._of_fragment(node.name.value)
            roots, fields, levels = roots + part.roots, fields + part.fields, max(levels, part.levels)
        return _Extent(roots, fields, levels)

    def _of_fragment(self, name: str) -> _Extent:
        if name not in self._known:
            # A fragment that contains itself counts as empty here; validation refuses it.
            self._known[name] = _Extent()
            fragment = self._fragments.get(name)
            self._known[name] = self.of(fragment.selection_set) if fragment else _Extent()
        return self._known[name]


def _bounded(text: DocumentNode) -> int:
    """Return the number of root fields of the largest operation; raise ``QueryRefused`` beyond a limit."""
    extents, most_roots = _Extents(text), 0
    for node in text.definitions:
        if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            continue
        extent = extents.of(node.selection_set)
        roots = extent.roots if isinstance(node, OperationDefinitionNode) else 0
        most_roots = max(most_roots, roots)
        for size, most, what in (
            (extent.levels, MAX_LEVELS, "levels"),
            (extent.fields, MAX_FIELDS, "fields, with fragments expanded"),
            (roots, MAX_ROOTS, "root fields"),
        ):
            if size > most:
                raise QueryRefused(GraphQLError(f"A query has at most {most} {what}.", node))
    return most_roots
