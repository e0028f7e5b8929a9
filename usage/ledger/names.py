"""Read the number that a client may write where it names a line."""

from billing.models import GREATEST_LINE_NUMBER
from billing.names import parse_whole


def parse_line_number(name: str) -> int | None:
    """Return the line number that a name spells, None where no line can have it.

    ``007`` spells none: it may be another line's reference.
    """
    number = None if name.startswith("0") else parse_whole(name, digits=19)
    return number if number is not None and number <= GREATEST_LINE_NUMBER else None
