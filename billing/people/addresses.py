"""Find the address of a client behind trusted proxies. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# A client with an IPv6 address has the whole network of this prefix length.
V6_OF_ONE = 64
UNKNOWN = "unknown"


def client_address(*, peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the client's address: that of the peer, or the one that a trusted proxy reports.

    ``forwarded_for`` is the header ``X-Forwarded-For``. It is read from the right, where each proxy adds its peer, and
    only as far as the proxies are trusted: anything further left may be forged.
    """
    entries = [entry.strip() for entry in forwarded_for.split(",") if entry.strip()]
    address = _read(peer)
    while entries and address is not None and any(address in network for network in trusted):
        reported = _read(entries.pop())
        if reported is None:
            break
        address = reported
    return UNKNOWN if address is None else str(address)


def place_of(address: str) -> str:
    """Return the key of a client for limits: its IPv4 address or its IPv6 network."""
    known = _read(address)
    return str(ip_network((known, V6_OF_ONE), strict=False)) if isinstance(known, IPv6Address) else address


def _read(text: str) -> Address | None:
    """Parse an address, with or without a port, as proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
