"""Size of a benchmark: large for figures, or minimal to check that every part still runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    lines: int  # on which usage is reported in turn
    rounds: int  # the median is reported
    seconds: float  # per round of single requests
    batches: int  # per round
    lines_beside: int  # without usage
    subscriptions: int  # per close
    records_each: int
    few_events: int  # unmatched
    many_events: int
    small_ledger: int  # records; the time of a list must not grow from here
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
