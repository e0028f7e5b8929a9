"""Where the program keeps what is this machine's: known without its settings, for processes that need nothing else."""

import os
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent


def var_folder() -> Path:
    """Return the folder that ``ARREARS_VAR`` names; ``var`` beside the program unless it does."""
    return Path(os.environ.get("ARREARS_VAR") or BASE / "var").resolve()
