"""Many records of one workspace at once, as good as one after the other."""

from usage.ledger.batch.recording import record_many

__all__ = ["record_many"]
