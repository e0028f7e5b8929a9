"""The web server: ``python -m config.web`` runs granian with ``config.front`` and takes granian's options."""

import functools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from granian import loops
from granian.cli import cli

from config.folder import var_folder
from config.loop import InPlaceLoop
from usage.server_address import origin, publish_while_alive

# Maximum number of open connections. Each costs a socket and some memory, but no thread.
CONNECTIONS = 4096
# Time for running requests before a server without its supervisor is killed.
GRACE_SECONDS = 10
OPTIONS = ["--interface", "rsgi", "--no-ws", "--backlog", "1024", "--backpressure", str(CONNECTIONS)]
# No timeout applies while the server detects the HTTP version, so a silent connection would be kept forever. With
# HTTP/1 alone, the header timeout applies: ``--http1-header-read-timeout``.
OPTIONS += ["--http", "1"]
# If a worker is killed, only its own requests are lost.
OPTIONS += ["--respawn-failed-workers"]


@loops.register("auto")
def in_place_loop() -> InPlaceLoop:
    return InPlaceLoop()  # type: ignore[abstract]  # it has the methods that coroutines here need


def allow_connections() -> None:
    """Raise the soft limit of open files, 1,024 on many machines, to what the connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_with(supervisor: int) -> None:
    """Exit when the supervisor is gone. The parent-death signal is lost if it arrives while the server starts."""
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)


def address_by(options: Mapping[str, Any]) -> str | None:
    """Return the URL that granian serves with these options, or None if it listens on a Unix socket."""
    scheme = "https" if options["ssl_certificate"] else "http"
    return None if options["uds"] else origin(host=options["host"], port=str(options["port"]), scheme=scheme)


def telling(serve: Callable[..., Any] | None) -> Callable[..., Any]:
    """Wrap granian's command, which receives the parsed options, so that it first publishes its address."""

    assert serve is not None

    @functools.wraps(serve)
    def command(**options: Any) -> Any:
        if address := address_by(options):
            publish_while_alive(var_folder(), address)
        return serve(**options)

    return command


def main(arguments: list[str]) -> None:
    allow_connections()
    if supervisor := os.environ.get("ARREARS_SUPERVISOR"):
        threading.Thread(target=end_with, args=(int(supervisor),), daemon=True).start()
    else:
        # The supervisor publishes the address itself.
        cli.callback = telling(cli.callback)
    cli([*OPTIONS, *arguments, "config.front:application"], auto_envvar_prefix="GRANIAN")


# The server's processes import this module too, and find the loop registered.
if __name__ == "__main__":
    main(sys.argv[1:])
