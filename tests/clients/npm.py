"""Vendors' clients that are packages of npm, installed as their locks say."""

import subprocess
from pathlib import Path

import pytest


def install(folder: Path) -> Path:
    """Install a folder's packages, unless they are there, and return where they are."""
    packages = folder / "node_modules"
    done = packages / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        if run.returncode:
            pytest.fail(f"{folder.name} was not installed: {run.stderr}")
    return packages
