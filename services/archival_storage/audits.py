"""What audits found, for those who look on: runs, reports as JSON and CSV, alarms. Archivists only."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from packages.errors import NotFound
from packages.model import Actor
from services.administration.people import require_archivist
from services.archival_storage.evidence_lines import COUNTED, copy_json, run_json
from services.archive import Archive
from storage.audits import THE_STORE, Alarm
from storage.catalogue.paging import PAGE, Key
from storage.catalogue.port import ReadSession

COLUMNS = (
    "at",
    "package",
    "store",
    "verdict",
    *COUNTED,
    "quarantined",
    "path",
    "problem",
    "expected",
    "found",
)
"""Of the CSV report: a line for each copy, and one for each file of it that is not as it should be."""


def runs(
    archive: Archive,
    actor: Actor,
    *,
    after: Key | None = None,
    newest_first: bool = False,
    limit: int = 100,
) -> tuple[list[dict[str, Any]], Key | None]:
    """Return one page of audit runs, and the key to go on behind, if there are more."""
    require_archivist(actor, "see audits")
    with archive.catalogue.read() as view:
        found = view.audit_runs(after=after, newest_first=newest_first, limit=limit + 1)
    page = found[:limit]
    more = (page[-1].started, page[-1].id) if len(found) > limit else None
    return [run_json(each) for each in page], more


def run(archive: Archive, actor: Actor, reference: str) -> dict[str, Any]:
    """Return one run. Raises NotFound, or Conflict for a beginning of several ids."""
    require_archivist(actor, "see audits")
    with archive.catalogue.read() as view:
        return run_json(view.audit_run(reference))


def reports(
    archive: Archive,
    actor: Actor,
    run_id: str,
    *,
    after: int = 0,
    problems_only: bool = False,
    limit: int = 100,
) -> tuple[list[dict[str, Any]], int | None]:
    """Return one page of what a run found, a copy each, and the number to go on behind, if there is more."""
    require_archivist(actor, "see audits")
    with archive.catalogue.read() as view:
        found = view.audit_reports(run_id, after=after, problems_only=problems_only, limit=limit + 1)
    page = found[:limit]
    return [copy_json(each) for _, each in page], page[-1][0] if len(found) > limit else None


def every_report(
    archive: Archive, actor: Actor, run_id: str, *, problems_only: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield all that a run found, page by page: no session stays open between two pages."""
    after: int | None = 0
    while after is not None:
        page, after = reports(archive, actor, run_id, after=after, problems_only=problems_only, limit=PAGE)
        yield from page


def csv_lines(archive: Archive, actor: Actor, run_id: str) -> Iterator[str]:
    """Yield the report of a run as CSV (RFC 4180), heading first; a copy's files are told below it."""
    yield _csv_line(COLUMNS)
    for each in every_report(archive, actor, run_id):
        told = [each["at"], each["package"], each["store"], each["verdict"]]
        yield _csv_line(
            [*told, *(each[name] for name in COUNTED), _word(each["quarantined"]), "", "", "", ""]
        )
        for problem in each["problems"]:
            blank = [""] * (len(COUNTED) + 1)
            file = [problem["path"], problem["verdict"], problem["expected"] or "", problem["found"] or ""]
            yield _csv_line([*told, *blank, *file])


def alarms(
    archive: Archive,
    actor: Actor,
    *,
    everything: bool = False,
    after: Key | None = None,
    limit: int = 100,
) -> tuple[list[dict[str, Any]], Key | None]:
    """Return one page of alarms, those raised first at the top; with `everything` mended ones too."""
    require_archivist(actor, "see alarms")
    with archive.catalogue.read() as view:
        stores = None if everything else list(archive.stores)
        found = view.alarms(stores=stores, is_open=not everything, after=after, limit=limit + 1)
        page = found[:limit]
        shown = [_alarm_json(view, each) for each in page]
    return shown, (page[-1].raised, page[-1].id) if len(found) > limit else None


def _alarm_json(view: ReadSession, alarm: Alarm) -> dict[str, Any]:
    return {
        "id": alarm.id,
        "package": alarm.package_id or None,
        "title": _title(view, alarm.package_id),
        "store": alarm.store,
        "verdict": alarm.verdict,
        "raised": alarm.raised,
        "seen": alarm.seen,
        "audit": alarm.run_id,
        "problems": alarm.problems,
        "message": alarm.message,
        "quarantined": alarm.quarantined,
        "mended": alarm.mended,
        "mended_by": alarm.mended_by,
        "how": alarm.how,
    }


def _title(view: ReadSession, package_id: str) -> str | None:
    if package_id == THE_STORE:
        return None
    try:
        return view.package(package_id).title
    except NotFound:
        return None


def alarmed(archive: Archive, actor: Actor) -> list[str]:
    """Return the ids of the packages that have an alarm, each once, those raised first at the top."""
    found: dict[str, None] = {}
    after: Key | None = None
    while True:
        page, after = alarms(archive, actor, after=after, limit=PAGE)
        found |= {each["package"]: None for each in page if each["package"]}
        if after is None:
            return list(found)


def _csv_line(fields: Sequence[Any]) -> str:
    """Return a line of CSV; a text that a spreadsheet would take for a formula begins with a quote."""
    line = io.StringIO(newline="")
    csv.writer(line).writerow(
        ["'" + each if isinstance(each, str) and each[:1] in "=+-@\t\r" and each else each for each in fields]
    )
    return line.getvalue()


def _word(truth: bool) -> str:  # it is what is worded
    return "yes" if truth else "no"
