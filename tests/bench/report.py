"""Printed table: ours, the limit, the ratio and the goal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    what: str
    ours: str
    limit: str
    ratio: str
    to_reach: str


def print_table(rows: list[Row]) -> None:
    head = Row("", "ours", "limit", "ratio", "to reach")
    width = max(len(row.what) for row in [head, *rows])
    for row in [head, *rows]:
        print(f"{row.what:<{width}}  {row.ours:>12}  {row.limit:>12}  {row.ratio:>8}  {row.to_reach:>10}")
