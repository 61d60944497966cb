"""What an audit says of a copy's log: entries that the store lacks, and entries that are not ours."""

from collections import Counter
from dataclasses import replace

from packages.model import later
from packages.premis import package_urn
from services.archival_storage.log_trust import trust_in
from services.archive import Archive
from storage.archival.verify import log_path
from storage.ports import ArchivalStore, ObjectReport, Problem, Verdict

SETTLED_AFTER = 7 * 86400.0
"""Seconds after which an entry must be in every store: until then `reconcile` still brings it up."""
NOT_OURS = "this archive has not written it"
DOUBTED = "a rebuild found it in some stores only: `holdfast repair ID --entries accept`, or `refuse`"


def with_log(archive: Archive, store: ArchivalStore, package_id: str, found: ObjectReport) -> ObjectReport:
    """Return the report with what is missing of the log, and with what is not of this archive's writing.

    That is *extra*: `holdfast repair` sets it aside; but *unchecked* where a rebuild has found it, as nobody
    knows yet. Of a copy that could not be read nothing is said, and of a store that gets no entries only what
    is not ours.
    """
    if found.verdict is Verdict.UNCHECKED or any(not each.path for each in found.problems):
        return found
    urn = package_urn(package_id)
    trust, there = trust_in(archive, [store], urn), set(store.logs(urn))
    settled = later(-SETTLED_AFTER)
    due = {digest for digest, each in trust.ours.items() if each.is_written and each.at < settled}
    missing = sorted(due - there) if store.name in archive.written_stores else []
    told = {each.path for each in found.problems}
    problems = [Problem(log_path(each), Verdict.MISSING, each, None) for each in missing]
    for each in sorted(there - trust.ours.keys()):
        is_doubted = each in trust.doubted
        verdict = Verdict.UNCHECKED if is_doubted else Verdict.EXTRA
        problems.append(Problem(log_path(each), verdict, None, DOUBTED if is_doubted else NOT_OURS))
    problems = [each for each in problems if each.path not in told]
    counts = Counter(each.verdict for each in problems)
    return replace(
        found,
        intact=found.intact - len(problems) + counts[Verdict.MISSING],
        missing=found.missing + counts[Verdict.MISSING],
        extra=found.extra + counts[Verdict.EXTRA],
        unchecked=found.unchecked + counts[Verdict.UNCHECKED],
        problems=(*found.problems, *problems),
    )
