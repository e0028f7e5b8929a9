"""Usage of lines: find the line, record, correct, retract, and apply hard limits."""

from usage.ledger.lines.acceptance import LineFacts, accept
from usage.ledger.lines.address import Address, AddressedLines
from usage.ledger.lines.changing import correct, retract
from usage.ledger.lines.hard_limit import Totals
from usage.ledger.lines.loading import lock_lines
from usage.ledger.lines.recording import hold_lines, record

__all__ = [
    "Address",
    "AddressedLines",
    "LineFacts",
    "Totals",
    "accept",
    "correct",
    "hold_lines",
    "lock_lines",
    "record",
    "retract",
]
