"""An event loop without a thread of its own, for a server whose every event comes from another thread anyway.

What granian calls back is run at once in the thread that brings it. An ordinary loop is woken through a socket, waits
for the interpreter's lock, and takes a tenth of the time of one usage request for it.
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
    """Run callbacks one at a time, as any loop does, but in whichever thread calls ``call_soon_threadsafe``.

    It has what coroutines of a server need that waits for nothing but the server and its own threads: no sockets, no
    timers. Callbacks have to be short, since others wait for them.
    """

    def __init__(self) -> None:
        self._ready: deque[tuple[Context, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._running = threading.Lock()

    # Neither gives a handle: nobody here takes a callback back, and to make them costs more than to run most.
    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> None:  # type: ignore[override]
        self._ready.append((copy_context() if context is None else context, callback, args))

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> None:  # type: ignore[override]
        self.call_soon(callback, *args, context=context)
        # Who does not get the lock may go: its holder looks once more after it gave the lock back.
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
        """Sleep until the coroutine, which other threads carry forward, has ended, and return its result."""
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
