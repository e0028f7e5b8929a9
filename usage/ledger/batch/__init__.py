"""Record many commands of one workspace at once, with the same results as one after the other."""

from usage.ledger.batch.recording import record_many

__all__ = ["record_many"]
