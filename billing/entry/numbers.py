"""Parse numbers that users write, in the workspace's format. No other code parses them.

A format has one decimal mark and one separator of groups of exactly three digits. A text that is valid only in another
format is refused, with the numbers that it could mean; no guess is made.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.money import format_decimal

MAX_LENGTH = 64
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


class NumberFormat(StrEnum):
    POINT = "point"
    COMMA = "comma"
    SPACE = "space"


EXAMPLES = {
    NumberFormat.POINT: "1,234.5",
    NumberFormat.COMMA: "1.234,5",
    NumberFormat.SPACE: "1 234,5",
}
_MARK = {NumberFormat.POINT: ".", NumberFormat.COMMA: ",", NumberFormat.SPACE: ","}
_GROUP = {NumberFormat.POINT: ",", NumberFormat.COMMA: ".", NumberFormat.SPACE: NO_BREAK_SPACE}
# Spaces that group digits, as written by keyboards, spreadsheets and typesetters.
_SPACES = (" ", NO_BREAK_SPACE, "\N{THIN SPACE}", "\N{NARROW NO-BREAK SPACE}")
_SIGNS = {"+": "", "-": "-", "\N{MINUS SIGN}": "-"}
_DASHES = "\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}"
_APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}`´"


@dataclass(frozen=True, slots=True)
class Number:
    """A parsed number; as text, in the format in which it was parsed."""

    value: Decimal
    style: NumberFormat

    def __str__(self) -> str:
        return spell_number(self.value, self.style)


@dataclass(frozen=True, slots=True)
class UnreadNumber:
    """A text that is not a number in the format: the reason, and its values in other formats or without grouping."""

    text: str
    reason: str
    readings: tuple[Number, ...] = ()

    def __str__(self) -> str:
        if not self.readings:
            return self.reason
        return f"{self.reason} It could mean {' or '.join(map(str, self.readings))}: write one of these."


def read_number(text: str, style: NumberFormat) -> Number | UnreadNumber:
    """Parse a number in a format; blanks around it are ignored.

    Digits are grouped by threes or not at all, the sign is + or - (or a minus), and a group never begins with 0.
    Exponents, digits other than 0 to 9, currencies and units are refused.
    """
    text = text.strip()
    if not text:
        return UnreadNumber(text, "A number is missing.")
    if len(text) > MAX_LENGTH:
        return UnreadNumber(text, f"A number has at most {MAX_LENGTH} signs.")
    value = _value(text, style)
    if value is not None:
        return Number(value, style)
    return UnreadNumber(text, _reason(text, style), _readings(text, style))


def spell_number(value: Decimal, style: NumberFormat) -> str:
    """Format a number: grouped, no exponent, no trailing zeros. Parsing the text gives the same number."""
    return in_format(format_decimal(value), style)


def in_format(plain: str, style: NumberFormat) -> str:
    """Convert a plain number, such as “-1234.50”, to a format; its decimals are kept."""
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    whole, _, fraction = digits.partition(".")
    head = len(whole) % 3
    groups = [whole[:head]] * bool(head) + [whole[at : at + 3] for at in range(head, len(whole), 3)]
    return sign + _GROUP[style].join(groups) + (_MARK[style] + fraction if fraction else "")


def explain_number(value: Decimal, style: NumberFormat) -> str:
    """Format a number with an explanation of its marks: “1,234: a whole number”, “1,234: with 3 decimals”."""
    decimals = len(format_decimal(value).partition(".")[2])
    kind = f"with {decimals} decimal{'' if decimals == 1 else 's'}" if decimals else "a whole number"
    return f"{spell_number(value, style)}: {kind}"


def _value(text: str, style: NumberFormat, *, is_strict: bool = True) -> Decimal | None:
    sign, digits = (_SIGNS[text[0]], text[1:]) if text[0] in _SIGNS else ("", text)
    group = f"[{''.join(_SPACES)}]" if style is NumberFormat.SPACE else re.escape(_GROUP[style])
    if not is_strict:
        digits = re.sub(group, "", digits)
    found = re.fullmatch(
        rf"(?P<whole>[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+|[0-9]*)(?:{re.escape(_MARK[style])}(?P<fraction>[0-9]+))?",
        digits,
    )
    if found is None or not digits:
        return None
    whole = re.sub(r"[^0-9]", "", found["whole"])
    return Decimal(f"{sign}{whole or '0'}" + (f".{found['fraction']}" if found["fraction"] else ""))


def _readings(text: str, style: NumberFormat) -> tuple[Number, ...]:
    others = [_value(text, other) for other in NumberFormat if other is not style]
    values = [*others, _value(text, style, is_strict=False)]
    # Equal numbers count as one.
    return tuple(Number(value, style) for value in dict.fromkeys(value for value in values if value is not None))


def _reason(text: str, style: NumberFormat) -> str:
    shown = f"“{text}”"
    if invisible := next((sign for sign in text if unicodedata.category(sign) in ("Cf", "Cc")), None):
        return f"It contains an invisible character (U+{ord(invisible):04X}): type the number again."
    if any(sign.isnumeric() and not sign.isascii() for sign in text):
        return f"{shown} is not a number: only the digits 0 to 9 are allowed."
    if any(sign in _APOSTROPHES for sign in text):
        return f"{shown} is not a number: digits can't be grouped by apostrophes here. Write it as {EXAMPLES[style]}."
    if text[0] in _DASHES or text[-1] in (*_SIGNS, *_DASHES) or text[0] == "(":
        return f"{shown} is not a number: a negative number begins with -."
    if re.fullmatch(r"[+-]?[0-9.,]+[eE][+-]?[0-9]+", text):
        return f"{shown} is not a number: exponents are not allowed."
    if re.search(r"[^0-9.,+\-\s\N{MINUS SIGN}]", text):
        return f"{shown} is not a number: use only digits, as in {EXAMPLES[style]}."
    return f"{shown} is not written as {EXAMPLES[style]}."
