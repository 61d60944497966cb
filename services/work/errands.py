"""Errands: what is asked for over HTTP and takes longer than an answer may: to read, to mend, to identify."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from packages.errors import Conflict, HoldfastError, Unavailable
from packages.ledger import KEPT_STATES, Package
from packages.model import Actor, now
from services.administration.people import require_archivist
from services.archival_storage.audits import alarmed
from services.archival_storage.doubt import settle
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair
from services.archival_storage.not_kept import why_not_kept
from services.archive import Archive
from services.preservation_planning.reidentify import Outcome, reidentify
from storage.ports import Progress

log = logging.getLogger("holdfast.errands")

MOST = 100
"""Errands that may wait; what has an alarm waits beside them."""


def _audit(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    for _ in audit(archive, actor, [package_id], progress=progress):
        pass


def _repair(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    repair(archive, actor, package_id, progress=progress)


def _refuse(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    settle(archive, actor, package_id, accept=False)
    repair(archive, actor, package_id, progress=progress, refuse=True)


def _reidentify(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    for found in reidentify(archive, actor, [package_id], again=True, progress=progress):
        if found.outcome is Outcome.FAILED:
            raise Unavailable(found.message)


ERRANDS: Mapping[str, Callable[[Archive, Actor, str, Progress], None]] = {
    "audit": _audit,
    "repair": _repair,
    "refuse": _refuse,
    "reidentify": _reidentify,
}
_NAMED = 100
_TROUBLES = 1_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an errand did not come to its end, and what to do."""

    verb: str
    at: str
    message: str
    hint: str = ""


@dataclass(slots=True)
class Identification:
    """Formats being identified again: who asked and when, packages by outcome so far, the first that failed.

    `trouble` says what ended it before its time.
    """

    by: str
    begun: str
    ended: str | None = None
    trouble: str = ""
    packages: Counter[Outcome] = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "by": self.by,
            "begun": self.begun,
            "ended": self.ended,
            "trouble": self.trouble,
            "packages": {str(each): self.packages[each] for each in Outcome},
            "failed": [{"id": package, "message": message} for package, message in self.failed],
        }


class Errands:
    """Does what it is sent for, one package after the other, in a thread of this process.

    What is found is where an audit or a repair leaves it: in the ledger, as events, and as evidence. What
    kept the latest errands from their end is known as long as this process runs; one that the end of the
    process broke off is asked for again.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._long = ThreadPoolExecutor(2, thread_name_prefix="long-errands")
        self._identification: Identification | None = None
        self._is_auditing = False
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        self._alarmed: deque[tuple[Actor, str]] = deque()
        self._troubles: dict[str, Trouble] = {}
        self._closed = threading.Event()

    def send(self, actor: Actor, verb: str, reference: str) -> Package:
        """Have copies of a package read back (``audit``) or mended, or its formats identified anew.

        Raises Refused for anybody but archivists, Conflict for a package that no store keeps or that is
        waiting for such an errand already, Unavailable when too many wait.
        """
        require_archivist(actor, verb)
        with self._archive.catalogue.read() as view:
            package = view.package(view.resolve(reference))
            if package.state not in KEPT_STATES:
                raise Conflict(why_not_kept(view, package))
        with self._lock:
            if package.id in self._wanted:
                raise Conflict("its copies are being read already", hint="wait until that is done")
            if len(self._wanted) - len(self._alarmed) >= MOST:
                raise Unavailable(f"{MOST} packages wait to be read", hint="try again later")
            self._want(package.id, verb)
            self._pool.submit(self._run, actor, verb, package.id)
        return package

    def mend_all(self, actor: Actor) -> int:
        """Have every package mended that has an alarm, and return how many those are; again is a no-op.

        One that cannot be mended keeps no other from it, and what somebody sends for meanwhile comes first.
        Raises Refused for anybody but archivists.
        """
        found = alarmed(self._archive, actor)
        with self._lock:
            is_under_way = bool(self._alarmed)
            for package_id in found:
                if package_id not in self._wanted:
                    self._want(package_id, "repair")
                    self._alarmed.append((actor, package_id))
            if self._alarmed and not is_under_way:
                self._pool.submit(self._mend_next)
        return len(found)

    def _mend_next(self) -> None:
        """Mend one package that has an alarm, and queue up again for the next."""
        with self._lock:
            actor, package_id = self._alarmed[0]
        self._run(actor, "repair", package_id)
        with self._lock:
            self._alarmed.popleft()
            if self._alarmed and not self._closed.is_set():
                self._pool.submit(self._mend_next)

    def _want(self, package_id: str, verb: str) -> None:
        self._troubles.pop(package_id, None)
        self._wanted[package_id] = verb

    def trouble(self, package_id: str) -> Trouble | None:
        """Return what kept the latest errand for a package from its end, if anything did."""
        with self._lock:
            return self._troubles.get(package_id)

    def of(self, package_id: str) -> str | None:
        """Return what is being done, or is still to be done, with the copies of a package."""
        with self._lock:
            return self._wanted.get(package_id)

    def audit_all(self, actor: Actor) -> None:
        """Have every copy of every package read back, the longest unread first.

        It may take days, so it keeps no errand waiting. Raises Refused for anybody but archivists, Conflict
        while such an audit is under way.
        """
        require_archivist(actor, "audit")
        with self._lock:
            if self._is_auditing:
                raise Conflict("every copy is being read back already", hint="wait until that is done")
            self._is_auditing = True
        self._long.submit(self._audit_all, actor)

    def _audit_all(self, actor: Actor) -> None:
        try:
            for _ in audit(self._archive, actor, progress=self._going_on):
                pass
        except KeyboardInterrupt:
            log.warning("the audit of every copy was broken off by the end of this process")
        except HoldfastError as error:  # its record says so too
            log.warning("the audit of every copy: %s", error.message)
        except Exception:
            log.exception("the audit of every copy")
        finally:
            self._is_auditing = False

    def identify(self, actor: Actor, references: Sequence[str] = (), *, again: bool = False) -> None:
        """Have the formats of these packages, or of all, identified again, as `reidentify` does it.

        It may take days, so it keeps no errand waiting. Raises Refused for anybody but archivists, NotFound
        for a package that there is not, Conflict while such an identification is under way.
        """
        require_archivist(actor, "identify archived files again")
        with self._archive.catalogue.read() as view:
            ids = [view.resolve(each) for each in references]
        with self._lock:
            if self._identification is not None and self._identification.ended is None:
                raise Conflict("formats are being identified already", hint="wait until that is done")
            self._identification = told = Identification(actor.name, now())
        self._long.submit(self._identify, actor, told, ids, again=again)

    @property
    def identification(self) -> Identification | None:
        """Return the latest identification of formats that this process was asked for."""
        return self._identification

    def close(self) -> None:
        """Break off what is being done, and forget the rest; may be called twice."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._long.shutdown(wait=False, cancel_futures=True)

    def _run(self, actor: Actor, verb: str, package_id: str) -> None:
        try:
            ERRANDS[verb](self._archive, actor, package_id, self._going_on)
        except KeyboardInterrupt:
            log.warning("the %s of %s was broken off by the end of this process", verb, package_id)
        except HoldfastError as error:
            log.warning("the %s of %s: %s", verb, package_id, error.message)
            self._keep(package_id, Trouble(verb, now(), error.message, error.hint))
        except Exception:
            log.exception("the %s of %s", verb, package_id)
            self._keep(package_id, Trouble(verb, now(), "a defect of Holdfast's; its log says more"))
        finally:
            with self._lock:
                del self._wanted[package_id]

    def _keep(self, package_id: str, trouble: Trouble) -> None:
        """Keep the trouble, and forget the oldest of very many."""
        with self._lock:
            self._troubles[package_id] = trouble
            for each in list(self._troubles)[:-_TROUBLES]:
                del self._troubles[each]

    def _identify(self, actor: Actor, told: Identification, ids: Sequence[str], *, again: bool) -> None:
        try:
            for found in reidentify(self._archive, actor, ids, again=again, progress=self._going_on):
                told.packages[found.outcome] += 1
                if found.outcome is Outcome.FAILED and len(told.failed) < _NAMED:
                    told.failed.append((found.package_id, found.message))
        except KeyboardInterrupt:
            told.trouble = "broken off by the end of this process"
        except HoldfastError as error:
            told.trouble = error.message
        except Exception:
            told.trouble = "a defect of Holdfast's; its log says more"
            log.exception("the identification of formats")
        finally:
            told.ended = now()

    def _going_on(self, done: int) -> None:
        del done
        if self._closed.is_set():
            raise KeyboardInterrupt
