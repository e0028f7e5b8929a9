from ipaddress import ip_network

import pytest

from billing.people.addresses import client_address, place_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        # No proxy of ours: whatever it says of others is its own invention.
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        # Read from the right, past our proxies, and no further.
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("2001:db8:1::5", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # With ports, as some write it.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        # What is no address ends the reading.
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", " , ", "10.0.0.1"),
        ("", "198.51.100.1", "unknown"),
    ],
)
def test_the_client_is_who_the_last_trusted_proxy_saw(peer, forwarded_for, client):
    assert client_address(peer=peer, forwarded_for=forwarded_for, trusted=PROXIES) == client


def test_without_a_named_proxy_nobody_is_believed():
    assert client_address(peer="10.0.0.1", forwarded_for="198.51.100.1", trusted=[]) == "10.0.0.1"


def test_whoever_has_one_address_of_the_sixth_version_has_its_network():
    assert place_of("2001:db8:0:7:1::1") == place_of("2001:db8:0:7:ffff::2") == "2001:db8:0:7::/64"
    assert place_of("2001:db8:0:8:1::1") != place_of("2001:db8:0:7:1::1")
    assert place_of("198.51.100.1") == "198.51.100.1"
