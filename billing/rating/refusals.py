"""The error for terms that can't be rated, and the check of numbers in terms."""

from decimal import Decimal


class TermsError(ValueError):
    """The terms can't be rated; ``field`` names the invalid part, such as ``tiers[1].up_to``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def check_number(field: str, value: Decimal) -> None:
    """Raise ``TermsError`` naming ``field`` if a value is not a finite ``Decimal``."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TermsError(field, f"{value!r} is not an exact number.")
