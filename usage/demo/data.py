"""Demo data: the workspace, products and customers, with derived ids and secrets."""

import uuid
from dataclasses import dataclass

from django.utils.crypto import salted_hmac

from billing.catalog import EventTerms
from billing.models import Subscription, Workspace
from billing.rating import FLAT, GRADUATED, PER_UNIT, VOLUME
from usage.metering import EVENTS, NOT_METERED, SUM, TOTAL, UNIT_DAYS

CODE = "acc_demo"
TIME_ZONE = "Europe/Berlin"
ROLES = {"admin": "administrator", "finance": "finance"}
# Finance may do everything in billing and usage except create keys and workspaces.
NOT_FINANCE = {"apikey", "workspace"}


@dataclass(frozen=True)
class Product:
    """A brick and its list price. ``tiers``: (bound, None for open; unit price; fee)."""

    name: str
    aggregation: str
    unit_label: str
    model: str
    unit_price: str = "0"
    tiers: tuple[tuple[str | None, str, str], ...] = ()
    rule: EventTerms | None = None


CALLS = Product(
    "API calls",
    SUM.name,
    "calls",
    GRADUATED.name,
    tiers=(("10000", "0.002", "0"), ("50000", "0.0015", "0"), (None, "0.001", "0")),
)
MESSAGES = Product("Messages", SUM.name, "messages", PER_UNIT.name, "0.045")
STORAGE = Product(
    "Storage transfer",
    SUM.name,
    "GB",
    VOLUME.name,
    tiers=(("100", "0.12", "5"), ("1000", "0.09", "5"), (None, "0.07", "0")),
)
SEATS = Product("Seats", UNIT_DAYS.name, "seats", PER_UNIT.name, "2")
SUPPORT = Product("Support plan", NOT_METERED.name, "period", FLAT.name, "149")
MEDIA = Product(
    "Media processing",
    EVENTS.name,
    "minutes",
    PER_UNIT.name,
    "0.03",
    rule=EventTerms("media-processed", TOTAL.name, "minutes", filters={"preview": ["true"]}, negated=("preview",)),
)
PRODUCTS = (CALLS, MESSAGES, STORAGE, SEATS, SUPPORT, MEDIA)

# Customer -> interval, day of the month on which its periods start, products.
CUSTOMERS: dict[str, tuple[str, int, tuple[Product, ...]]] = {
    "Globex Logistics": (Subscription.Interval.MONTHLY, 1, (CALLS, SEATS, SUPPORT)),
    "Initech GmbH": (Subscription.Interval.MONTHLY, 1, (CALLS, STORAGE)),
    "Umbra Analytics": (Subscription.Interval.MONTHLY, 1, (MESSAGES, SEATS)),
    "Stark & Daughters": (Subscription.Interval.MONTHLY, 15, (CALLS, MESSAGES, SUPPORT)),
    "Vandelay Imports": (Subscription.Interval.QUARTERLY, 1, (STORAGE, SEATS)),
    "Hooli Streams": (Subscription.Interval.MONTHLY, 1, (MEDIA, SUPPORT)),
}
# The alias of the customer in the events that services send.
EVENTS_CUSTOMER, ALIAS = "Hooli Streams", "hooli"


def secret(name: str) -> str:
    """Return the demo's secret with a name: derived from SECRET_KEY, so stable and private."""
    return salted_hmac("arrears.demo", name, algorithm="sha256").hexdigest()[:32]


def password_of(username: str) -> str:
    """Return a login's password, with 128 bits: others may reach a demo."""
    return secret(f"password of {username}")


def key_of(workspace: Workspace) -> str:
    """Return the text of the workspace's API key."""
    return f"ark_{workspace.mode}_{secret(f'key of {workspace.mode}')}"


def id_of(workspace: Workspace, name: str) -> uuid.UUID:
    """Return the id of the row with a name: the same each time the demo is created."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"arrears:{workspace.code}:{workspace.mode}:{name}")


def find() -> Workspace | None:
    """Return the demo's live workspace, None if the demo is not loaded."""
    return Workspace.objects.filter(code=CODE, mode=Workspace.Mode.LIVE).first()
