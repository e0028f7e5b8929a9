"""The locks of writers, and what they do when another came first."""

from datetime import datetime

import pytest

from tests import factories as make
from usage.ledger.locks import Overtaken, retry_when_overtaken
from usage.models import UsageRecord

pytestmark = pytest.mark.django_db

AT = "2026-01-10"


def test_who_was_overtaken_begins_again_without_what_was_written():
    owner = make.workspace()
    turns: list[int] = []

    @retry_when_overtaken
    def write(at: datetime) -> int:
        turns.append(make.event(owner, "gx", AT).id)
        if len(turns) < 3:
            raise Overtaken
        return len(turns)

    assert write(make.moment(AT)) == 3
    assert list(UsageRecord.objects.values_list("pk", flat=True)) == turns[2:]


def test_who_is_overtaken_each_time_gives_up():
    turns: list[int] = []

    @retry_when_overtaken
    def write() -> None:
        turns.append(1)
        raise Overtaken

    with pytest.raises(RuntimeError, match="Other writers"):
        write()

    assert len(turns) == 100
