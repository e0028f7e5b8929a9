"""How the project's commands say things: one line is one line, whatever names hold and whatever the output can show."""

import sys
import unicodedata
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.outages import outage_of

# Control characters, line and paragraph separators; and what turns the direction of the text that follows.
_CATEGORIES = {"Cc", "Zl", "Zp"}
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def one_line(text: str) -> str:
    """Write what would break or forge a line of a report as an escape, such as ``\\n`` and ``\\x1b``."""
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _CATEGORIES or unicodedata.bidirectional(char) in _DIRECTIONS
        else char
        for char in text
    )


class ReportingCommand(BaseCommand):
    """A command whose output never fails it: what the output's encoding lacks is written as an escape."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().execute(*args, **options)
        except Exception as error:
            outage = outage_of(error)
            if outage is None:
                raise
            raise CommandError(f"{outage.value} ({one_line(str(error).strip())})") from error

    def say(self, line: str) -> None:
        self.stdout.write(one_line(line))
