"""SQL that aggregations share: windows as a table, and exact totals, on both databases."""

from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from billing.storage import rows
from tests.factories import moment
from usage.metering import Window
from usage.metering.sql import total_of, windows_table

pytestmark = pytest.mark.django_db


def window(starts: str, ends: str, *, line: int | None = None, customer: UUID | None = None, cutoff: int = 9) -> Window:
    return Window(7, "sum", line, moment(starts), moment(ends), cutoff, customer_id=customer)


def selected(statement: str, parameters: list) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def test_windows_are_a_table_in_their_order():
    table, parameters = windows_table(
        [
            window("2026-01-01", "2026-02-01", line=3),
            window("2026-01-31 23:59:59.999999", "2026-03-01", line=3, cutoff=2**62),
        ]
    )

    found = selected(f"SELECT * FROM ({table}) w ORDER BY n", parameters)

    assert [(n, workspace, line, cutoff) for n, workspace, line, _, _, cutoff in found] == [
        (0, 7, 3, 9),
        (1, 7, 3, 2**62),
    ]
    # As the database keeps moments itself.
    adapt = connection.ops.adapt_datetimefield_value
    assert [(starts, ends) for _, _, _, starts, ends, _ in found] == [
        (adapt(moment("2026-01-01")), adapt(moment("2026-02-01"))),
        (adapt(moment("2026-01-31 23:59:59.999999")), adapt(moment("2026-03-01"))),
    ]


def test_windows_of_customers_have_their_ids():
    ids = [UUID(int=1), UUID(int=2)]
    table, parameters = windows_table([window("2026-01-01", "2026-02-01", customer=pk) for pk in ids], "customer_id")

    found = selected(f"SELECT customer_id FROM ({table}) w ORDER BY n", parameters)

    assert [rows.read_uuid(pk) for (pk,) in found] == ids


def test_windows_are_of_one_workspace():
    elsewhere = Window(8, "sum", 3, moment("2026-01-01"), moment("2026-02-01"), 9)

    with pytest.raises(ValueError, match="too many values"):
        windows_table([window("2026-01-01", "2026-02-01", line=3), elsewhere])


def test_a_total_is_exact():
    # Floats make 0.30000000000000004 of the first two.
    given = rows.parameter({"quantity": text} for text in ("0.1", "0.2", "123456789012345.123456789"))

    ((total,),) = selected(
        f"SELECT {total_of('quantity')} FROM {rows.table('given', {'quantity': 'decimal'})}", [given]
    )

    assert Decimal(total) == Decimal("123456789012345.423456789")
