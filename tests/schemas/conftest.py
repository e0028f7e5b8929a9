from collections.abc import Iterator

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import core


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Leave the connection open, in whose transaction the test stands."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(scope="package", autouse=True)
def _printer() -> Iterator[None]:
    """Schemathesis silences Hypothesis for good; other tests want to hear which example failed."""
    printer = vars(core)["RepresentationPrinter"]
    yield
    vars(core)["RepresentationPrinter"] = printer
