"""Errors for which the ledger refuses usage; each names the invalid field by the ledger's name."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from billing.localmoment import LocalMoment
from billing.money import format_decimal

# The start and end of a line; the end may be None.
Life = tuple[LocalMoment, LocalMoment | None]


class UnableToRecord(Exception):
    """The ledger refuses the usage. ``field`` is the canonical name of the invalid field, ``message`` the reason."""

    field: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QuantityRefused(UnableToRecord):
    field = "quantity"


class LimitReached(UnableToRecord):
    """The line's hard limit leaves less than the quantity in the period; ``left`` is the remainder."""

    field = "quantity"

    def __init__(self, left: Decimal) -> None:
        self.left = left
        super().__init__(self.told(format_decimal))

    def told(self, spell: Callable[[Decimal], str]) -> str:
        """Return the message with its quantity formatted by ``spell``."""
        return f"The limit of this line leaves {spell(self.left)} in the period."


class LineNotFound(UnableToRecord):
    """The workspace has no such line, or no such brick in the subscription, or the name matches several lines."""

    field = "line"


class LineNotMetered(UnableToRecord):
    field = "line"


class OutsideLine(UnableToRecord):
    """No line of the address was active when the usage occurred; ``lives`` are their times of activity."""

    field = "occurred_at"

    def __init__(self, lives: Iterable[Life]) -> None:
        self.lives = tuple(lives)
        super().__init__(self.told(str))

    def told(self, spell: Callable[[LocalMoment], str]) -> str:
        """Return the message with its moments formatted by ``spell``."""
        spans = (f"from {spell(start)}" + (f" until {spell(end)}" if end else "") for start, end in self.lives)
        return f"The line was not active then, only {' and '.join(spans)}."


class DuplicateKey(UnableToRecord):
    """A record of the same workspace and dialect has this key; ``record_id`` is the id that its sender knows."""

    field = "key"

    def __init__(self, *, record_id: int) -> None:
        super().__init__("Usage with this id was already recorded.")
        self.record_id = record_id


class PropertiesRefused(UnableToRecord):
    field = "properties"


class TextRefused(UnableToRecord):
    """An event's alias, type or key is empty or too long; ``field`` names which."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class RecordNotFound(UnableToRecord):
    """The workspace has no such record, or it was retracted."""

    field = "record"

    def __init__(self) -> None:
        super().__init__("There is no such usage.")
