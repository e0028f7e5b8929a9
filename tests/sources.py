"""The program's own files, for the tests that read the code."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "billing", "usage")


def sources(*, but: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "migrations" not in path.parts and name not in but:
                yield name, path.read_text()


SOURCES = dict(sources())
