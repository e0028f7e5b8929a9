"""Forms that are sent twice are done once, for as long as it is kept that they were."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.models import SentForm
from billing.people.sent_forms import DoneBefore, done_once, name_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 7, 20, 14, tzinfo=UTC)
KEPT = timedelta(days=7)


def do(token: str, *, at: datetime, url: str = "/done/") -> None:
    with done_once(name=name_of(user_id=1, path="/add/", token=token), as_of=at) as sent:
        sent.url = url


def test_the_second_is_told_where_the_first_led():
    do("a", at=NOW)

    with pytest.raises(DoneBefore) as told:
        do("a", at=NOW, url="/elsewhere/")

    assert told.value.url == "/done/"


def test_what_failed_can_be_sent_again():
    name = name_of(user_id=1, path="/add/", token="a")
    with pytest.raises(ZeroDivisionError), done_once(name=name, as_of=NOW):
        raise ZeroDivisionError

    do("a", at=NOW)


@pytest.mark.bound("SENT_FORMS_KEPT_DAYS")
def test_a_form_is_known_for_so_many_days_and_no_longer():
    do("a", at=NOW)
    do("b", at=NOW + timedelta(microseconds=1))

    do("c", at=NOW + KEPT - timedelta(microseconds=1))
    assert SentForm.objects.count() == 3

    do("d", at=NOW + KEPT)
    assert SentForm.objects.count() == 3
    do("a", at=NOW + KEPT)
    with pytest.raises(DoneBefore):
        do("b", at=NOW + KEPT)
