"""Every part of the bench still runs and measures. Figures of a busy machine mean nothing, and none is checked."""

import subprocess
import sys

import pytest


@pytest.mark.postgres
def test_every_part_still_measures():
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, run.stderr[-5000:]
    for measured in ("intake, native", "4 senders", "invoices a second", "events matched a second", "panel, "):
        assert measured in run.stdout
