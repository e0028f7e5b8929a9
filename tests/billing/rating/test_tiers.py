from dataclasses import dataclass
from decimal import Decimal

import pytest

from billing.rating import Tier, in_order
from billing.rating.tiers import with_lower_bounds

pytestmark = pytest.mark.once


@dataclass
class Row:
    up_to: Decimal | None


def test_tiers_are_sorted_by_their_bounds_with_the_open_one_last():
    rows = [Row(Decimal(20)), Row(None), Row(Decimal(3))]

    assert [row.up_to for row in in_order(rows)] == [Decimal(3), Decimal(20), None]


def test_a_tier_begins_above_the_bound_of_the_one_below():
    tiers = [Tier(Decimal(3), Decimal(2)), Tier(Decimal(8), Decimal(1)), Tier(None, Decimal(1))]

    assert [(lower, tier.up_to) for lower, tier in with_lower_bounds(tiers)] == [(0, 3), (3, 8), (8, None)]
