"""The dialects behind the shared suite: for each, a request that is accepted, its endpoints and its error bodies."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import pytest

from tests.usage.dialects.vendor import Endpoint, Vendor
from usage.dialects import DIALECTS

# Each dialect's tests describe it: none can be added without.
VENDORS: list[Vendor] = [import_module(f"{__package__}.{dialect.name}.vendor").VENDOR for dialect in DIALECTS]


def vendors_with(holds: Callable[[Vendor], Any] = bool) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if holds(vendor)], ids=str)


def endpoints_of(of: Callable[[Vendor], Iterable[Endpoint]]) -> pytest.MarkDecorator:
    pairs = [(vendor, endpoint) for vendor in VENDORS for endpoint in of(vendor)]
    return pytest.mark.parametrize(("vendor", "endpoint"), pairs, ids=str)


each_vendor = vendors_with()
each_with_quantity = vendors_with(lambda vendor: vendor.quantity)
each_with_moment = vendors_with(lambda vendor: vendor.moment)
each_with_foreign = vendors_with(lambda vendor: vendor.foreign)
each_with_reads = vendors_with(lambda vendor: vendor.reads)
