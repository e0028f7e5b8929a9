"""Cursor pagination: each page starts after, or ends before, a row of another page, even if rows are added."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from django.db.models import BigIntegerField, Q, QuerySet, Subquery
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Workspace
from billing.names import parse_whole
from usage.dialects.shared import lists
from usage.dialects.shared.query_parameters import WholeField

LARGEST_ID = BigIntegerField.MAX_BIGINT
LARGEST_PAGE = 100
USUAL_PAGE = 20
ASC, DESC = "ASC", "DESC"
# The parameters that select a page, not rows, and may be empty.
OF_PAGES = ("after", "before", "limit", "offset", "sortOrder", "sortBy")


@extend_schema_field({"type": "string"})
class CursorField(serializers.Field):
    """The position of a row, as returned by an earlier page."""

    default_error_messages = {"invalid": "Invalid cursor."}

    def to_internal_value(self, data: Any) -> int:
        try:
            text = b64decode(str(data), validate=True).decode("ascii")
        except ValueError:
            self.fail("invalid")
        known = parse_whole(text, digits=19)
        if known is None or known > LARGEST_ID:
            self.fail("invalid")
        return known


class PaginationReply(serializers.Serializer):
    after = serializers.CharField(required=False)
    before = serializers.CharField(required=False)


class PageSerializer(serializers.Serializer):
    """The query parameters of every list; an empty one counts as omitted."""

    after = CursorField(required=False)
    before = CursorField(required=False)
    limit = WholeField(required=False, min_value=1, max_value=LARGEST_PAGE, default=USUAL_PAGE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after" in attrs and "before" in attrs:
            raise serializers.ValidationError({"before": ["Give either after or before, not both."]})
        return attrs


def page(
    found: QuerySet[Any],
    asked: dict[str, Any],
    *,
    by: str = "id",
    at: str | None = None,
    workspace: Workspace | None = None,
    sized: str | None = None,
    are_gathered: bool = False,
    show: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """Return the requested page in the vendor's form, with one query; ``by`` orders rows by an integer.

    ``at`` is a moment of the workspace's row that is compared before it. Rows are newest first by default. A page has
    no total: counting a ledger takes as long as reading it. ``sized`` and ``are_gathered`` are those of
    ``lists.first_rows``: the page may end early.
    """
    is_back = "before" in asked
    # Towards greater numbers: forward in an ascending list, backward in a descending one.
    rises = (asked.get("sortOrder", DESC) == ASC) is not is_back
    edge = asked.get("before", asked.get("after"))
    if edge is not None:
        found = found.filter(_beyond(found, edge, by, at, workspace, "gt" if rises else "lt"))
    first = asked.get("offset", 0)
    lists.check_offset(first, parameter="offset")
    names = (at, by) if at else (by,)
    order = names if rises else tuple(f"-{name}" for name in names)
    sized = None if first else sized
    read = lists.first_rows(
        found, order=order, first=first, most=asked["limit"] + 1, sized=sized, are_gathered=are_gathered
    )
    goes_on, shown = read.goes_on(asked["limit"]), read.rows[: asked["limit"]]
    came_from = edge is not None or first > 0
    if is_back:
        shown.reverse()
    pagination = {}
    if shown and (came_from if is_back else goes_on):
        pagination["after"] = _cursor(shown[-1], by)
    if shown and (goes_on if is_back else came_from):
        pagination["before"] = _cursor(shown[0], by)
    return {"items": [show(row) for row in shown], "pagination": pagination}


def _beyond(found: QuerySet[Any], edge: int, by: str, at: str | None, workspace: Workspace | None, step: str) -> Q:
    by_number = Q(**{f"{by}__{step}": edge})
    if at is None:
        return by_number
    # The moment of the last row of the page, read in the same statement.
    last = found.model._default_manager.filter(workspace=workspace, **{by: edge})
    moment = Subquery(last.values(at)[:1])
    return Q(**{f"{at}__{step}e": moment}) & (Q(**{f"{at}__{step}": moment}) | by_number)


def _cursor(row: Any, by: str) -> str:
    return b64encode(str(getattr(row, by)).encode()).decode()
