"""Read the number that a client may write where it names a line."""

from billing.models import GREATEST_LINE_NUMBER


def parse_line_number(name: str) -> int | None:
    """Return the line number that a name spells, None where no line can have it.

    ``007`` spells none: it may be another line's reference.
    """
    is_number = name.isascii() and name.isdigit() and len(name) < 20 and name[0] != "0"
    return int(name) if is_number and int(name) <= GREATEST_LINE_NUMBER else None
