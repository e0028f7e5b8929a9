"""Tallies of log-in attempts: by place and by account, forgiven, and forgotten when their window is over."""

import pytest

from billing.models import LoginTally
from billing.people.attempts import SWEPT, Attempt, TooManyAttempts, count, forgive, refuse_beyond
from tests.factories import moment

pytestmark = pytest.mark.django_db

NOON, LATER, OVER = moment("2026-11-20 12:00"), moment("2026-11-20 12:05"), moment("2026-11-20 12:15")


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.LOGIN_ATTEMPTS = 3
    settings.LOGIN_ATTEMPTS_PER_ACCOUNT = 5
    settings.LOGIN_WINDOW_MINUTES = 15


def at(place: str, account: str = "fiona", *, is_recognised: bool = False) -> Attempt:
    return Attempt(own=f"{account} at {place}", of_account=account, is_recognised=is_recognised)


def tallies() -> dict[str, int]:
    return dict(LoginTally.objects.values_list("name", "tries"))


def is_refused(attempt: Attempt, as_of=NOON) -> bool:
    try:
        refuse_beyond(attempt, as_of=as_of)
    except TooManyAttempts:
        return True
    return False


def test_an_attempt_counts_at_its_place_and_on_its_account():
    count(at("home"), as_of=NOON)
    count(at("work"), as_of=NOON)

    assert tallies() == {"fiona at home": 1, "fiona at work": 1, "fiona": 2}


def test_an_attempt_in_a_recognised_browser_counts_there_alone():
    count(at("phone", is_recognised=True), as_of=NOON)

    assert tallies() == {"fiona at phone": 1}


def test_a_place_has_so_many_attempts():
    for _ in range(3):
        assert not is_refused(at("home"))
        count(at("home"), as_of=NOON)

    assert is_refused(at("home"))
    assert not is_refused(at("work"))
    # One that was checked at the same time as the third is refused when it is counted.
    with pytest.raises(TooManyAttempts):
        count(at("home"), as_of=NOON)


def test_a_window_begins_with_its_first_attempt_and_ends_by_itself():
    for _ in range(3):
        count(at("home"), as_of=NOON)
    count(at("work"), as_of=LATER)

    assert is_refused(at("home"), as_of=LATER)
    assert not is_refused(at("home"), as_of=OVER)
    count(at("home"), as_of=OVER)
    assert LoginTally.objects.get(pk="fiona at home").tries == 1


def test_once_an_account_is_guessed_at_each_place_has_one_attempt():
    for n in range(5):
        count(at(f"place {n}"), as_of=NOON)

    assert not is_refused(at("home"))
    count(at("home"), as_of=NOON)
    assert is_refused(at("home"))
    assert not is_refused(at("home", account="otto"))
    # Where the person is known, others do not matter.
    for _ in range(2):
        count(at("phone", is_recognised=True), as_of=NOON)
        assert not is_refused(at("phone", is_recognised=True))


def test_the_right_password_takes_its_attempt_back():
    count(at("home"), as_of=NOON)
    count(at("work"), as_of=NOON)

    forgive(at("home"))

    assert tallies() == {"fiona at work": 1, "fiona": 1}


def test_forgiving_takes_nothing_from_others():
    count(at("home"), as_of=NOON)

    forgive(at("phone", is_recognised=True))
    forgive(at("home", account="otto"))

    assert tallies() == {"fiona at home": 1, "fiona": 1}


def test_tallies_whose_window_is_over_go_with_later_attempts():
    LoginTally.objects.bulk_create(LoginTally(name=f"old {n}", tries=1, since_at=NOON) for n in range(SWEPT + 5))

    count(at("home"), as_of=OVER)
    assert len(tallies()) == 2 + 5
    count(at("home"), as_of=OVER)
    assert tallies() == {"fiona at home": 2, "fiona": 2}


@pytest.mark.parametrize(
    ("as_of", "seconds", "told"),
    [
        ("2026-11-20 12:00", 900, "15 minutes"),
        ("2026-11-20 12:13:30", 90, "2 minutes"),
        ("2026-11-20 12:14:59.5", 1, "1 minute"),
    ],
)
def test_who_is_refused_is_told_how_long(as_of, seconds, told):
    for _ in range(3):
        count(at("home"), as_of=NOON)

    with pytest.raises(TooManyAttempts) as refusal:
        refuse_beyond(at("home"), as_of=moment(as_of))

    assert refusal.value.retry_after == seconds
    assert str(refusal.value) == f"Too many attempts; try again in {told}."
