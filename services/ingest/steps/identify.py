"""Identify: what format each file is in, by PRONOM signatures and containers."""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from packages.findings import Findings
from packages.format_findings import FormatFindings
from packages.model import Agent, FileEntry
from packages.wording import counted
from services.ingest.steps.characterise import Technical
from services.ingest.steps.context import StepContext, StepResult, judged
from services.ingest.steps.early import Found, with_format
from tools.ports import Identification
from tools.pronom import findings_for

AT_ONCE = 5000
"""Files looked at before a tool is waited for: those that were identified early must not pile up."""


def identify(context: StepContext) -> StepResult:
    """Identify every received file (PREMIS *format identification*) and write the sheet ``identified``.

    Unknown and empty files and names that do not fit their content are findings; whether one of them rejects
    is the archive's to say (setting `format_findings`).
    Technical metadata is read in the same pass, as soon as a file's format is known, so that all cores have
    work; the step *characterise* judges what came of it.
    """
    workspace, identifier = context.workspace, context.archive.identifier
    findings, weights = Findings(), FormatFindings(context.archive.settings.format_findings)
    puids: Counter[str | None] = Counter()
    technical = Technical()

    def identified() -> Iterator[FileEntry]:
        waiting: deque[tuple[FileEntry, Identification]] = deque()

        def files() -> Iterator[tuple[str, str | None]]:
            for entry, match in _matched(context):
                puids[match.puid] += 1
                found_here = findings_for(entry.path, match, entry.size)
                findings.extend(weights.judge(found_here, match.puid))
                context.progress(entry.size)
                waiting.append((entry, match))
                yield f"{workspace.path}/{entry.location}", match.mime

        for found in context.archive.characteriser.characterise_many(files()):
            entry, match = waiting.popleft()
            technical.note(entry.path, found)
            yield with_format(entry, match, found.properties)

    count = workspace.write_sheet("identified", identified())
    technical.formats = {puid: number for puid, number in puids.items() if puid}
    technical.save(workspace)
    unknown = puids.pop(None, 0)
    told = f"{count - unknown:,} of {counted(count, 'file')} identified, {counted(len(puids), 'format')}"
    event = context.event(
        "format identification",
        told,
        outcome="success" if not unknown else "warning",
        agents=(Agent(identifier.version, "software"),),
    )
    return judged("identified", findings.all(), (event,), told)


def _matched(context: StepContext) -> Iterator[tuple[FileEntry, Identification]]:
    identifier, workspace = context.archive.identifier, context.workspace
    early = Found(workspace, identifier.version)
    rest = ((entry, early.match(entry)) for entry in workspace.read_sheet("received"))
    while some := list(islice(rest, AT_ONCE)):
        unknown = (f"{workspace.path}/{entry.location}" for entry, match in some if match is None)
        found = identifier.identify(unknown)
        for entry, match in some:
            yield entry, match or next(found)
