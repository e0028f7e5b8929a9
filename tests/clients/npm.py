"""Vendors' clients from npm, installed from their lock files."""

import fcntl
import subprocess
from pathlib import Path

import pytest


def install(folder: Path) -> Path:
    """Install a folder's packages unless they are there. Return their folder."""
    packages, lock = folder / "node_modules", folder / "package-lock.json"
    done = packages / ".package-lock.json"
    # Several processes of the suite may install at once.
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
            if run.returncode:
                pytest.fail(f"{folder.name} was not installed: {run.stderr}")
    return packages
