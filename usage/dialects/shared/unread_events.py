"""Report unread events in a header: the vendors' bodies are closed and have no member for their number."""

from drf_spectacular.utils import OpenApiParameter

HEADER = "Unread-Event-Count"
PARAMETER = OpenApiParameter(
    HEADER,
    int,
    OpenApiParameter.HEADER,
    response=[200],
    description="The number of events that count for nothing: their property is missing or not a number.",
)


def header(count: int) -> dict[str, str]:
    """Return the header of a reply with this number of unread events."""
    return {HEADER: str(count)}
