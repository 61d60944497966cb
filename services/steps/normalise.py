"""Normalise: preservation and access derivatives by policy."""

import hashlib
import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from packages.content_paths import content_path
from packages.findings import Findings
from packages.format_policy import Kind, Outcome
from packages.ledger import StepOutcome
from packages.model import Agent, FileEntry, Role, evolved
from services.steps.context import StepContext, StepResult
from storage.access_copies import FOLDER
from tools.normalise import Made

CHUNK = 1 << 20
MANY_FILES = 20_000
"""From here on the inventory, which comes next, takes memory that idle tools should not hold as well."""
WORTH_SAYING = {Outcome.FAILED: "normalise.failed", Outcome.TOOL_MISSING: "normalise.tool-missing"}


def normalise(context: StepContext) -> StepResult:
    """Convert what the format policy names, and write the sheets ``derived`` and ``access``.

    Outputs are identified and digested like originals, and never bear the name of another file. *No
    rule*, *tool missing*, *failed* and *done* are kept apart; a failed conversion never loses the
    original, it is a warning.
    """
    workspace = context.workspace
    findings = Findings()
    outcomes: Counter[str] = Counter()
    made: list[tuple[str, Made]] = []
    originals: deque[FileEntry] = deque()

    def sources() -> Iterator[tuple[FileEntry, str]]:
        for entry in workspace.read_sheet("sip"):
            if entry.role is Role.ORIGINAL:
                originals.append(entry)
                yield entry, f"{workspace.path}/{entry.location}"

    for each in context.archive.normaliser.normalise_many(sources(), workspace.path / FOLDER):
        entry = originals.popleft()
        context.progress(entry.size)
        for one in each:
            outcomes[one.outcome] += 1
            if one.outcome in WORTH_SAYING:
                code = WORTH_SAYING[one.outcome]
                findings.make(code, entry.path, tool=one.tool, kind=one.kind, reason=one.message)
            if one.file is not None:
                made.append((entry.path, one))
    entries = list(_entries(context, made))
    kept = [e for e in entries if e.role is Role.PRESERVATION]
    workspace.write_sheet("derived", kept)
    workspace.write_sheet("access", (e for e in entries if e.role is Role.ACCESS))
    _let_tools_rest(context)
    told = ", ".join(f"{word.replace('_', ' ')} {count}" for word, count in sorted(outcomes.items()))
    found = findings.all()
    if not made and not found:
        return StepResult(StepOutcome.SKIPPED, "no_rule", told or "no rule of the policy applies")
    event = context.event(
        "normalization",
        f"{len(kept)} preservation and {len(entries) - len(kept)} access derivatives; {told}",
        outcome="warning" if found else "success",
        agents=[Agent(name, "software") for name in sorted({one.tool for _, one in made if one.tool})],
    )
    return StepResult(StepOutcome.DONE, "normalised", told, found, (event,))


def _let_tools_rest(context: StepContext) -> None:
    archive = context.archive
    if context.package.files > MANY_FILES:
        for tool in (archive.identifier, archive.characteriser, archive.normaliser):
            tool.rest()


def _entries(context: StepContext, made: Iterable[tuple[str, Made]]) -> Iterator[FileEntry]:
    """Yield an entry for each derivative: digested, identified, and named after what it was made from."""
    done = [
        (source, one, one.file, one.name)
        for source, one in made
        if one.file is not None and one.name is not None
    ]
    found = context.archive.identifier.identify(file for _, _, file, _ in done)
    for (source, one, file, name), match in zip(done, found, strict=True):
        yield evolved(
            _digested(file),
            path=f"data/{one.kind}/{name}",
            location=f"{FOLDER}/{one.kind}/{content_path(name)}",
            role=Role.PRESERVATION if one.kind is Kind.PRESERVATION else Role.ACCESS,
            puid=match.puid,
            format_name=match.name,
            format_version=match.version,
            mime=match.mime,
            basis=match.basis,
            derived_from=source,
        )


def _digested(file: Path) -> FileEntry:
    total, crc, size = hashlib.sha512(), 0, 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            total.update(chunk)
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
    return FileEntry("", "", size, total.hexdigest(), crc)
