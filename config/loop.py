"""Event loop without a thread of its own, for a server whose events all come from other threads.

Callbacks from granian run at once in the calling thread. An ordinary loop is woken through a socket and then waits for
the interpreter lock, which takes a tenth of the time of a usage request.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

logger = logging.getLogger(__name__)


class InPlaceLoop(asyncio.AbstractEventLoop):
    """Run callbacks one at a time, as any loop does, in whichever thread calls ``call_soon_threadsafe``.

    It provides what a server's coroutines need if they wait only for the server and its own threads: no sockets, no
    timers. Callbacks have to be short, since others wait for them.
    """

    def __init__(self) -> None:
        self._ready: deque[tuple[Context, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._running = threading.Lock()

    # Neither method returns a handle: no caller cancels a callback, and creating one costs more than running most
    # callbacks.
    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> None:  # type: ignore[override]
        self._ready.append((copy_context() if context is None else context, callback, args))

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> None:  # type: ignore[override]
        self.call_soon(callback, *args, context=context)
        # A thread that does not get the lock may leave: the holder checks once more after releasing it.
        while self._ready and self._running.acquire(blocking=False):
            try:
                self._run_ready()
            finally:
                self._running.release()

    def _run_ready(self) -> None:
        asyncio._set_running_loop(self)
        try:
            while self._ready:
                context, callback, args = self._ready.popleft()
                try:
                    context.run(callback, *args)
                except Exception as error:
                    self.call_exception_handler({"message": f"{callback!r} failed", "exception": error})
        finally:
            asyncio._set_running_loop(None)

    def run_until_complete(self, future: Coroutine[Any, Any, Any]) -> Any:  # type: ignore[override]
        """Block until the coroutine has completed in other threads, and return its result."""
        ended = threading.Event()
        task = self.create_task(future)
        task.add_done_callback(lambda _: ended.set())
        self.call_soon_threadsafe(lambda: None)
        ended.wait()
        return task.result()

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        logger.error("%s", context.get("message"), exc_info=context.get("exception"))

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def get_debug(self) -> bool:
        return False
