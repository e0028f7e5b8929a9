"""Many windows are measured at once, each as of its cutoff."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from tests.usage.metering.windows import quantities, window_of
from usage import ledger
from usage.metering import Measurement, measure

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("aggregation", ["sum", "unit_days"])
def test_no_record_is_zero(aggregation):
    assert measure([window_of(make.line(aggregation=aggregation))]) == [Measurement(Decimal(0), 0)]


def test_a_record_superseded_after_the_cutoff_still_counts_as_of_it():
    line = make.line()
    first = make.use(line, "10", "2026-01-10")
    before = ledger.last_id(workspace_id=line.workspace_id)
    corrected = make.fix(first, "7")
    between = ledger.last_id(workspace_id=line.workspace_id)
    make.take_back(corrected)

    assert quantities(
        window_of(line, cutoff=first.id - 1),
        window_of(line, cutoff=before),
        window_of(line, cutoff=between),
        window_of(line),
    ) == ["0", "10", "7", "0"]


def test_a_correction_moves_a_record_to_another_period():
    line = make.line()
    record = make.use(line, "10", "2026-01-10")
    make.fix(record, at="2026-02-10")

    assert quantities(window_of(line), window_of(line, "2026-02-01", "2026-03-01")) == ["0", "10"]


def test_records_of_other_lines_do_not_count():
    owner = make.workspace()
    one, other = make.line(owner), make.line(owner)
    make.use(one, "1", "2026-01-10")
    make.use(other, "20", "2026-01-10")

    assert quantities(window_of(one), window_of(other), window_of(one)) == ["1", "20", "1"]


def test_any_number_of_windows_takes_one_query_per_aggregation():
    owner = make.workspace()
    lines = [make.line(owner, aggregation=aggregation) for aggregation in ["sum", "unit_days"] * 3]
    for line in lines:
        make.use(line, "1", "2026-01-10")

    with CaptureQueriesContext(connection) as queries:
        measure([window_of(line) for line in lines for _ in range(10)])

    assert len(queries) == 2
