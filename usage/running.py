"""Where the server of this installation answers: it tells commands in other terminals while it runs."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

FILE = "address"
# Open, and so locked, until the process ends.
_held: list[IO[str]] = []


def origin(*, host: str, port: str, scheme: str = "http") -> str:
    """Return where a server that listens so is reached from this machine: “http://127.0.0.1:8000”.

    What listens on all addresses is reached by the loopback's.
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{scheme}://{f'[{reached}]' if ':' in reached else reached}:{port}"


@contextmanager
def told_in(folder: Path, address: str) -> Iterator[None]:
    """Tell the address in the folder while the block runs; where another server tells its own there, that one stays.

    The file is locked as long. A lock ends with its process, so what a killed one left behind is not believed.
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


def tell_while_alive(folder: Path, address: str) -> None:
    """Tell the address in the folder until this process ends, once no other server tells its own there.

    Where that can't be written, nobody is told.
    """
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _tell(folder, address, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Thread(target=_tell, args=(folder, address, fcntl.LOCK_EX), daemon=True).start()


def _tell(folder: Path, address: str, operation: int) -> None:
    file = _locked(folder / FILE, operation)
    _held.append(file)
    _write(file, address)


def _locked(path: Path, operation: int) -> IO[str]:
    """Open the file and lock it; where whoever had the lock took the file away, the one that there is now."""
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
    """Return the address of the server that runs now and tells it in the folder; None where there is none."""
    try:
        with (folder / FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or None
    except FileNotFoundError:
        pass
    return None
