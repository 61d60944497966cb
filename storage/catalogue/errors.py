"""What a database's errors mean in Holdfast's own terms."""

from sqlalchemy import exc

from packages.errors import Conflict, HoldfastError, Internal, Invalid, Unavailable

# What the databases say, in part, and what that means. The first that fits counts.
_FULL = ("database or disk is full", "no space left", "could not extend file", "disk full")
_BUSY = ("database is locked", "deadlock detected", "could not serialize", "lock timeout", "lock_timeout")
_TABLES = ("no such table", "no such column", "does not exist")
_SHUT = ("unable to open database file", "readonly database")
_DAMAGED = ("malformed", "not a database", "invalid page", "could not read block")


def _reason(error: exc.SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())


def _told_by_text(told: str) -> tuple[str, str] | None:
    """Return what is wrong, and what to do, where the database's own words tell."""
    if any(each in told for each in _FULL):
        return "has no space", "Make space there, then try again."
    if any(each in told for each in _BUSY):
        return "is busy", "Try again."
    if any(each in told for each in _SHUT):
        remedy = "May this account write to its folder, and is the disk mounted for writing?"
        return "cannot be opened for writing", remedy
    if any(each in told for each in _DAMAGED):
        return "is damaged", "Move it away, then run: holdfast rebuild. Archival storage holds what it needs."
    if any(each in told for each in _TABLES):
        return "lacks tables", "Run: holdfast init. It adds only what is missing."
    return None


def translate(error: exc.SQLAlchemyError, where: str) -> HoldfastError:
    """Return the error to raise instead of `error`; `where` names the database, without secrets."""
    reason = _reason(error)
    if isinstance(error, exc.IntegrityError):
        return Conflict(f"the catalogue {where} has an entry that forbids this: {reason}")
    if isinstance(error, exc.DataError):
        return Invalid(f"the catalogue {where} cannot hold this: {reason}")
    if isinstance(error, exc.DBAPIError | exc.TimeoutError):
        wrong, remedy = _told_by_text(reason.lower()) or ("cannot be used", "Try again later.")
        return Unavailable(f"the catalogue {where} {wrong}: {reason}", hint=remedy)
    return Internal(f"the catalogue {where}: {reason}")
