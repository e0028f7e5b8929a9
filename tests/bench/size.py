"""How much is measured: enough for figures, or just enough to see that every part still measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    lines: int  # on which usage is reported in turn
    rounds: int  # of which the median is quoted
    seconds: float  # a round of single requests
    batches: int  # a round
    lines_beside: int  # on which nothing is reported
    subscriptions: int  # of a close
    records_each: int
    few_events: int  # that wait for a name
    many_events: int
    small_ledger: int  # records, beside which a list's time is to stay
    large_ledger: int


FULL = Size(
    lines=500,
    rounds=5,
    seconds=3.0,
    batches=60,
    lines_beside=100_000,
    subscriptions=10_000,
    records_each=100,
    few_events=1_000,
    many_events=30_000,
    small_ledger=100_000,
    large_ledger=20_000_000,
)
QUICK = Size(
    lines=20,
    rounds=1,
    seconds=0.2,
    batches=2,
    lines_beside=1_000,
    subscriptions=20,
    records_each=10,
    few_events=100,
    many_events=1_000,
    small_ledger=20_000,
    large_ledger=40_000,
)
