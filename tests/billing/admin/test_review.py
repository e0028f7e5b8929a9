import pytest

from billing.admin.review import change_of, drafts_of
from billing.models import InvoiceLine
from tests import factories as make
from tests.scenarios.closing import close, close_and_issue

pytestmark = pytest.mark.django_db


def surprising():
    return InvoiceLine.objects.exclude(surprises=[])


def test_drafts_stand_beside_the_previous_invoice_and_large_changes_first():
    # January 10 and 20 units at $2; February 11 (up $2) and 26 (up $12).
    owner = make.workspace()
    small, large = make.line(owner), make.line(owner)
    for line, january, february in ((small, "10", "11"), (large, "20", "26")):
        make.use(line, january, "2026-01-05")
        make.use(line, february, "2026-02-05")
    close_and_issue(owner, "2026-02-01")
    run = close(owner, "2026-03-01")

    found = [(draft.subscription_id, change_of(draft)) for draft in drafts_of(run, surprising())]

    assert [(pk, change.amount, change.percent) for pk, change in found] == [
        (large.subscription_id, 12, 30),
        (small.subscription_id, 2, 10),
    ]


def test_surprises_come_before_large_changes():
    owner = make.workspace()
    calm, odd = make.line(owner), make.line(owner)
    make.use(calm, "1000", "2026-01-05")
    make.use(odd, "-1", "2026-01-05")
    run = close(owner, "2026-02-01")

    drafts = list(drafts_of(run, surprising()))

    assert [draft.subscription_id for draft in drafts] == [odd.subscription_id, calm.subscription_id]
    assert [line.surprises for line in drafts[0].surprising_lines] == [["negative quantity rated as zero"]]
    assert change_of(drafts[0]) is None
