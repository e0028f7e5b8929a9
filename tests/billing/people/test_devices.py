"""The mark of a browser in which a person has logged in: theirs alone, and for so many days."""

import pytest
import time_machine
from django.core import signing

from billing.people.devices import SALT, device_in, mark_of

pytestmark = pytest.mark.once


def test_a_mark_names_a_device_of_its_account_alone():
    mark = mark_of(account="fiona")

    device = device_in(mark, account="fiona")
    assert device
    assert device_in(mark, account="otto") is None


def test_two_browsers_are_two_devices():
    first, second = (device_in(mark_of(account="fiona"), account="fiona") for _ in range(2))

    assert first != second


def test_a_new_mark_keeps_the_device_of_a_former_one_of_the_same_account():
    former = mark_of(account="fiona")

    assert device_in(mark_of(account="fiona", former=former), account="fiona") == device_in(former, account="fiona")
    assert device_in(mark_of(account="otto", former=former), account="otto") != device_in(former, account="fiona")


def test_a_mark_is_too_old_after_its_days(settings):
    settings.LOGIN_DEVICE_DAYS = 90
    with time_machine.travel("2026-01-01 12:00:00+00:00", tick=False):
        mark = mark_of(account="fiona")
    with time_machine.travel("2026-04-01 12:00:00+00:00", tick=False):
        assert device_in(mark, account="fiona")
    with time_machine.travel("2026-04-01 12:00:01+00:00", tick=False):
        assert device_in(mark, account="fiona") is None


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "fiona",
        signing.dumps(["fiona", "device"], salt="another"),
        signing.dumps(["fiona", "device"], key="another", salt=SALT),
        signing.dumps(["fiona", "device", "more"], salt=SALT),
        signing.dumps(7, salt=SALT),
    ],
    ids=["nothing", "a name", "another salt", "another key", "more than two", "no list"],
)
def test_a_mark_that_is_none_names_no_device(mark):
    assert device_in(mark, account="fiona") is None
