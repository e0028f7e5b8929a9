"""Parse the number of a line in a name."""

from billing.models import GREATEST_LINE_NUMBER
from billing.names import parse_whole


def parse_line_number(name: str) -> int | None:
    """Return the line number that a name represents, None if no line can have it.

    ``007`` is not a number: it may be another line's reference.
    """
    number = None if name.startswith("0") else parse_whole(name, digits=19)
    return number if number is not None and number <= GREATEST_LINE_NUMBER else None
