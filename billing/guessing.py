"""How hard a secret is to guess: what repeats, runs on or is a common word adds little."""

import functools
import re
from math import log2

from django.contrib.auth.password_validation import CommonPasswordValidator

# 16 random hexadecimal digits, the shortest tokens that vendors give, are above; words and patterns are below.
LEAST_BITS = 40
# One word of a list of 20,000.
BITS_OF_A_WORD = 14
_PARTS = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")
_AGAIN = re.compile(r"(.+?)\1+")
_ALPHABETS = (("[0-9]+", 10), ("[0-9a-f]+|[0-9A-F]+", 16), ("[a-z]+|[A-Z]+", 26), ("[0-9a-z]+|[0-9A-Z]+", 36))
_LARGEST = 62


def is_guessable(text: str) -> bool:
    """Tell whether a secret looks like one that somebody made up."""
    return bits_of(text) < LEAST_BITS


def bits_of(text: str) -> float:
    """Return how many bits a text has if those of its letters and digits that surprise were drawn at random."""
    plain = "".join(filter(str.isalnum, text))
    each = log2(next((size for alphabet, size in _ALPHABETS if re.fullmatch(alphabet, plain)), _LARGEST))
    bits = 0.0
    for part in _PARTS.finditer(text):
        surprising = sum(text[at].isalnum() and not _is_foreseen(text, at) for at in range(*part.span()))
        again = _AGAIN.fullmatch(part[0].lower())
        word = again[1] if again else part[0].lower()
        most = BITS_OF_A_WORD if word in _common_words() else surprising * each
        bits += min(surprising * each, most)
    return bits


def _is_foreseen(text: str, at: int) -> bool:
    """Tell whether a sign repeats the last one, goes on as the last two did, or ends what stood there already."""
    if at < 2:
        return at == 1 and text[0] == text[1]
    step, former_step = ord(text[at]) - ord(text[at - 1]), ord(text[at - 1]) - ord(text[at - 2])
    runs_on = abs(step) == 1 and step == former_step
    return step == 0 or runs_on or text[at - 2 : at + 1] in text[:at]


@functools.cache
def _common_words() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)
