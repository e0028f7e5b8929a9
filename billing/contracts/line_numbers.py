"""Line numbers, by which clients identify a workspace's lines: given with the line, or the workspace's next."""

from django.core.exceptions import ValidationError

from billing.models import GREATEST_LINE_NUMBER, Line, Name, NumberSeries

# Numbers looked up at once; usually the first is free.
LOOKED_UP = 100


def lock(*, workspace_id: int) -> NumberSeries:
    """Lock the workspace's series of line numbers, and thereby the names of lines and subscriptions, until commit."""
    return NumberSeries.objects.select_for_update().get(workspace_id=workspace_id, kind=NumberSeries.Kind.LINE)


def number_for_line(*, workspace_id: int, given: int | None) -> int:
    """Return the number for a line that the caller's transaction is about to add.

    This is ``given``, or the workspace's next number that is not a name yet. A given number does not advance the
    series. Raises ``ValidationError`` naming ``number`` if the given one is out of range or taken.
    """
    if given is not None and not 1 <= given <= GREATEST_LINE_NUMBER:
        raise ValidationError({"number": f"A line's number is a whole number from 1 to {GREATEST_LINE_NUMBER}."})
    # All writers of numbers hold this lock until commit, so the numbers read below can't change.
    series = lock(workspace_id=workspace_id)
    if given is None:
        number = _first_free(workspace_id, series.next_sequence)
        NumberSeries.objects.filter(workspace_id=workspace_id, pk=series.pk).update(next_sequence=number + 1)
        return number
    if Line.objects.filter(workspace_id=workspace_id, number=given).exists():
        raise ValidationError({"number": ValidationError("A line with this number already exists.", code="unique")})
    return given


def _first_free(workspace_id: int, least: int) -> int:
    """Return the lowest number from ``least`` that is not the name of a line or a subscription."""
    names = Name.objects.filter(workspace_id=workspace_id, kind=Name.Kind.LINE)
    while True:
        digits = [str(number) for number in range(least, least + LOOKED_UP)]
        taken = set(names.filter(text__in=digits).values_list("text", flat=True))
        for text in digits:
            if text not in taken:
                return int(text)
        least += LOOKED_UP
