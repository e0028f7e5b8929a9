from collections.abc import Iterator

import pytest
import time_machine
from django.core.cache import cache

from billing.models import Line
from tests import factories as make
from tests.usage.dialects.clients import NOW


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_requests_counted() -> None:
    """Keys of different tests can have the same id and minute."""
    cache.clear()


@pytest.fixture
def line() -> Line:
    return make.line()


@pytest.fixture
def key(line: Line) -> str:
    return make.api_key(line.workspace)
