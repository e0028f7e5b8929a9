"""Template tags for parts of the panel's pages: boxes, tables, facts, and the workspace switch in the head."""

from typing import Any

from django import template
from django.template.loader import render_to_string

from billing.models import Workspace

register = template.Library()

# If there are more workspaces, the others are reached through their list.
MOST = 100
# The marker of a column of figures, which are aligned to the right.
RIGHT = ">"


@register.simple_block_tag
def box(content: str, title: str = "", note: str = "", **options: Any) -> str:
    """Put content in a box, under a title with a note in grey beside it.

    ``link`` and ``link_text`` put a link in place of the note. ``classes`` are added to the box's own; ``id`` is its
    id. ``load`` is a URL whose fragment replaces the content once the page is shown.
    """
    return render_to_string("panel/boxes/box.html", {"content": content, "title": title, "note": note, **options})


@register.simple_block_tag
def table(content: str, columns: str = "", **options: Any) -> str:
    """Put bodies of rows in a table with these columns: “Customer|Total>”, where > marks a column of figures.

    ``id`` is the id of the table.
    """
    heads = [{"text": text.removesuffix(RIGHT), "is_number": text.endswith(RIGHT)} for text in columns.split("|")]
    return render_to_string(
        "panel/boxes/table.html", {"content": content, "heads": heads if columns else [], **options}
    )


@register.simple_block_tag
def fact(content: str, name: str, width: str = "") -> str:
    """Put a value with its name into the facts of a box. ``width``: “wide” or “full”, for long values."""
    return render_to_string("panel/boxes/fact.html", {"content": content, "name": name, "width": width})


@register.inclusion_tag("panel/boxes/switch.html", takes_context=True)
def workspace_switch(context: Any) -> dict[str, Any]:
    """Show the current workspace, with the others to choose from; nothing if there is at most one."""
    from billing.admin import shown  # noqa: PLC0415  (unfold's own forms load the tags, before there is a panel)

    request = context["request"]
    columns = ("name", "mode")
    found = list(Workspace.objects.only(*columns).order_by(*columns, "pk")[: MOST + 1])
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "workspace": shown.workspace_or_none(request),
        "workspaces": found[:MOST],
        "has_more": len(found) > MOST,
        "is_shown": len(found) > 1,
    }
