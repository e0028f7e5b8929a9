"""The error of terms that cannot be rated, and the check that all numbers of terms share."""

from decimal import Decimal


class TermsError(ValueError):
    """Terms that cannot be rated; ``field`` names the part at fault, such as ``tiers[1].up_to``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def check_number(field: str, value: Decimal) -> None:
    """Raise ``TermsError`` naming ``field`` where a value is not a finite ``Decimal``."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TermsError(field, f"{value!r} is no exact number.")
