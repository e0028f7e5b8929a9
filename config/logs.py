"""What is left out of the log."""

import logging


class InALine(logging.Filter):
    """Tells in a line what was refused: strangers send such often, and its traceback is always the same."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security"):
            record.exc_info = record.exc_text = None
        return True
