"""The numbers by which clients know a workspace's lines: given by whoever adds a line, or the workspace's next."""

from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef

from billing.models import Line, NumberSeries
from billing.models.contracts import GREATEST_LINE_NUMBER


def number_for_line(*, workspace_id: int, given: int | None) -> int:
    """Return the number of a line that the caller's transaction is about to add.

    The next of the workspace's own unless one is ``given``, which leaves the next as it is; numbers that lines have
    already are skipped. Raises ``ValidationError`` naming ``number`` where a given one is out of range, or taken.
    """
    if given is not None and not 1 <= given <= GREATEST_LINE_NUMBER:
        raise ValidationError({"number": f"A line's number is a whole number from 1 to {GREATEST_LINE_NUMBER}."})
    # Whoever gives a number holds the series until commit: what is looked up below stays so.
    series = NumberSeries.objects.select_for_update().get(workspace_id=workspace_id, kind=NumberSeries.Kind.LINE)
    if given is None:
        number = _first_free(workspace_id, series.next_sequence)
        NumberSeries.objects.filter(pk=series.pk).update(next_sequence=number + 1)
        return number
    if Line.objects.filter(workspace_id=workspace_id, number=given).exists():
        raise ValidationError({"number": ValidationError("A line has this number already.", code="unique")})
    return given


def _first_free(workspace_id: int, least: int) -> int:
    """Return the least number from ``least`` on that no line has; one look-up, however many in a row are taken."""
    lines = Line.objects.filter(workspace_id=workspace_id)
    if not lines.filter(number=least).exists():
        return least
    follower = Line.objects.filter(workspace_id=workspace_id, number=OuterRef("number") + 1)
    last_in_a_row = lines.filter(~Exists(follower), number__gte=least).order_by("number")
    return last_in_a_row.values_list(F("number") + 1, flat=True)[0]
