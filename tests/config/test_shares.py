import threading
import time

import pytest

from config.shares import Shares, client_of

pytestmark = pytest.mark.once


def taken(shares: Shares[int], number: int) -> list[tuple[str, int]]:
    return [shares.get() for _ in range(number)]


def test_clients_take_turns_however_much_one_of_them_sent_before():
    shares: Shares[int] = Shares(at_most=10)
    for n in range(5):
        shares.put("large", n)
    shares.put("small", 0)

    assert taken(shares, 6) == [("large", 0), ("small", 0), ("large", 1), ("large", 2), ("large", 3), ("large", 4)]


def test_of_one_client_no_more_than_so_many_are_at_work():
    shares: Shares[int] = Shares(at_most=2)
    for n in range(4):
        shares.put("large", n)
    assert taken(shares, 2) == [("large", 0), ("large", 1)]
    shares.put("small", 0)
    assert shares.get() == ("small", 0)

    late: list[tuple[str, int]] = []
    waiter = threading.Thread(target=lambda: late.append(shares.get()), daemon=True)
    waiter.start()
    time.sleep(0.2)
    assert late == []
    shares.done("large")
    waiter.join(timeout=5)

    assert late == [("large", 2)]


def test_nothing_is_lost_or_done_twice_among_many_threads():
    shares: Shares[int] = Shares(at_most=3)
    clients = [f"client {n % 7}" for n in range(5_000)]
    seen: list[tuple[str, int]] = []
    most: dict[str, int] = {}
    busy: dict[str, int] = {}
    lock = threading.Lock()

    def work() -> None:
        for _ in range(1_250):
            client, item = shares.get()
            with lock:
                busy[client] = busy.get(client, 0) + 1
                most[client] = max(most.get(client, 0), busy[client])
                seen.append((client, item))
            with lock:
                busy[client] -= 1
            shares.done(client)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n, client in enumerate(clients):
        shares.put(client, n)
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(item for _, item in seen) == list(range(5_000))
    assert max(most.values()) <= 3
    assert shares._at_work == {}
    assert shares._waiting == {}


@pytest.mark.parametrize(
    ("environ", "client"),
    [
        ({"HTTP_AUTHORIZATION": "Token a", "REMOTE_ADDR": "192.0.2.1"}, "Token a"),
        ({"HTTP_X_SALESBRICKS_KEY": "b", "REMOTE_ADDR": "192.0.2.1"}, "b"),
        ({"HTTP_REB_APIKEY": "c", "REMOTE_ADDR": "192.0.2.1"}, "c"),
        ({"HTTP_COOKIE": "sessionid=d", "REMOTE_ADDR": "192.0.2.1"}, "sessionid=d"),
        ({"REMOTE_ADDR": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_a_client_is_known_by_its_key_its_session_or_its_address(environ, client):
    assert client_of(environ) == client
