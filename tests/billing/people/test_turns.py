import threading

import pytest

from billing.people.turns import Busy, Turns


def test_nobody_has_two_turns():
    turns = Turns(at_a_time=1, seconds=0)
    with (
        turns.take("one"),
        pytest.raises(Busy, match="Your previous request is still being processed"),
        turns.take("one"),
    ):
        pass
    with turns.take("one"):
        pass


@pytest.mark.bound("LOGIN_HASHES", "LOGIN_WAIT_SECONDS")
def test_who_comes_second_waits_and_then_works():
    turns = Turns(at_a_time=1, seconds=10)
    done = []
    inside, go_on = threading.Event(), threading.Event()

    def first():
        with turns.take("first"):
            inside.set()
            go_on.wait(10)
            done.append("first")

    def second():
        with turns.take("second"):
            done.append("second")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    inside.wait(10)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert done == ["first", "second"]


@pytest.mark.bound("LOGIN_HASHES", "LOGIN_WAIT_SECONDS")
def test_who_waits_too_long_or_comes_third_is_told_so_and_leaves_the_turn_free():
    turns = Turns(at_a_time=1, seconds=0.05)
    with turns.take("first"):
        with pytest.raises(Busy), turns.take("second"):
            pass
        with pytest.raises(Busy), turns.take("third"):
            pass
    with turns.take("second"):
        pass
