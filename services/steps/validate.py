"""Validate: judge the submission, settle its record and its fingerprint."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from packages.findings import Severity
from packages.ledger import StepOutcome
from packages.model import Event
from packages.record import access_of, title_of
from packages.submission import Shape
from services.examination import Examined, content_prefix, examine
from services.steps.context import StepContext, StepResult, judged
from storage.catalogue.port import WriteSession
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
    given = context.job.options.get("record")
    with StagedSubmission(context.workspace) as submission:
        seen = examine(
            submission,
            record=base64.b64decode(given) if given is not None else None,
            title=context.job.options.get("title"),
            name=context.package.source_name,
            publisher=context.archive.settings.publisher,
        )
    events = _events(context, seen)
    judgement = judged(
        seen.shape.kind, seen.findings, events, f"{seen.shape.kind}, {len(seen.findings)} findings"
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
    digest = fingerprint(context.workspace, seen.shape, record)
    return StepResult(
        judgement.outcome,
        judgement.result,
        judgement.message,
        seen.findings,
        events,
        apply=lambda unit: _settle(unit, context, record, digest),
    )


def fingerprint(workspace: Workspace, shape: Shape, record: Mapping[str, Any]) -> str:
    """Return the SHA-512 of what the package is: sorted (path, size, SHA-512) and record."""
    prefix = content_prefix(shape)
    rows = sorted(
        f"{entry.path.removeprefix(prefix)}\0{entry.size}\0{entry.sha512}\n"
        for entry in workspace.read_sheet("received")
        if entry.path.startswith(prefix)
    )
    total = hashlib.sha512()
    for row in rows:
        total.update(row.encode())
    total.update(orjson.dumps(dict(record), option=orjson.OPT_SORT_KEYS))
    return total.hexdigest()


def _settle(unit: WriteSession, context: StepContext, record: Mapping[str, Any], digest: str) -> None:
    package = context.package
    if not context.job.options.get("new"):
        existing = unit.same_content(package.owner, digest)
        if existing is not None and existing != package.id:
            raise SameContent(existing)
    unit.update_package(
        package.id, title=title_of(record), access=access_of(record), record=record, fingerprint=digest
    )


def _events(context: StepContext, seen: Examined) -> tuple[Event, Event]:
    errors = [each for each in seen.findings if each.severity is Severity.ERROR]
    mismatched = any("mismatch" in each.code for each in errors)
    told = (
        f"{seen.checked} digests that the depositor gave were compared"
        if seen.checked
        else "the depositor gave no digests"
    )
    return (
        context.event("fixity check", told, outcome="failure" if mismatched else "success"),
        context.event(
            "validation",
            f"{seen.shape.kind}: {len(errors)} errors, {len(seen.findings) - len(errors)} other findings",
            outcome="failure" if errors else "success",
        ),
    )
