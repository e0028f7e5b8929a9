"""The web server: ``python -m config.web`` is granian with the front in place, and takes granian's options."""

import resource
import sys
from contextlib import suppress

from granian import loops
from granian.cli import cli

from config.loop import InPlaceLoop

# Each costs a socket and some memory, but no thread; a connection counts as long as it is open.
CONNECTIONS = 4096
OPTIONS = ["--interface", "rsgi", "--no-ws", "--backlog", "1024", "--backpressure", str(CONNECTIONS)]
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


# The server's processes import this module too, and find the loop registered.
if __name__ == "__main__":
    allow_connections()
    cli([*OPTIONS, *sys.argv[1:], "config.front:application"], auto_envvar_prefix="GRANIAN")
