"""What the panel's head shows on every page."""

from typing import Any

from django import template

from billing.models import Workspace

register = template.Library()

# More than these are switched to from the list of workspaces.
MOST = 100


@register.inclusion_tag("panel/switch.html", takes_context=True)
def workspace_switch(context: Any) -> dict[str, Any]:
    """Show which workspace the panel shows, with the others to choose from; nothing where there is one at most."""
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
