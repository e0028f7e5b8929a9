"""Estimate how hard a secret is to guess: words, years, keyboard patterns, repetitions and sequences add little."""

import functools
import re
from collections.abc import Iterator
from math import log2

from django.contrib.auth.password_validation import CommonPasswordValidator

# 16 random hexadecimal digits, the shortest tokens of vendors, exceed this; words and patterns don't.
LEAST_BITS = 40
# Bits of one word of a list of 20,000.
BITS_OF_A_PASSWORD = 14
# Bits of one of the words below, which occur in phrases.
BITS_OF_A_WORD = 5
BITS_OF_A_WALK = 7
BITS_OF_A_YEAR = 7
BITS_OF_A_DAY = 12
# Bits of each letter of a pronounceable part beside words, such as the name of a company or a product.
BITS_OF_A_SOUND = 3

# Words that are common in keys, secrets and passwords beside a name.
_LISTED = """
    a access account acme active admin administrator alpha an analytics and api apikey app application auth
    authorization backend backup bearer beta big billing bot bridge build changeme check ci client cloud code company
    config connect cool corp credential credentials customer dashboard data database default demo deploy dev develop
    developer development do docs dragon dummy email enterprise env environment event events example export external
    fake finance foo foobar for free frontend gateway generic github gitlab global good hello home host hotfix id import
    inc install int integration internal invoice ios is it jenkins job key keys letmein license limited live local
    localhost login love ltd main master meter mobile monitor my mytoken name network new no not null office official
    ok old only open ops order org our partner pass passphrase passwd password payment placeholder platform please
    plugin portal primary private prod product production project proxy public pw qa query random read real release
    replace report root sales sample sandbox sdk secret secrets secure security server service shared shop sign
    simple site software spring staging stage standard start store stripe summer super sync system team temp
    temporary tenant test tester testing the this tmp to token tool top trial trust undefined update usage use user
    username value vault version very web webhook welcome winter work worker workspace world write xxx yes your
    autumn fall january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    dead beef cafe babe face feed fade deed decade facade
    """
WORDS = frozenset(_LISTED.split())
_LONGEST_WORD = max(map(len, WORDS))
# 1 may stand for an i or an l.
_LEET = [str.maketrans("0134578@$!", f"o{one}eastbasi") for one in "il"]

_KEYBOARD = (
    "qwertyuiop asdfghjkl zxcvbnm qwertzuiop yxcvbnm 1234567890 1qaz2wsx3edc4rfv5tgb6yhn7ujm qazwsxedcrfvtgbyhnujm"
)
_ROWS = [row[::step] for row in _KEYBOARD.split() for step in (1, -1)]
_LEAST_WALK = 4

_YEAR = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])")
_DAY = re.compile(r"(?<![0-9])(?:19|20)[0-9]{2}([-_./]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])(?![0-9])")
_SPOKEN = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)")
_UNSPOKEN = re.compile(r"[^aeiouy]{4}|^[^aeiouy]+$|[aeiou]{4}")

_PARTS = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")
_AGAIN = re.compile(r"(.+?)\1+")
_ALPHABETS = (("[0-9]+", 10), ("[0-9a-f]+|[0-9A-F]+", 16), ("[a-z]+|[A-Z]+", 26), ("[0-9a-z]+|[0-9A-Z]+", 36))
_LARGEST = 62

# The start and end of a part of a text, and its bits.
_Part = tuple[int, int, float]


def is_guessable(text: str) -> bool:
    """Tell whether a secret looks invented by a person instead of drawn at random."""
    return bits_of(text) < LEAST_BITS


def bits_of(text: str) -> float:
    """Return the bits of a text: the minimum over all ways to split it into known parts.

    Outside known parts, each letter and digit that does not continue a pattern counts as drawn at random.
    """
    plain = "".join(filter(str.isalnum, text))
    each = log2(next((size for alphabet, size in _ALPHABETS if re.fullmatch(alphabet, plain)), _LARGEST))
    # Four random hexadecimal digits are a year too often.
    is_hexadecimal = each <= log2(16)
    words = list(_words(text, is_hexadecimal=is_hexadecimal))
    years = () if is_hexadecimal else _years(text)
    parts = [*words, *_passwords(text), *_walks(text), *years, *(_names(text) if words else ())]
    ending_at: dict[int, list[_Part]] = {}
    for part in parts:
        ending_at.setdefault(part[1], []).append(part)
    bits = [0.0]
    for at, sign in enumerate(text):
        drawn = each if sign.isalnum() and not _is_foreseen(text, at) else 0.0
        known = (bits[start] + cost for start, _, cost in ending_at.get(at + 1, ()))
        bits.append(min([bits[at] + drawn, *known]))
    return bits[-1]


def _words(text: str, *, is_hexadecimal: bool) -> Iterator[_Part]:
    """Find words in any case and, outside of hexadecimal texts, with digits in place of letters."""
    lower = text.lower()
    spellings = [lower] if is_hexadecimal else [lower, *(lower.translate(table) for table in _LEET)]
    for start in range(len(text)):
        for end in range(start + 1, min(start + _LONGEST_WORD, len(text)) + 1):
            # A word of two letters counts only if it is separate.
            is_apart = _begins(text, start) and _begins(text, end)
            if (end - start > 2 or is_apart) and any(spelled[start:end] in WORDS for spelled in spellings):
                yield start, end, BITS_OF_A_WORD


def _begins(text: str, at: int) -> bool:
    """Tell whether a run of letters begins or ends at a position, or a capital follows a small letter."""
    if at in (0, len(text)) or not (text[at].isalpha() and text[at - 1].isalpha()):
        return True
    return text[at].isupper() and text[at - 1].islower()


def _passwords(text: str) -> Iterator[_Part]:
    """Find parts that are common passwords, once or repeated."""
    for part in _PARTS.finditer(text):
        again = _AGAIN.fullmatch(part[0].lower())
        if (again[1] if again else part[0].lower()) in _common_passwords():
            yield *part.span(), BITS_OF_A_PASSWORD


def _walks(text: str) -> Iterator[_Part]:
    """Find runs of adjacent keys, in either direction."""
    lower = text.lower()
    for start in range(len(text)):
        end = start + _LEAST_WALK
        while end <= len(text) and any(lower[start:end] in row for row in _ROWS):
            yield start, end, BITS_OF_A_WALK
            end += 1


def _years(text: str) -> Iterator[_Part]:
    for pattern, bits in ((_YEAR, BITS_OF_A_YEAR), (_DAY, BITS_OF_A_DAY)):
        for found in pattern.finditer(text):
            yield *found.span(), bits


def _names(text: str) -> Iterator[_Part]:
    """Find pronounceable runs of letters, only in a text with words: random letters can be pronounceable too."""
    for part in _SPOKEN.finditer(text):
        if len(part[0]) > 2 and not _UNSPOKEN.search(part[0].lower()):
            yield *part.span(), BITS_OF_A_SOUND * len(part[0])


def _is_foreseen(text: str, at: int) -> bool:
    """Tell whether a character repeats the last one, continues a sequence, or completes three that occurred before."""
    if at < 2:
        return at == 1 and text[0] == text[1]
    step, former_step = ord(text[at]) - ord(text[at - 1]), ord(text[at - 1]) - ord(text[at - 2])
    runs_on = abs(step) == 1 and step == former_step
    return step == 0 or runs_on or text[at - 2 : at + 1] in text[:at]


@functools.cache
def _common_passwords() -> frozenset[str]:
    return frozenset(CommonPasswordValidator().passwords)
