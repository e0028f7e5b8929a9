"""Message broker of the embedded mode: kombu's filesystem transport, made safe for processes that are killed.

kombu creates a message's file before it writes the content, and rewrites the table of bindings in place. Another
process can read half of either, and then exits. Here each file is written under another name and renamed, so that it is
either complete or absent. A file that still can't be read, such as after a full disk, is skipped (a message) or rebuilt
from what this process has declared (the table). A message may be lost: the queue is a hint, and the sweep finds the
work that the message was about.
"""

import fcntl
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

# Suffix of files being written and of messages that a consumer has taken. Neither counts as a message.
ASIDE = ".aside"
# A file older than this was left behind by a process that was killed.
ASIDE_SECONDS = 3600

Binding = filesystem.exchange_queue_t


class Channel(filesystem.Channel):
    """Channel that writes by renaming, and takes a message by renaming it: only one consumer can succeed."""

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        """Put a message into the queue atomically. Raises ``ChannelError`` if it can't be written."""
        # Names sort by age, oldest first.
        name = f"{time.monotonic_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str) -> Any:  # type: ignore[override]
        """Take the oldest readable message of the queue. Raises ``Empty``."""
        folder = Path(self.data_folder_in)
        for name in _names(folder):
            if name.endswith(ASIDE):
                _remove_what_was_left(folder / name)
            elif name.partition(".")[2] == f"{queue}.msg" and (payload := _take(folder / name)) is not None:
                return payload
        raise Empty

    def get_table(self, exchange: str) -> list[Any]:
        """Return the exchange's bindings. If they can't be read, rebuild them from what this process has declared."""
        bindings = _read_bindings(self._table_file(exchange))
        if bindings is None and (known := self._declared_here(exchange)):
            return self._change_table(exchange, lambda table: [*table, *(row for row in known if row not in table)])
        return bindings or []

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        binding = _binding(routing_key, pattern, queue)
        if binding not in (_read_bindings(self._table_file(exchange)) or ()):
            self._change_table(exchange, lambda table: [binding, *(row for row in table if row != binding)])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        self._purge(queue)
        gone = _binding(routing_key, pattern, queue)
        self._change_table(exchange, lambda table: [row for row in table if row != gone])

    def _declared_here(self, exchange: str) -> list[Any]:
        exchanges = self.state.exchanges or {}
        return [_binding(*row) for row in exchanges.get(exchange, {}).get("table", ())]

    def _table_file(self, exchange: str) -> Path:
        if Path(exchange).name != exchange:
            raise ChannelError(f"{exchange!r} is not the name of an exchange.")
        return Path(self.control_folder) / f"{exchange}.exchange"

    def _change_table(self, exchange: str, change: Callable[[list[Any]], list[Any]]) -> list[Any]:
        file = self._table_file(exchange)
        with _locked(file):
            table = change(_read_bindings(file) or [])
            _write(file, dumps(table))
        return table


class Transport(filesystem.Transport):
    Channel = Channel


def _binding(routing_key: str | None, pattern: str | None, queue: str | None) -> Any:
    return Binding(routing_key or "", pattern or "", queue or "")


def _write(file: Path, text: str) -> None:
    """Create or replace a file atomically. Raises ``ChannelError`` and keeps the old content if that fails."""
    beside = file.with_name(f"{file.name}.{uuid.uuid4()}{ASIDE}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ChannelError(f"Cannot write {file}: {error.strerror}") from error


def _names(folder: Path) -> list[str]:
    """List a folder, oldest message first. A folder that can't be listed, because it was removed, is empty."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _take(file: Path) -> Any:
    """Take a message and return it. Return None if another consumer has taken it or it can't be read."""
    mine = file.with_name(f"{file.name}.{uuid.uuid4()}{ASIDE}")
    try:
        file.rename(mine)
    except OSError:
        return None
    try:
        payload = loads(mine.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("Message %s can't be read and is skipped: %s", file.name, error)
        payload = None
    with suppress(OSError):
        mine.unlink()
    return payload if _is_message(payload) else None


def _is_message(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(properties := payload.get("properties"), dict)
        and {"delivery_tag", "delivery_info"} <= properties.keys()
        and "body" in payload
    )


def _remove_what_was_left(file: Path) -> None:
    with suppress(OSError):
        if time.time() - file.stat().st_mtime > ASIDE_SECONDS:
            file.unlink()


def _read_bindings(file: Path) -> list[Any] | None:
    """Return the bindings in a file. Return None if there is no file or it can't be read."""
    try:
        rows = loads(file.read_bytes().decode("utf-8"))
        if not isinstance(rows, list):
            raise ValueError("It is not a list.")
        return [Binding(*row) for row in rows]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s can't be read and is rebuilt: %s", file, error)
        return None


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Serialize changes of a file that is replaced, by locking a second file that never is."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ChannelError(f"Cannot lock {file}: {error.strerror}") from error
