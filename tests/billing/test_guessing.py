import base64
import random
import uuid

import pytest

from billing.guessing import bits_of, is_guessable


@pytest.mark.parametrize(
    "text",
    [
        "aaaaaaaaaaaaaaaa",
        "a" * 200,
        "abababababababab",
        "abcabcabcabcabcabc",
        "aabbccddeeffgghh",
        "0123456789abcdef",
        "1234567890123456",
        "abcdefghijklmnopqrstuvwxyz",
        "00000000-0000-0000-0000-000000000000",
        "12345678-1234-1234-1234-123456789012",
        "deadbeefdeadbeef",
        "password12345678",
        "Password-12345678",
        "passwordpassword",
        "----------------",
        "2026-11-20-10-00",
        "testtesttesttest",
    ],
)
def test_what_people_make_up_is_guessable(text):
    assert is_guessable(text)


MAKERS = {
    "uuid": lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    "uuid without hyphens": lambda draw: f"{draw.getrandbits(128):032x}",
    "40 hexadecimal digits": lambda draw: f"{draw.getrandbits(160):040x}",
    "16 hexadecimal digits": lambda draw: f"{draw.getrandbits(64):016X}",
    "base64": lambda draw: base64.b64encode(draw.randbytes(24)).decode(),
    "base64 for URLs": lambda draw: base64.urlsafe_b64encode(draw.randbytes(16)).decode(),
    "base32": lambda draw: base64.b32encode(draw.randbytes(15)).decode(),
    "with a prefix": lambda draw: f"sk_live_{draw.getrandbits(96):024x}",
}


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_drawn_at_random_is_not(maker):
    draw = random.Random(7)

    refused = [text for text in (MAKERS[maker](draw) for _ in range(2000)) if is_guessable(text)]

    assert refused == []


def test_only_what_surprises_counts():
    # Sixteen different hexadecimal digits in no order: 4 bits each.
    assert bits_of("0a5f3c91e7b2d846") == 64
    # a, b, then the run goes on: two letters of 26.
    assert round(bits_of("abcdefgh"), 2) == 9.4
    # A common word, and digits of which two surprise: 14 bits and 2 x log2(36).
    assert round(bits_of("password12345678"), 2) == 24.34
