"""Text from outside is logged on one line."""

import logging
import sys

import pytest

from config.logs import InALine

pytestmark = pytest.mark.once


def logged(name: str) -> logging.LogRecord:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        record = logging.LogRecord(name, logging.ERROR, __file__, 1, "refused", None, sys.exc_info())
    assert InALine().filter(record)
    return record


def test_a_refused_request_has_no_traceback_and_any_other_error_keeps_its_own():
    assert logged("django.security.DisallowedHost").exc_info is None
    assert logged("django.request").exc_info is not None
