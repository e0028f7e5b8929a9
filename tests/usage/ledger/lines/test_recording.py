"""A record of a line keeps what was sent, and costs one statement."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from tests.scenarios.closing import close
from tests.usage.ledger.commands import origin_of
from usage import ledger
from usage.commands import (
    LineByNumber,
    RecordUsage,
)
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_a_record_keeps_what_was_sent():
    line = make.line()
    command = RecordUsage(
        origin=origin_of(line.workspace, "salesbricks_v2"),
        address=LineByNumber(line.number),
        quantity=Decimal("7.25"),
        occurred_at=make.moment("2026-01-10 08:30", tz="America/New_York"),
        key="tx-1",
        note="by hand",
        properties={"region": "US", "cost": Decimal("0.1"), "big": 10**30},
    )

    told = ledger.record(command=command, recorded_at=make.moment("2026-01-11"))

    record = UsageRecord.objects.get()
    assert (record.pk, record.line_id, record.workspace_id) == (told.id, line.pk, line.workspace_id)
    assert (record.quantity, record.key, record.note) == (Decimal("7.25"), "tx-1", "by hand")
    assert (record.occurred_at, record.recorded_at) == (make.moment("2026-01-10 13:30"), make.moment("2026-01-11"))
    assert (record.source, record.dialect, record.recorded_by) == ("api", "salesbricks_v2", "key ark_live_x")
    assert record.properties == {"region": "US", "cost": Decimal("0.1"), "big": 10**30}
    assert (record.kind, record.is_late, record.superseded_by_id) == ("entry", False, None)


def test_recording_takes_one_statement():
    line = make.line()

    with CaptureQueriesContext(connection) as queries:
        make.use(line, "1", AT)

    assert len(queries) == 1


def test_usage_is_late_when_it_changes_a_closed_period():
    line = make.line()
    january = make.use(line, "10", AT)
    february = make.use(line, "10", "2026-02-10")
    close(line.workspace, "2026-02-01")

    changes = [
        make.use(line, "1", "2026-01-31 23:59"),
        make.use(line, "1", "2026-02-01"),
        make.fix(january, at="2026-02-10"),
        make.fix(february, "5"),
        make.fix(february, at=AT),
    ]

    assert [change.is_late for change in changes] == [True, False, True, False, True]
