"""The one error tree of Holdfast.

Every error has a kind. What HTTP status, exit code or retry a kind leads to is decided by tables elsewhere
(`api`, `cli`, `packages.policies`), never here.

    HoldfastError
    ├── Invalid       the content's fault: it carries findings for the depositor
    ├── NotFound      the thing that was named does not exist (or the actor may not know of it)
    ├── Conflict      the state of things does not allow it now: somebody was faster
    ├── Corrupt       archived bytes are not what they were
    ├── Unavailable   a disk, server or tool is not there now: try again later
    │   └── Recalling     content was asked for and comes: try again then
    ├── Refused       the actor may not do this, or a limit or a rule forbids it
    └── Internal      a defect of ours
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from packages.findings import Finding


class Kind(StrEnum):
    """What sort of trouble an error is; closed."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    CORRUPT = "corrupt"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    INTERNAL = "internal"


class HoldfastError(Exception):
    """Something could not be done.

    `message` names the thing and the reason in one sentence; `hint` says what to do about it. `findings`
    holds everything that was found at once (only `Invalid` usually has some).
    """

    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(self, message: str, *, hint: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.findings = tuple(findings)

    @property
    def told(self) -> str:
        """Return message and hint in one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Invalid(HoldfastError):
    """The content is at fault; final until the depositor changes it."""

    kind = Kind.INVALID


class NotFound(HoldfastError):
    """The named thing does not exist, or the actor may not know that it does."""

    kind = Kind.NOT_FOUND


class Conflict(HoldfastError):
    """The present state forbids it: an occupied name, a lost lease, a changed version."""

    kind = Kind.CONFLICT


class Corrupt(HoldfastError):
    """Archived bytes differ from what was archived."""

    kind = Kind.CORRUPT


class Unavailable(HoldfastError):
    """A disk, server or tool cannot be used now; the same call may work later."""

    kind = Kind.UNAVAILABLE


class Recalling(Unavailable):
    """Content was asked for, as tape and cold storage want it, and cannot be read before `not_before`."""

    def __init__(self, message: str, *, not_before: str | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.not_before = not_before


class Refused(HoldfastError):
    """A permission, limit or rule forbids it."""

    kind = Kind.REFUSED


class Internal(HoldfastError):
    """A defect of Holdfast itself."""

    kind = Kind.INTERNAL
