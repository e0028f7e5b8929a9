"""Report of the suite's coverage, by lines and branches. It fails below the floors.

The whole suite leaves its measurements in ``.coverage``: both databases together, since each has its own branches.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coverage import Coverage

# Percent. The floor of the whole is its value when it was last raised. Packages that turn usage into money have a
# higher one.
WHOLE = 90.0
PACKAGES = {
    "usage/ledger": 95.0,
    "usage/metering": 95.0,
    "usage/closing": 95.0,
    "billing/rating": 95.0,
    "billing/invoicing": 95.0,
}


def begin() -> None:
    """Delete the measurements of earlier runs."""
    Coverage().erase()


def below_floor() -> list[str]:
    """Print the coverage of the whole and of each package with a floor. Return those below their floor."""
    files = _measured()
    missed = []
    for name, floor in {"": WHOLE, **PACKAGES}.items():
        share = _share(summary for path, summary in files.items() if path.startswith(f"{name}/" if name else ""))
        print(f"  {share:6.2f} %  (at least {floor:g} %)  {name or 'the whole'}")
        if share < floor:
            missed.append(name or "the whole")
    return missed


def _measured() -> Mapping[str, dict[str, int]]:
    coverage = Coverage()
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        files: dict[str, Any] = json.loads(report.read_text())["files"]
    return {path: file["summary"] for path, file in files.items()}


def _share(summaries: Iterator[dict[str, int]]) -> float:
    """Return the percentage of statements and branches that ran, or 0 if there are none."""
    ran = there = 0
    for summary in summaries:
        ran += summary["covered_lines"] + summary["covered_branches"]
        there += summary["num_statements"] + summary["num_branches"]
    return 100 * ran / there if there else 0.0
