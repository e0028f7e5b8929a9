"""Report the number of unread events in a header, since the vendors' bodies have no member for it."""

from drf_spectacular.utils import OpenApiParameter

HEADER = "Unread-Event-Count"
PARAMETER = OpenApiParameter(
    HEADER,
    int,
    OpenApiParameter.HEADER,
    response=[200],
    description="The number of events that add nothing, since their property is missing or not a number.",
)


def header(count: int) -> dict[str, str]:
    """Return the header of a response with this number of unread events."""
    return {HEADER: str(count)}
