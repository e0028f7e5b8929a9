"""Log filters."""

import logging


class InALine(logging.Filter):
    """Log a refused request in one line: strangers send many of them, and the traceback is always the same."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security"):
            record.exc_info = record.exc_text = None
        return True
