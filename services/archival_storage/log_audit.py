"""What an audit says of a copy's log: entries that the store lacks, and entries that are not ours."""

from dataclasses import replace

from packages.model import later
from packages.premis import package_urn
from services.archival_storage.log_trust import known_of
from services.archival_storage.logbook_reading import open_logbook
from services.archive import Archive
from storage.archival.verify import LOG_PREFIX, LOGS
from storage.ports import ArchivalStore, ObjectReport, Problem, Verdict

SETTLED_AFTER = 7 * 86400.0
"""Seconds after which an entry must be in every store: until then `reconcile` still brings it up."""
NOT_OURS = "this archive has not written it"


def with_log(archive: Archive, store: ArchivalStore, package_id: str, found: ObjectReport) -> ObjectReport:
    """Return the report with what is missing of the log, and with what is not of this archive's writing.

    That is *extra*: `holdfast repair` sets it aside. Of a copy that could not be read nothing is said, and of
    a store that gets no entries only what is not ours.
    """
    if found.verdict is Verdict.UNCHECKED or any(not each.path for each in found.problems):
        return found
    book = open_logbook([store], package_urn(package_id))
    with archive.catalogue.read() as view:
        known, noted = known_of(view, package_id, book), view.known_entries(package_id)
    there = book.entries.keys() | book.unread.keys()
    settled = later(-SETTLED_AFTER)
    due = {each.digest for each in noted.values() if each.is_written and each.at < settled}
    missing = sorted(due - there) if store.name in archive.written_stores else []
    told = {each.path for each in found.problems}
    problems = [Problem(_place(each), Verdict.MISSING, each, None) for each in missing]
    strange = sorted(there - known.keys())
    problems += [Problem(_place(each), Verdict.EXTRA, None, NOT_OURS) for each in strange]
    problems = [each for each in problems if each.path not in told]
    absent = sum(each.verdict is Verdict.MISSING for each in problems)
    return replace(
        found,
        intact=found.intact - (len(problems) - absent),
        missing=found.missing + absent,
        extra=found.extra + len(problems) - absent,
        problems=(*found.problems, *problems),
    )


def _place(digest: str) -> str:
    return f"{LOGS}/{LOG_PREFIX}{digest.removeprefix('sha512:')}.json"
