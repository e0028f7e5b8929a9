"""Errors of requests for subscriptions and lines, and the paths of the fields that they name."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from billing.rating import TermsError


class UnableToAgree(ValidationError):
    """The subscription or line can't be created or changed as requested; the message names the field."""


@contextmanager
def within(path: str) -> Iterator[None]:
    """Prefix the fields of an error raised inside with ``path``; raise ``TermsError`` as ``UnableToAgree``."""
    try:
        yield
    except TermsError as error:
        raise UnableToAgree({f"{path}.{error.field}": error.problem}) from error
    except ValidationError as error:
        fields_of = getattr(error, "error_dict", {NON_FIELD_ERRORS: error})
        raise ValidationError({f"{path}.{name}": errors for name, errors in fields_of.items()}) from error
