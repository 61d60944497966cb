"""How evidence of audits is written; ``schemas/audit-1.0.json`` tells it to whoever reads it without us."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from packages.errors import Corrupt
from packages.premis import package_urn
from storage.audits import THE_STORE, AuditRun, CopyReport, Root, RunState
from storage.ports import ObjectReport, Problem, Verdict

FORMAT = "https://holdfast.example/schemas/audit-1.0.json"
ALGORITHM = "sha512:"
COUNTED = ("intact", "corrupt", "missing", "extra", "unchecked", "bytes")
_LINE = orjson.OPT_APPEND_NEWLINE
_PAGE = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_RUN = (
    "id",
    "person_id",
    "person",
    "started",
    "state",
    "ended",
    "scope",
    "budget",
    "copies",
    "bytes",
    "counts",
    "message",
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What ``audit.json`` of a link says; `former` is the digest of the inventory of the link before."""

    archive: str
    number: int
    former: str | None
    at: str
    run: AuditRun | None


def dump_heading(heading: Heading) -> bytes:
    """Return ``audit.json``."""
    return orjson.dumps(
        {
            "$schema": FORMAT,
            "archive": heading.archive,
            "number": heading.number,
            "former": heading.former and ALGORITHM + heading.former,
            "at": heading.at,
            "run": heading.run and run_json(heading.run),
        },
        option=_PAGE,
    )


def parse_heading(data: bytes) -> Heading:
    """Read what `dump_heading` wrote. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(data)
        run = said["run"]
        return Heading(
            str(said["archive"]),
            int(said["number"]),
            said["former"] and _hex(said["former"]),
            str(said["at"]),
            None if run is None else AuditRun(**{**run, "state": RunState(run["state"])}),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"the heading of an audit cannot be read: {error!r}") from error


def dump_reports(reports: Iterable[CopyReport]) -> bytes:
    """Return ``reports.jsonl``."""
    return b"".join(orjson.dumps(copy_json(each), option=_LINE) for each in reports)


def parse_report(line: bytes) -> CopyReport:
    """Read one line of ``reports.jsonl``. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(line)
        found = ObjectReport(
            object_id=package_urn(said["package"]) if said["package"] else THE_STORE,
            store=said["store"],
            problems=tuple(_problem(each) for each in said["problems"]),
            not_before=None,
            **{name: int(said[name]) for name in COUNTED},
        )
        return CopyReport(said["id"], said["package"], said["at"], found, bool(said["quarantined"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"a line of an audit cannot be read: {error!r}") from error


def dump_roots(roots: Iterable[Root]) -> bytes:
    """Return ``roots.jsonl``."""
    return b"".join(
        orjson.dumps(
            {"package": each.package_id, "version": each.version, "inventory": ALGORITHM + each.digest},
            option=_LINE,
        )
        for each in roots
    )


def parse_root(line: bytes) -> Root:
    """Read one line of ``roots.jsonl``. Raises Corrupt for anything else."""
    try:
        said = orjson.loads(line)
        return Root(str(said["package"]), int(said["version"]), _hex(said["inventory"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt(f"a sealed root cannot be read: {error!r}") from error


def run_json(run: AuditRun) -> dict[str, Any]:
    """Return a run as JSON, without the process that runs it."""
    shown = {name: getattr(run, name) for name in _RUN}
    return shown | {"scope": dict(run.scope), "counts": dict(run.counts)}


def copy_json(report: CopyReport) -> dict[str, Any]:
    """Return what was found of one copy as JSON."""
    found = report.found
    return {
        "id": report.id,
        "package": report.package_id,
        "store": found.store,
        "at": report.at,
        "verdict": found.verdict,
        **{name: getattr(found, name) for name in COUNTED},
        "quarantined": report.quarantined,
        "problems": [asdict(each) for each in found.problems],
    }


def _problem(said: Mapping[str, Any]) -> Problem:
    return Problem(said["path"], Verdict(said["verdict"]), said["expected"], said["found"])


def _hex(digest: str) -> str:
    if not digest.startswith(ALGORITHM):
        raise ValueError(digest)
    return digest.removeprefix(ALGORITHM)
