"""Validate: judge the submission, settle its record and its fingerprint."""

import base64
from collections.abc import Mapping
from typing import Any

from packages.findings import Severity
from packages.ledger import StepOutcome
from packages.model import Event
from packages.record import access_of, title_of
from packages.wording import counted
from services.examination import Examined, examine
from services.fetching import Fetched, allowed_places, complete
from services.profiles import archive_profiles
from services.steps.context import StepContext, StepResult, judged
from services.steps.fingerprint import fingerprint
from storage.catalogue.port import WriteSession
from storage.sources import CONTAINER
from storage.staging import StagedSubmission


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
    events = _events(context, seen, fetched)
    judgement = judged(
        seen.shape.kind, seen.findings, events, f"{seen.shape.kind}, {counted(len(seen.findings), 'finding')}"
    )
    if judgement.outcome is not StepOutcome.DONE or seen.record is None:
        return judgement
    record = seen.record
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
    if context.job.options.get("made") or not context.workspace.has_json(CONTAINER):
        return ""
    return str(context.workspace.read_json(CONTAINER))


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
