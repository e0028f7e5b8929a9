"""Coverage of the suite, by lines and branches, and its floors.

Each database's run writes its measurements to a file of its own. Both count together: each database has branches of its
own in the code.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipcover import merge_coverage

FOLDER = Path(__file__).resolve().parent.parent / ".coverage"

# Percent. The floor of the whole is its value when it was last raised. The packages that turn usage into money have a
# higher floor.
WHOLE = 96.9
PACKAGES = {
    "usage/ledger": 98.0,
    "usage/metering": 98.5,
    "usage/closing": 98.5,
    "billing/rating": 98.5,
    "billing/invoicing": 99.0,
}


def begin() -> None:
    """Delete the measurements of earlier runs."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()


def measuring(database: str) -> list[str]:
    """Return the start of a command line that measures the module it runs, on the database of that name."""
    return ["-m", "slipcover", "--json", "--out", str(FOLDER / f"{database}.json"), "-m"]


def below_floor() -> list[str]:
    """Print the coverage of the whole and of each package that has a floor; return those below it."""
    files = _measured()
    missed = []
    for name, floor in {"the whole": WHOLE, **PACKAGES}.items():
        within = "" if name == "the whole" else f"{name}/"
        share = _share(file["summary"] for path, file in files.items() if path.startswith(within))
        print(f"  {share:6.2f} %  (at least {floor:g} %)  {name}")
        if share < floor:
            missed.append(name)
    return missed


def _measured() -> Mapping[str, Any]:
    runs = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    merged: dict[str, Any] = runs[0]
    for run in runs[1:]:
        merge_coverage(merged, run)
    return merged["files"]


def _share(summaries: Iterable[Mapping[str, int]]) -> float:
    """Return the percentage of lines and branches that ran, 0 where there are none."""
    ran = there = 0
    for summary in summaries:
        ran += summary["covered_lines"] + summary["covered_branches"]
        there += sum(summary[f"{state}_{kind}"] for state in ("covered", "missing") for kind in ("lines", "branches"))
    return 100 * ran / there if there else 0.0
