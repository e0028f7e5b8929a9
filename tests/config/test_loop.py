import asyncio
import threading

import pytest

from config.loop import InPlaceLoop

pytestmark = pytest.mark.once


@pytest.fixture
def loop():
    return InPlaceLoop()


def test_a_callback_runs_in_the_thread_that_brings_it(loop):
    ran_in = []
    bringer = threading.Thread(target=lambda: loop.call_soon_threadsafe(lambda: ran_in.append(threading.get_ident())))
    bringer.start()
    bringer.join()

    assert ran_in == [bringer.ident]


def test_callbacks_of_many_threads_run_one_at_a_time_and_none_is_left(loop):
    inside, together, ran = [], [], []

    def callback(number):
        together.extend(inside)
        inside.append(number)
        loop.call_soon(ran.append, number)
        inside.remove(number)

    def bring(thread):
        for number in range(2_000):
            loop.call_soon_threadsafe(callback, (thread, number))

    threads = [threading.Thread(target=bring, args=[thread]) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert together == []
    assert sorted(ran) == [(thread, number) for thread in range(8) for number in range(2_000)]


def test_a_coroutine_is_carried_forward_by_other_threads(loop):
    async def wait(for_what):
        assert asyncio.get_running_loop() is loop
        return await for_what

    answer = loop.create_future()
    threading.Timer(0.1, loop.call_soon_threadsafe, [answer.set_result, 42]).start()

    assert loop.run_until_complete(wait(answer)) == 42


def test_a_task_can_be_cancelled_and_its_error_is_its_own(loop):
    ends = []

    async def wait(for_what):
        try:
            await for_what
        except asyncio.CancelledError:
            ends.append("cancelled")

    async def fail():
        raise ValueError("no")

    task = loop.create_task(wait(loop.create_future()))
    loop.call_soon_threadsafe(loop.call_soon, task.cancel)
    with pytest.raises(ValueError, match="no"):
        loop.run_until_complete(fail())

    assert ends == ["cancelled"]


def test_a_failing_callback_is_logged_and_delays_no_other(loop, caplog):
    ran = []
    loop.call_soon(lambda: 1 / 0)

    loop.call_soon_threadsafe(ran.append, 1)

    assert ran == [1]
    assert "ZeroDivisionError" in caplog.text
