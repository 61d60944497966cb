"""The outbox: side work that leaves after the commit, and whose failure never fails a package."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from packages.errors import HoldfastError, NotFound
from packages.ledger import KEPT_STATES, OutboxItem
from packages.model import later, now
from packages.policies import OUTBOX_ATTEMPTS
from packages.search_document import SearchDocument, revision_of, search_document
from services.archive import Archive
from storage.catalogue.port import ReadSession

log = logging.getLogger("holdfast.outbox")

INDEX = "index"
BATCH = 100


def drain(archive: Archive) -> int:
    """Do what waits in the outbox and is due, and return how many items were done.

    May run in several processes at once: the index keeps the newest revision whoever comes last.
    """
    done = 0
    while True:
        with archive.catalogue.read() as view:
            items = view.outbox(INDEX, now=now(), limit=BATCH)
        if not items:
            return done
        if not _index(archive, items):
            return done
        done += len(items)


def document_of(view: ReadSession, package_id: str) -> SearchDocument | None:
    """Return the package's search document, or None when it is not to be found (any more).

    Who finds it is the access rule's business.
    """
    try:
        package = view.package(package_id)
    except NotFound:
        return None
    if package.state not in KEPT_STATES or package.version is None:
        return None
    return search_document(package, package.record, view.iter_files(package_id, package.version))


def _index(archive: Archive, items: Sequence[OutboxItem]) -> bool:
    """Bring the index up to date for the packages of `items`; False when that could not be done for all."""
    named = dict.fromkeys(item.package_id for item in items)
    try:
        with archive.catalogue.read() as view:
            gone: dict[str, str] = {}
            report = archive.index.put(_documents(view, named, gone))
        if gone:
            archive.index.remove(gone)
    except HoldfastError as error:
        log.warning("the search index was not reached: %s", error.message)
        _hold_back(archive, items, error.message)
        return False
    except Exception as error:
        if len(items) > 1:  # one of them is beyond us: the others do not wait for it
            each_done = [_index(archive, [each]) for each in items]
            return all(each_done)
        log.exception("the search document of package %s", items[0].package_id)
        _hold_back(archive, items, f"a defect of Holdfast: {type(error).__name__}: {error}")
        return False
    for package_id, reason in report.rejected:
        log.error("the search index refused %s: %s", package_id, reason)
    with archive.catalogue.write(durable=False) as unit:  # undone, it would be done again
        unit.outbox_done(item.id for item in items)
    return True


def _hold_back(archive: Archive, items: Sequence[OutboxItem], why: str) -> None:
    wait = OUTBOX_ATTEMPTS.wait(max(item.attempts for item in items) + 1) or OUTBOX_ATTEMPTS.longest
    with archive.catalogue.write() as unit:
        unit.outbox_failed([item.id for item in items], why, later(wait))


def _documents(
    view: ReadSession, package_ids: Iterable[str], gone: dict[str, str]
) -> Iterator[SearchDocument]:
    """Yield one document after the other; packages that are not to be found are noted in `gone`."""
    for each in package_ids:
        document = document_of(view, each)
        if document is None:
            gone[each] = _revision(view, each)
        else:
            yield document


def _revision(view: ReadSession, package_id: str) -> str:
    try:
        return revision_of(view.package(package_id))
    except NotFound:
        return f"99999999 {now()}"
