"""Location of this machine's data. Needs no settings, so that processes without Django can use it."""

import os
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent


def var_folder() -> Path:
    """Return the folder named by ``ARREARS_VAR``, by default ``var`` beside the program."""
    return Path(os.environ.get("ARREARS_VAR") or BASE / "var").resolve()
