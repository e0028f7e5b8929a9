"""Classify database failures: unreachable, full, busy and so on, or an error of the statement itself.

The type of an exception is not enough: the drivers raise the same one for a refused connection and for too many
parameters. PostgreSQL reports an SQLSTATE, SQLite a result code. A failure on the client's side of a connection is
noted on the exception by our backend (``billing.storage.postgresql``), which knows whether the connection was lost.
"""

from collections.abc import Iterator
from enum import Enum


class Outage(Enum):
    """A temporary reason for the failure of a statement; the value is the message for clients."""

    OUT_OF_REACH = "The database is unreachable. Try again in a moment."
    NO_ANSWER = "The database does not answer. Try again in a moment."
    READ_ONLY = "The database accepts no changes at the moment. Try again in a moment."
    CHANGED = "The database has just been changed. Try again in a moment."
    BUSY = "The database is busy with the same rows. Try again in a moment."
    FULL = "The database's disk is full. Try again later."
    DISK = "The database's disk is full or fails. Try again later."
    TOO_LONG = "The database stopped this because it took too long. Ask for less at once, or try again later."
    TOO_MUCH = "This needs more memory than the database has. Ask for less at once, or try again later."

    @property
    def is_passing(self) -> bool:
        """Tell whether only the database is the cause, so that the same statement would work later.

        If a statement took too long or too much memory, the statement itself may be the cause.
        """
        return self not in (Outage.TOO_LONG, Outage.TOO_MUCH)

    @property
    def spoils_connection(self) -> bool:
        """Tell whether the next attempt needs a new connection."""
        return self in (
            Outage.OUT_OF_REACH,
            Outage.NO_ANSWER,
            Outage.READ_ONLY,
            Outage.CHANGED,
            Outage.DISK,
        )

    @property
    def retry_after(self) -> int:
        """Return the seconds after which a client should try again."""
        return 60 if self in (Outage.FULL, Outage.DISK) else 5


_BY_SQLSTATE = {
    "25006": Outage.READ_ONLY,
    "25P03": Outage.OUT_OF_REACH,  # an idle transaction's connection was ended
    "25P04": Outage.OUT_OF_REACH,  # a long transaction's was
    "40001": Outage.BUSY,
    "40P01": Outage.BUSY,
    "53100": Outage.FULL,
    "53300": Outage.OUT_OF_REACH,
    "55P03": Outage.BUSY,
    "57014": Outage.TOO_LONG,
}
_BY_SQLSTATE_CLASS = {"08": Outage.OUT_OF_REACH, "53": Outage.TOO_MUCH}
# Of 57, "operator intervention": that the server stops, has crashed or begins.
_BY_SQLSTATE_GROUP = {"57P": Outage.OUT_OF_REACH}
# By SQLite's primary result codes.
_BY_RESULT_CODE = {
    5: Outage.BUSY,  # SQLITE_BUSY
    6: Outage.BUSY,  # SQLITE_LOCKED
    7: Outage.TOO_MUCH,  # SQLITE_NOMEM
    8: Outage.READ_ONLY,  # SQLITE_READONLY
    9: Outage.TOO_LONG,  # SQLITE_INTERRUPT
    10: Outage.DISK,  # SQLITE_IOERR: also an exhausted quota
    13: Outage.FULL,  # SQLITE_FULL
    14: Outage.OUT_OF_REACH,  # SQLITE_CANTOPEN
    15: Outage.BUSY,  # SQLITE_PROTOCOL: lost a race for the lock of the log
    17: Outage.CHANGED,  # SQLITE_SCHEMA
}
# By extended codes that are more specific.
_BY_EXTENDED_CODE = {
    4874: Outage.FULL,  # SQLITE_IOERR_SHMSIZE: no room for the index of the log
}


def outage_of(error: BaseException | None) -> Outage | None:
    """Return the outage that caused an exception; None for an error of the statement itself."""
    return next((outage for cause in _causes(error) if (outage := _of_driver(cause))), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes: Django's exceptions are raised from the driver's."""
    while error is not None:
        yield error
        error = error.__cause__


def _of_driver(error: BaseException) -> Outage | None:
    if (lost := getattr(error, "lost_connection", None)) is not None:
        return lost
    if (result_code := getattr(error, "sqlite_errorcode", None)) is not None:
        return _BY_EXTENDED_CODE.get(result_code) or _BY_RESULT_CODE.get(result_code & 0xFF)
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is None:
        return None
    # "Cached plan must not change result type": 0A000 has many uses, which the source function distinguishes.
    if sqlstate == "0A000" and error.diag.source_function == "RevalidateCachedQuery":  # type: ignore[attr-defined]
        return Outage.CHANGED
    return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE_GROUP.get(sqlstate[:3]) or _BY_SQLSTATE_CLASS.get(sqlstate[:2])
