"""Identify: what format each file is in, by PRONOM signatures and containers."""

from collections import Counter, deque
from collections.abc import Iterator

from packages.findings import Findings
from packages.ledger import StepOutcome
from packages.model import Agent, FileEntry, evolved
from packages.wording import counted
from services.steps.characterise import Technical
from services.steps.context import StepContext, StepResult
from tools.ports import Identification
from tools.pronom import findings_for


def identify(context: StepContext) -> StepResult:
    """Identify every received file (PREMIS *format identification*) and write the sheet ``identified``.

    Unknown and empty files and names that do not fit their content are findings; none of them rejects.
    Technical metadata is read in the same pass, as soon as a file's format is known, so that all cores have
    work; the step *characterise* judges what came of it.
    """
    workspace, identifier = context.workspace, context.archive.identifier
    findings = Findings()
    puids: Counter[str | None] = Counter()
    technical = Technical()

    def identified() -> Iterator[FileEntry]:
        waiting: deque[tuple[FileEntry, Identification]] = deque()

        def files() -> Iterator[tuple[str, str | None]]:
            for entry, match in _matched(context):
                puids[match.puid] += 1
                findings.extend(findings_for(entry.path, match, entry.size))
                context.progress(entry.size)
                waiting.append((entry, match))
                yield f"{workspace.path}/{entry.location}", match.mime

        for found in context.archive.characteriser.characterise_many(files()):
            entry, match = waiting.popleft()
            technical.note(entry.path, found)
            yield evolved(
                entry,
                puid=match.puid,
                format_name=match.name,
                format_version=match.version,
                mime=match.mime,
                basis=match.basis,
                warning=match.warning,
                properties=found.properties,
            )

    count = workspace.write_sheet("identified", identified())
    technical.save(workspace)
    unknown = puids.pop(None, 0)
    told = f"{count - unknown} of {counted(count, 'file')} identified, {counted(len(puids), 'format')}"
    event = context.event(
        "format identification",
        told,
        outcome="success" if not unknown else "warning",
        agents=(Agent(identifier.version, "software"),),
    )
    return StepResult(StepOutcome.DONE, "identified", told, findings.all(), (event,))


def _matched(context: StepContext) -> Iterator[tuple[FileEntry, Identification]]:
    workspace = context.workspace
    given: deque[FileEntry] = deque()

    def paths() -> Iterator[str]:
        for entry in workspace.read_sheet("received"):
            given.append(entry)
            yield f"{workspace.path}/{entry.location}"

    for match in context.archive.identifier.identify(paths()):
        yield given.popleft(), match
