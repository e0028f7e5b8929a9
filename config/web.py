"""The web server: ``python -m config.web`` is granian with the front in place, and takes granian's options."""

import os
import resource
import signal
import sys
import threading
import time
from contextlib import suppress

from granian import loops
from granian.cli import cli

from config.loop import InPlaceLoop

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


# The server's processes import this module too, and find the loop registered.
if __name__ == "__main__":
    allow_connections()
    if supervisor := os.environ.get("ARREARS_SUPERVISOR"):
        threading.Thread(target=end_with, args=(int(supervisor),), daemon=True).start()
    cli([*OPTIONS, *sys.argv[1:], "config.front:application"], auto_envvar_prefix="GRANIAN")
