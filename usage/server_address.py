"""Publish the address of this installation's running server for commands in other terminals."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FILE = "address"
# Files that stay open, and thus locked, until the process ends.
_held: list[IO[str]] = []


def origin(*, host: str, port: str, scheme: str = "http") -> str:
    """Return the URL by which this machine reaches a server with this listening address: “http://127.0.0.1:8000”.

    If it listens on all addresses, this is the loopback address.
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{reached}]' if ':' in reached else reached}:{port}"


@contextmanager
def published_in(folder: Path, address: str) -> Iterator[None]:
    """Publish the address in the folder while the block runs, unless another running server has published its own.

    The file is locked meanwhile. Locks end with their process, so the file of a killed server is ignored.
    """
    try:
        file = _locked(folder / FILE, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield
        return
    with file:
        _write(file, address)
        try:
            yield
        finally:
            (folder / FILE).unlink(missing_ok=True)


def publish_while_alive(folder: Path, address: str) -> None:
    """Publish the address in the folder until this process ends, once no other server publishes its own there.

    Does nothing if the folder can't be written.
    """
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _publish(folder, address, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Thread(target=_publish, args=(folder, address, fcntl.LOCK_EX), daemon=True).start()


def _publish(folder: Path, address: str, operation: int) -> None:
    file = _locked(folder / FILE, operation)
    _held.append(file)
    _write(file, address)


def _locked(path: Path, operation: int) -> IO[str]:
    """Open the file and lock it; if its former owner has removed it meanwhile, open the new file."""
    while True:
        file = open(path, "a+", opener=_private)  # noqa: SIM115  (it stays open as long as it is locked)
        try:
            fcntl.flock(file, operation)
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(file: IO[str], address: str) -> None:
    file.truncate(0)
    file.write(address)
    file.flush()


def address_in(folder: Path) -> str | None:
    """Return the address that a running server publishes in the folder; None if there is none."""
    try:
        with (folder / FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or None
    except FileNotFoundError:
        pass
    return None
