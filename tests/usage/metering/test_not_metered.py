"""A brick that is sold without being metered."""

from decimal import Decimal

import pytest

from tests import factories as make
from tests.usage.metering.windows import window_of
from usage.metering import Measurement, measure

pytestmark = pytest.mark.django_db


def test_a_brick_that_is_not_metered_is_one():
    line = make.line(aggregation="none", model="flat")

    assert measure([window_of(line)]) == [Measurement(Decimal(1), 0)]
