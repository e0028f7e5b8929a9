"""Events that count for nothing, told beside a vendor's body, which is closed: it has no member for this."""

from drf_spectacular.utils import OpenApiParameter

HEADER = "Unread-Event-Count"
IN_REPLY = OpenApiParameter(
    HEADER,
    int,
    OpenApiParameter.HEADER,
    response=[200],
    description="Of the events, those that count for nothing: what is added or told apart is not in them.",
)


def told(count: int) -> dict[str, str]:
    """Return the header of a reply that tells how many."""
    return {HEADER: str(count)}
