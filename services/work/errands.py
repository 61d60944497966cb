"""Errands: what is asked for on a page and takes longer than a page may: to read copies, and to mend them."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from packages.errors import Conflict, HoldfastError, Unavailable
from packages.ledger import KEPT_STATES, Package
from packages.model import Actor
from services.administration.people import require_archivist
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair
from services.archival_storage.not_kept import why_not_kept
from services.archive import Archive
from storage.ports import Progress

log = logging.getLogger("holdfast.errands")

MOST = 100
"""Errands that may wait."""


def _audit(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    for _ in audit(archive, actor, [package_id], progress=progress):
        pass


def _repair(archive: Archive, actor: Actor, package_id: str, progress: Progress) -> None:
    repair(archive, actor, package_id, progress=progress)


ERRANDS: Mapping[str, Callable[[Archive, Actor, str, Progress], None]] = {"audit": _audit, "repair": _repair}


class Errands:
    """Does what it is sent for, one package after the other, in a thread of this process.

    What is found is where an audit or a repair leaves it: in the ledger, as events, and as evidence. Nothing
    else is kept: an errand that the end of the process broke off is asked for again.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        self._closed = threading.Event()

    def send(self, actor: Actor, verb: str, reference: str) -> Package:
        """Have the copies of a package read back (``audit``) or mended (``repair``).

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
            if len(self._wanted) >= MOST:
                raise Unavailable(f"{MOST} packages wait to be read", hint="try again later")
            self._wanted[package.id] = verb
        self._pool.submit(self._run, actor, verb, package.id)
        return package

    def of(self, package_id: str) -> str | None:
        """Return what is being done, or is still to be done, with the copies of a package."""
        with self._lock:
            return self._wanted.get(package_id)

    def close(self) -> None:
        """Break off what is being done, and forget the rest; may be called twice."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, actor: Actor, verb: str, package_id: str) -> None:
        try:
            ERRANDS[verb](self._archive, actor, package_id, self._going_on)
        except KeyboardInterrupt:
            log.warning("the %s of %s was broken off by the end of this process", verb, package_id)
        except HoldfastError as error:
            log.warning("the %s of %s: %s", verb, package_id, error.message)
        except Exception:
            log.exception("the %s of %s", verb, package_id)
        finally:
            with self._lock:
                del self._wanted[package_id]

    def _going_on(self, done: int) -> None:
        del done
        if self._closed.is_set():
            raise KeyboardInterrupt
