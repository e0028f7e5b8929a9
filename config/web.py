"""The web server: ``python -m config.web`` is granian with the front in place, and takes granian's options."""

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

# Each costs a socket and some memory, but no thread; a connection counts as long as it is open.
CONNECTIONS = 4096
# What requests at work get before a server without its supervisor is killed.
GRACE_SECONDS = 10
OPTIONS = ["--interface", "rsgi", "--no-ws", "--backlog", "1024", "--backpressure", str(CONNECTIONS)]
# While the server waits to see which version of HTTP a client speaks, no deadline runs: a connection that says nothing
# would be kept for ever. Of HTTP/1 alone it has the time of a header, ``--http1-header-read-timeout``.
OPTIONS += ["--http", "1"]
# A worker that is killed takes nothing with it but its own requests.
OPTIONS += ["--respawn-failed-workers"]


@loops.register("auto")
def in_place_loop() -> InPlaceLoop:
    return InPlaceLoop()  # type: ignore[abstract]  # of a loop it has what coroutines here need


def allow_connections() -> None:
    """Raise the soft limit of open files, which is 1,024 on many machines, as far as connections need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def end_with(supervisor: int) -> None:
    """End when the supervisor is gone. The signal that tells of it is lost where it comes while the server starts."""
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)


def address_by(options: Mapping[str, Any]) -> str | None:
    """Return where granian is reached with these options; None where it listens at no address of the network."""
    scheme = "https" if options["ssl_certificate"] else "http"
    return None if options["uds"] else origin(host=options["host"], port=str(options["port"]), scheme=scheme)


def telling(serve: Callable[..., Any] | None) -> Callable[..., Any]:
    """Return granian's command, which is given the options that were read, as one that first tells where it runs."""

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
        # A supervisor tells itself.
        cli.callback = telling(cli.callback)
    cli([*OPTIONS, *arguments, "config.front:application"], auto_envvar_prefix="GRANIAN")


# The server's processes import this module too, and find the loop registered.
if __name__ == "__main__":
    main(sys.argv[1:])
