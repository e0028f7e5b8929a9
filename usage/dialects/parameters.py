"""What a list's query may hold. What would be passed over in silence would answer with rows that nobody asked for."""

from collections.abc import Container, Iterable

from django.http import QueryDict
from rest_framework import exceptions

UNKNOWN = "There is no such parameter."
REPEATED = "Give this parameter once."
EMPTY = "This parameter may not be empty."


def refuse_unknown(
    query: QueryDict, known: Iterable[str], *, repeated: Container[str] = (), optional: Container[str] | None = None
) -> None:
    """Raise a ``ValidationError`` that names each parameter that is none of ``known``, is given twice or is empty.

    A client that filters by what is not there, as in ``line[]=3`` or ``line=``, would be given the whole workspace and
    may act on it. ``repeated`` are the parameters that may be given several times, ``optional`` those that may be
    empty: all, where it is left out.
    """
    wrong = {name: [UNKNOWN] for name in sorted(query.keys() - set(known))}
    wrong |= {
        name: [REPEATED]
        for name, values in query.lists()
        if name not in wrong and name not in repeated and len(values) > 1
    }
    if optional is not None:
        empty = (name for name, values in query.lists() if name not in optional and not all(values))
        wrong |= {name: [EMPTY] for name in empty if name not in wrong}
    if wrong:
        raise exceptions.ValidationError(wrong)
