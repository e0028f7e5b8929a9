from decimal import Decimal

import pytest

from billing.rating import Coverage
from billing.rating.proration import prorated

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("coverage", "share"),
    [(None, "31"), (Coverage(31, 31), "31"), (Coverage(11, 31), "11"), (Coverage(0, 31), "0")],
)
def test_an_amount_is_prorated_by_the_days_covered(coverage, share):
    assert prorated(Decimal(31), coverage) == Decimal(share)
