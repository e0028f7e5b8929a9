from collections.abc import Iterator

import pytest
from hypothesis import core


@pytest.fixture(autouse=True)
def _one_connection(one_connection: None) -> None:
    """Requests of Schemathesis are WSGI's, which begin and end as a server's do."""


@pytest.fixture(scope="package", autouse=True)
def _printer() -> Iterator[None]:
    """Schemathesis silences Hypothesis for good; other tests want to hear which example failed."""
    printer = vars(core)["RepresentationPrinter"]
    yield
    vars(core)["RepresentationPrinter"] = printer
