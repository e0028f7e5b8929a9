"""The current workspace of a user of the panel: the one chosen last."""

from billing.models import ShownWorkspace, Workspace


def shown_to(*, user_id: int) -> Workspace | None:
    """Return the workspace that a user chose last, else the first live one; None if there is no workspace."""
    chosen = ShownWorkspace.objects.filter(user_id=user_id).select_related("shown").first()
    return chosen.shown if chosen else Workspace.objects.filter(mode=Workspace.Mode.LIVE).order_by("pk").first()


def show(workspace: Workspace, *, user_id: int) -> None:
    """Set the current workspace of a user."""
    row = ShownWorkspace(user_id=user_id, shown=workspace)
    ShownWorkspace.objects.bulk_create([row], update_conflicts=True, unique_fields=["user"], update_fields=["shown"])
