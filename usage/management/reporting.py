"""Output of the project's commands: a line of a report is always one line, whatever text it quotes."""

import os
import sys
import unicodedata
from collections.abc import Callable
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from billing.models import Workspace
from billing.storage.outages import outage_of

# Control characters, line and paragraph separators, and characters that change the direction of the text after them.
_CATEGORIES = {"Cc", "Zl", "Zp"}
_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def one_line(text: str) -> str:
    """Return the text with characters that would break or forge a line as escapes, such as ``\\n`` and ``\\x1b``."""
    return "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in _CATEGORIES or unicodedata.bidirectional(char) in _DIRECTIONS
        else char
        for char in text
    )


def workspace_called(code: str, *, is_test: bool) -> Workspace:
    """Return the workspace with a code that a command was given; raise ``CommandError`` if there is none."""
    mode = Workspace.Mode.TEST if is_test else Workspace.Mode.LIVE
    found = Workspace.objects.filter(code=code, mode=mode).first()
    if found is None:
        raise CommandError(f"There is no workspace {code!r} in {mode} mode.")
    return found


class Unfailing:
    """A stream that is flushed at each write, and discards text that can't be written instead of failing."""

    def __init__(self, stream: TextIO | None) -> None:
        # None: the process was started without it.
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> None:
        # Flush here, not when the interpreter ends, which would be an error then.
        self._try(lambda stream: (stream.write(text), stream.flush()))

    def flush(self) -> None:
        self._try(lambda stream: stream.flush())

    def _try(self, do: Callable[[TextIO], object]) -> None:
        if self._stream is None:
            return
        try:
            do(self._stream)
        except OSError:
            self._abandon(self._stream)

    def _abandon(self, stream: TextIO) -> None:
        """Discard the stream's buffer, which it would try to write again and again."""
        self._stream = None
        try:
            target = stream.fileno()
        except OSError:
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, target)
        os.close(nowhere)


class ReportingCommand(BaseCommand):
    """A command that never fails because of its output: characters that its encoding lacks are written as escapes.

    Text that can't be written at all, to a full disk or a closed pipe, is discarded; the exit status is the result.
    """

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None, **options: Any) -> None:
        told: Any = Unfailing(stdout or sys.stdout), Unfailing(stderr or sys.stderr)
        super().__init__(*told, **options)

    def execute(self, *args: Any, **options: Any) -> str | None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        given = {name: Unfailing(options[name]) for name in ("stdout", "stderr") if options.get(name)}
        try:
            return super().execute(*args, **options | given)
        except Exception as error:
            outage = outage_of(error)
            if outage is None:
                raise
            raise CommandError(f"{outage.value} ({one_line(str(error).strip())})") from error
        finally:
            # Others, such as the log, may have written there too.
            self.stdout.flush()
            self.stderr.flush()

    def say(self, line: str) -> None:
        self.stdout.write(one_line(line))
