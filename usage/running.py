"""Where the server of this installation answers: its supervisor tells commands in other terminals while it runs."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "address"


def origin(*, host: str, port: str) -> str:
    """Return where a server that listens so is reached from this machine: “http://127.0.0.1:8000”.

    What listens on all addresses is reached by the loopback's.
    """
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}"


@contextmanager
def told_in(folder: Path, address: str) -> Iterator[None]:
    """Tell the address in the folder while the block runs; where another server tells its own there, that one stays.

    The file is locked as long. A lock ends with its process, so what a killed one left behind is not believed.
    """
    with (folder / FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield
            return
        file.truncate(0)
        file.write(address)
        file.flush()
        try:
            yield
        finally:
            (folder / FILE).unlink(missing_ok=True)


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
