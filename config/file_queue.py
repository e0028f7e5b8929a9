"""The queue of the embedded way of running: kombu's filesystem transport, made safe for processes that are killed.

kombu makes a message's file and then writes it, and rewrites the table of bindings in place: another process reads
half of either, and ends. Here each file is written beside and renamed, so that it is whole or not there; what can't be
read all the same, as after a full disk, is passed over (a message) or made anew from what this process has declared
(the table). A message may be lost: the queue is a hint, and the sweep finds what it was about.
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

# What is being written, and what a consumer has taken; neither is seen as a message.
ASIDE = ".aside"
# One that is older was left by a process that was killed.
ASIDE_SECONDS = 3600

Binding = filesystem.exchange_queue_t


class Channel(filesystem.Channel):
    """Writes beside and renames; takes a message by renaming it, which of several consumers only one can."""

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        """Put a message into the queue: seen whole, or not at all. Raises ``ChannelError`` where it can't be kept."""
        # Named so that the oldest sorts first.
        name = f"{time.monotonic_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        _write(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str) -> Any:  # type: ignore[override]
        """Take the oldest message of the queue that can be read; raise ``Empty``."""
        folder = Path(self.data_folder_in)
        for name in _names(folder):
            if name.endswith(ASIDE):
                _remove_what_was_left(folder / name)
            elif name.partition(".")[2] == f"{queue}.msg" and (payload := _take(folder / name)) is not None:
                return payload
        raise Empty

    def get_table(self, exchange: str) -> list[Any]:
        """Return the exchange's bindings, made anew from what this process has declared where they can't be read."""
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
            raise ChannelError(f"{exchange!r} is no name of an exchange.")
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
    """Make or replace a file in one step; raise ``ChannelError``, leaving what was there."""
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
    """List a folder, the oldest message first; one that can't be listed, as it was removed, holds none."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _take(file: Path) -> Any:
    """Return a message that nobody else has taken, or None where it is gone or can't be read."""
    mine = file.with_name(f"{file.name}.{uuid.uuid4()}{ASIDE}")
    try:
        file.rename(mine)
    except OSError:
        return None
    try:
        payload = loads(mine.read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("Message %s can't be read and is passed over: %s", file.name, error)
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
    """Return the bindings that a file holds; None where there is none or it can't be read."""
    try:
        rows = loads(file.read_bytes().decode("utf-8"))
        if not isinstance(rows, list):
            raise ValueError("It is no list.")
        return [Binding(*row) for row in rows]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s can't be read and is made anew: %s", file, error)
        return None


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Let one process at a time change a file that is replaced, by a lock on another that never is."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ChannelError(f"Cannot lock {file}: {error.strerror}") from error
