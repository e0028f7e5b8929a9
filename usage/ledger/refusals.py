"""Why the ledger does not take usage: each refusal names the field in the ledger's own words."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from billing.localmoment import LocalMoment
from billing.money import format_decimal

# From when until when a line is active.
Life = tuple[LocalMoment, LocalMoment | None]


class UnableToRecord(Exception):
    """Usage that the ledger does not take. ``field`` is the canonical name of what is wrong."""

    field: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QuantityRefused(UnableToRecord):
    field = "quantity"


class LimitReached(UnableToRecord):
    """The line's hard limit leaves less than the quantity in the period; ``left`` is how much."""

    field = "quantity"

    def __init__(self, left: Decimal) -> None:
        self.left = left
        super().__init__(self.told(format_decimal))

    def told(self, spell: Callable[[Decimal], str]) -> str:
        """Return the message with its quantity as ``spell`` writes it."""
        return f"The limit of this line leaves {spell(self.left)} in the period."


class LineNotFound(UnableToRecord):
    """The workspace has no such line, or no such brick in such a subscription; or several lines have that name."""

    field = "line"


class LineNotMetered(UnableToRecord):
    field = "line"


class OutsideLine(UnableToRecord):
    """The line was not active when the usage occurred, nor was any other that it could be for."""

    field = "occurred_at"

    def __init__(self, lives: Iterable[Life]) -> None:
        self.lives = tuple(lives)
        super().__init__(self.told(str))

    def told(self, spell: Callable[[LocalMoment], str]) -> str:
        """Return the message with its moments as ``spell`` writes them."""
        spans = (f"from {spell(start)}" + (f" until {spell(end)}" if end else "") for start, end in self.lives)
        return f"The line was not active then, only {' and '.join(spans)}."


class DuplicateKey(UnableToRecord):
    """A live record of the same workspace and dialect has this key."""

    field = "key"

    def __init__(self, message: str, *, record_id: int) -> None:
        super().__init__(message)
        self.record_id = record_id


class PropertiesRefused(UnableToRecord):
    field = "properties"


class TextRefused(UnableToRecord):
    """An event's alias, type or key is empty or too long; ``field`` says which."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class RecordNotFound(UnableToRecord):
    """The workspace has no such record, or it was retracted."""

    field = "record"
