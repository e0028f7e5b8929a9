"""Cutoffs for closing, and objections to ending a line."""

import pytest

from billing import contracts
from tests import factories as make

pytestmark = pytest.mark.django_db


def test_a_line_does_not_end_before_its_last_usage():
    line = make.line()
    record = make.use(line, "1", "2026-01-20")

    with pytest.raises(contracts.UnableToAgree, match="Usage was recorded up to 2026-01-20"):
        contracts.end_line(line=line, ends_at=make.moment("2026-01-15"), actor=make.ACTOR)
    make.take_back(record)
    contracts.end_line(line=line, ends_at=make.moment("2026-01-15"), actor=make.ACTOR)

    line.refresh_from_db()
    assert line.ends_at == make.moment("2026-01-15")
