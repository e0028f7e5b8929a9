"""What a list's query may hold. What would be passed over in silence would answer with rows that nobody asked for."""

from collections.abc import Container, Iterable

from django.http import QueryDict
from rest_framework import exceptions

UNKNOWN = "There is no such parameter."
REPEATED = "Give this parameter once."


def refuse_unknown(query: QueryDict, known: Iterable[str], *, repeated: Container[str] = ()) -> None:
    """Raise a ``ValidationError`` that names each parameter that is none of ``known``, or that is given twice.

    A client that filters by what is not there, as in ``line[]=3``, would be given the whole workspace and may act on
    it. ``repeated`` are the parameters that may be given several times.
    """
    wrong = {name: [UNKNOWN] for name in sorted(query.keys() - set(known))}
    wrong |= {
        name: [REPEATED]
        for name, values in query.lists()
        if name not in wrong and name not in repeated and len(values) > 1
    }
    if wrong:
        raise exceptions.ValidationError(wrong)
