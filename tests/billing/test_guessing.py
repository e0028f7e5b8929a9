import base64
import random
import string
import uuid

import pytest

from billing.guessing import bits_of, is_guessable

pytestmark = pytest.mark.once


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
        "qwertyuiopasdfgh",
        "1qaz2wsx3edc4rfv",
        "Passw0rd!Passw0rd!",
        "acme-production-key-2024",
        "globex-production-key-2024",
        "test_api_key_12345",
        "sk_test_1234567890",
        "MyCompanyApiKey2026",
        "my-secret-api-key-for-production",
        "s3cr3t-t0k3n-pr0d",
        "AcmeCorp-Live-2024-01-15",
        "ThisIsMySecretKey!!",
        "deadbeefcafebabe",
    ],
)
def test_what_people_make_up_is_guessable(text):
    assert is_guessable(text)


ALPHANUMERIC = string.ascii_letters + string.digits
MAKERS = {
    "uuid": lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    "uuid without hyphens": lambda draw: f"{draw.getrandbits(128):032x}",
    "40 hexadecimal digits": lambda draw: f"{draw.getrandbits(160):040x}",
    "16 hexadecimal digits": lambda draw: f"{draw.getrandbits(64):016X}",
    "base64": lambda draw: base64.b64encode(draw.randbytes(24)).decode(),
    "base64 for URLs": lambda draw: base64.urlsafe_b64encode(draw.randbytes(16)).decode(),
    "base32": lambda draw: base64.b32encode(draw.randbytes(15)).decode(),
    "with a prefix": lambda draw: f"sk_live_{draw.getrandbits(96):024x}",
    "letters and digits with a prefix": lambda draw: f"sk_test_{''.join(draw.choices(ALPHANUMERIC, k=24))}",
    "16 letters and digits with a prefix": lambda draw: f"key_{''.join(draw.choices(ALPHANUMERIC, k=16))}",
}


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_drawn_at_random_is_not(maker):
    draw = random.Random(7)

    refused = [text for text in (MAKERS[maker](draw) for _ in range(500)) if is_guessable(text)]

    assert refused == []


def test_only_what_surprises_counts():
    # Sixteen different hexadecimal digits in no order: 4 bits each.
    assert bits_of("0a5f3c91e7b2d846") == 64
    # a, b, then the run goes on: two letters of 26.
    assert round(bits_of("abcdefgh"), 2) == 9.4
    # A word, and eight keys beside each other: 5 bits and 7.
    assert bits_of("password12345678") == 12
    # A name of four letters that can be spoken, two words and a year: 4 x 3, 2 x 5 and 7 bits.
    assert bits_of("glob-production-key-2024") == 29
    # Without a word beside it, letters count as drawn: 16 x log2(26), of which none goes on or repeats.
    assert round(bits_of("globexinitechuma"), 2) == 75.21
