import threading
import time

import pytest

from config.shares import CLIENT, STRANGERS, Client, Clients, Shares

pytestmark = pytest.mark.once


def known(name: str) -> Client:
    return Client(name, name)


def stranger(address: str) -> Client:
    return Client(STRANGERS, address)


def taken(shares: Shares[int], number: int) -> list[tuple[str, int]]:
    return [shares.get() for _ in range(number)]


def nothing_more_of(shares: Shares[int]) -> bool:
    """Return whether a call for the next item would block."""
    return not shares._next


def test_clients_take_turns_however_much_one_of_them_sent_before():
    shares: Shares[int] = Shares(threads=20, at_most_waiting=100)
    for n in range(5):
        shares.put(known("large"), n)
    shares.put(known("small"), 0)

    assert taken(shares, 6) == [("large", 0), ("small", 0), ("large", 1), ("large", 2), ("large", 3), ("large", 4)]


def test_strangers_take_turns_by_their_addresses():
    shares: Shares[int] = Shares(threads=20, at_most_waiting=100)
    for n in range(3):
        shares.put(stranger("192.0.2.1"), n)
    shares.put(stranger("192.0.2.2"), 10)

    assert [item for _, item in taken(shares, 4)] == [0, 10, 1, 2]


@pytest.mark.parametrize(
    ("threads", "of_one", "of_strangers"), [(6, 4, 1), (8, 6, 1), (12, 9, 2), (2, 1, 1), (1, 1, 1)]
)
def test_no_client_holds_all_threads_with_one_key_or_many_wrong_ones(threads, of_one, of_strangers):
    shares: Shares[int] = Shares(threads=threads, at_most_waiting=100)
    for n in range(50):
        shares.put(known("workspace 1"), n)
        shares.put(stranger(f"192.0.2.{n}"), n)

    at_work = [group for group, _ in taken(shares, of_one + of_strangers)]

    assert (at_work.count("workspace 1"), at_work.count(STRANGERS)) == (of_one, of_strangers)
    assert nothing_more_of(shares)
    shares.put(known("workspace 2"), 7)
    assert shares.get() == ("workspace 2", 7)


def test_a_group_at_its_share_continues_when_one_of_its_items_is_done():
    shares: Shares[int] = Shares(threads=4, at_most_waiting=100)
    for n in range(4):
        shares.put(known("large"), n)
    assert taken(shares, 2) == [("large", 0), ("large", 1)]

    late: list[tuple[str, int]] = []
    waiter = threading.Thread(target=lambda: late.append(shares.get()), daemon=True)
    waiter.start()
    time.sleep(0.2)
    assert late == []
    shares.done("large")
    waiter.join(timeout=5)

    assert late == [("large", 2)]


@pytest.mark.bound("REQUESTS_WAITING")
def test_of_one_client_only_so_many_wait():
    shares: Shares[int] = Shares(threads=4, at_most_waiting=3)

    assert [shares.put(known("large"), n) for n in range(5)] == [True, True, True, False, False]
    assert shares.put(known("small"), 0)
    assert [item for _, item in taken(shares, 3)] == [0, 0, 1]


def test_nothing_is_lost_or_done_twice_among_many_threads():
    shares: Shares[int] = Shares(threads=4, at_most_waiting=5_000)
    clients = [known(f"client {n % 7}") if n % 3 else stranger(f"192.0.2.{n % 5}") for n in range(5_000)]
    seen: list[int] = []
    most: dict[str, int] = {}
    busy: dict[str, int] = {}
    lock = threading.Lock()

    def work() -> None:
        for _ in range(1_250):
            group, item = shares.get()
            with lock:
                busy[group] = busy.get(group, 0) + 1
                most[group] = max(most.get(group, 0), busy[group])
                seen.append(item)
            with lock:
                busy[group] -= 1
            shares.done(group)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n, client in enumerate(clients):
        assert shares.put(client, n)
    for thread in threads:
        thread.join(timeout=30)

    assert sorted(seen) == list(range(5_000))
    assert most.pop(STRANGERS) == 1
    assert max(most.values()) <= 2
    assert shares._groups == {}


@pytest.mark.parametrize(
    "carried",
    [
        {"HTTP_AUTHORIZATION": "Token a"},
        {"HTTP_X_SALESBRICKS_KEY": "b"},
        {"HTTP_REB_APIKEY": "c"},
        {"HTTP_COOKIE": "a=b; sessionid=d; theme=dark"},
    ],
)
def test_an_authenticated_client_is_known_by_its_credentials(carried):
    clients = Clients()
    environ = {**carried, "REMOTE_ADDR": "192.0.2.1"}
    assert clients.client_of(environ) == Client(STRANGERS, "192.0.2.1")

    clients.remember(environ, known_as=STRANGERS)
    assert clients.client_of(environ) == Client(STRANGERS, "192.0.2.1")
    clients.remember({**environ, CLIENT: "workspace 7"}, known_as=STRANGERS)

    assert clients.client_of(environ) == known("workspace 7")
    # Other credentials sent with it make the client a stranger, not a second client.
    assert clients.client_of({**environ, "HTTP_AUTHORIZATION": "x"}) == Client(STRANGERS, "192.0.2.1")
