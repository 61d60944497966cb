"""Validate: judge the submission, settle its record and its fingerprint."""

import base64
from collections.abc import Mapping
from typing import Any

from packages.findings import Severity
from packages.ledger import StepOutcome
from packages.model import Event, FileEntry, evolved
from packages.record import access_of, title_of
from packages.wording import counted
from services.ingest.examination import Examined, examine
from services.ingest.fetching import Fetched, allowed_places, complete
from services.ingest.profiles import archive_profiles
from services.ingest.steps.context import StepContext, StepResult, judged
from services.ingest.steps.fingerprint import fingerprint
from storage.catalogue.port import WriteSession
from storage.sources import RECEPTION
from storage.staging import StagedSubmission, Workspace


class SameContent(Exception):
    """The owner has the same content already; raised in the transaction that would have doubled it."""

    def __init__(self, existing: str) -> None:
        super().__init__(existing)
        self.existing = existing


def validate(context: StepContext) -> StepResult:
    """Judge the submission by RFC 8493, its own checksum lists and the record's schema.

    Done: the record is settled, the fingerprint is in the catalogue and the owner has no other package with
    the same content. Rejected: every finding names its path and what to do.
    """
    context.workspace.upload.unlink(missing_ok=True)  # receiving it is recorded by now
    given = context.job.options.get("record")
    fetched = _completed(context)
    with StagedSubmission(context.workspace) as submission:
        seen = examine(
            submission,
            record=base64.b64decode(given) if given is not None else None,
            title=context.job.options.get("title"),
            name=context.package.source_name,
            publisher=context.archive.settings.publisher,
            profiles=archive_profiles(context.archive.settings),
            container=_container(context),
            fetched=fetched,
        )
        total = (len(submission), sum(map(submission.size, submission.paths()))) if fetched else None
    del submission  # it has every path in memory, and the fingerprint needs as much
    events = _events(context, seen, fetched)
    judgement = judged(
        seen.shape.kind, seen.findings, events, f"{seen.shape.kind}, {counted(len(seen.findings), 'finding')}"
    )
    if judgement.outcome is not StepOutcome.DONE or seen.record is None:
        return judgement
    record = seen.record
    _keep_declared(context.workspace, seen.declared)
    context.workspace.write_json(
        "validated",
        {
            "kind": seen.shape.kind,
            "root": seen.shape.root,
            "record": record,
            "info": [list(pair) for pair in seen.bag.info] if seen.bag else [],
        },
    )
    digest = fingerprint(context.workspace, seen.shape, record, seen.bag.info if seen.bag else ())
    return StepResult(
        judgement.outcome,
        judgement.result,
        judgement.message,
        seen.findings,
        events,
        apply=lambda unit: _settle(unit, context, record, digest, total),
    )


def _completed(context: StepContext) -> Fetched | None:
    """Fetch what the bag's fetch.txt names, where that is allowed, and make it durable."""
    archive = context.archive
    fetched = complete(
        context.workspace, allowed_places(archive.settings), archive.limits, progress=context.progress
    )
    if fetched is not None:
        context.workspace.sync()
    return fetched


def _container(context: StepContext) -> str:
    """Return the media type of the archive that the depositor packed, or nothing."""
    if context.job.options.get("made"):
        return ""
    return str(_reception(context.workspace)["container"])


def _reception(workspace: Workspace) -> dict[str, Any]:
    """Return what reception said; a former release's said nothing."""
    known = workspace.has_json(RECEPTION)
    return dict(workspace.read_json(RECEPTION)) if known else {"container": "", "algorithms": []}


def _keep_declared(workspace: Workspace, declared: Mapping[str, Mapping[str, str]]) -> None:
    """Leave each file only those further digests that the depositor gave for it.

    Reception computes an algorithm for every file as soon as one list may use it, and PREMIS will call them
    the depositor's. The sheet is written anew where there are others, which is rare.
    """
    if not _reception(workspace)["algorithms"]:
        return

    def given(entry: FileEntry) -> dict[str, str]:
        theirs = declared.get(entry.path, {})
        return {name: digest for name, digest in entry.digests.items() if name in theirs}

    rows = workspace.read_sheet("received")
    if any(len(given(entry)) < len(entry.digests) for entry in rows):
        rows = workspace.read_sheet("received")
        workspace.write_sheet("received", (evolved(entry, digests=given(entry)) for entry in rows))


def _settle(
    unit: WriteSession,
    context: StepContext,
    record: Mapping[str, Any],
    digest: str,
    total: tuple[int, int] | None,
) -> None:
    package = context.package
    if not context.job.options.get("new"):
        existing = unit.same_content(package.owner, digest)
        if existing is not None and existing != package.id:
            raise SameContent(existing)
    unit.update_package(
        package.id, title=title_of(record), access=access_of(record), record=record, fingerprint=digest
    )
    if total is not None:  # more came than was received
        unit.update_package(package.id, files=total[0], bytes=total[1])


def _events(context: StepContext, seen: Examined, fetched: Fetched | None) -> tuple[Event, ...]:
    errors = [each for each in seen.findings if each.severity is Severity.ERROR]
    others = counted(len(seen.findings) - len(errors), "other finding")
    mismatched = any("mismatch" in each.code for each in errors)
    told = (
        f"{counted(seen.checked, 'digest')} of the depositor's compared"
        if seen.checked
        else "the depositor gave no digests"
    )
    captured = (context.event("capture", fetched.told()),) if fetched is not None and fetched.files else ()
    return (
        *captured,
        context.event("fixity check", told, outcome="failure" if mismatched else "success"),
        context.event(
            "validation",
            f"{seen.shape.kind}: {counted(len(errors), 'error')}, {others}",
            outcome="failure" if errors else "success",
        ),
    )
