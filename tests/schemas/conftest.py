from collections.abc import Iterator

import pytest
from hypothesis import core


@pytest.fixture(autouse=True)
def _one_connection(one_connection: None) -> None:
    """Keep one connection: requests of Schemathesis use WSGI, and begin and end as a server's do."""


@pytest.fixture(scope="package", autouse=True)
def _printer() -> Iterator[None]:
    """Restore Hypothesis's output, which Schemathesis silences for good: other tests need the failing example."""
    printer = vars(core)["RepresentationPrinter"]
    yield
    vars(core)["RepresentationPrinter"] = printer
