"""Read the ids that a client may write where it names a line, a subscription or a customer."""

import uuid

from billing.models.contracts import GREATEST_LINE_NUMBER


def parse_line_number(name: str) -> int | None:
    """Return the line number that a name spells, None where no line can have it.

    ``007`` spells none: it may be another line's reference.
    """
    is_number = name.isascii() and name.isdigit() and len(name) < 20 and name[0] != "0"
    return int(name) if is_number and int(name) <= GREATEST_LINE_NUMBER else None


def parse_uuid(name: str) -> uuid.UUID | None:
    """Return the UUID that a name spells with hyphens, in either case; None for any other text.

    Bare digits, braces and a URN are no ids: such a text may be something else's reference.
    """
    try:
        found = uuid.UUID(name)
    except ValueError:
        return None
    return found if str(found) == name.lower() else None
