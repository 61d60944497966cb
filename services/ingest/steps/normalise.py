"""Normalise: preservation and access derivatives by policy."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from packages.findings import Findings
from packages.format_policy import FormatPolicy, Outcome
from packages.ledger import StepOutcome
from packages.model import Agent, Event, FileEntry, Role, evolved
from packages.outside_tools import SWITCHED_OFF
from packages.premis import CONVERSION_EVENT
from packages.wording import counted
from services.ingest.steps.context import StepContext, StepResult
from services.preservation_planning.derivatives import Derivative, Judges, derivatives
from services.preservation_planning.policy import format_policy
from storage.access_copies import FOLDER
from tools.normalise import Made
from tools.validity import Outcome as Validation

MANY_FILES = 20_000
"""From here on the inventory, which comes next, takes memory that idle tools should not hold as well."""
MOST_COMMANDS = 5
"""Command lines that an event names; each derivative has its own with it."""
MOST_ARCHIVES = 100
"""Archives that an event of unpacking links to; each file out of one names it as its source."""
WORTH_SAYING = {
    Outcome.FAILED: "normalise.failed",
    Outcome.TIMED_OUT: "normalise.timed-out",
    Outcome.TOO_LARGE: "normalise.too-large",
    Outcome.WRONG_FORMAT: "normalise.wrong-format",
    Outcome.NOT_VALID: "normalise.not-valid",
    Outcome.DIFFERS: "normalise.differs",
    Outcome.NOT_OPENED: "normalise.not-opened",
}


class _Way(NamedTuple):
    """How a derivative was made: a tool with its version, by a part of a rule; each is an event."""

    tool: str
    rule: str
    kind: str
    label: str
    event: str = "normalization"

    @classmethod
    def of(cls, made: Made) -> Self:
        """Return how it was made."""
        action = made.action
        if action is None:
            return cls(made.tool, "", made.kind, "")
        event = "unpacking" if action.unpacks else "normalization"
        return cls(made.tool, action.rule, made.kind, action.label, event)


@dataclass(slots=True)
class _Archives:
    """What became of the archives that one rule has unpacked, with the first of their paths."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    paths: list[str] = field(default_factory=list)

    def note(self, path: str, outcome: Outcome) -> None:
        self.outcomes[outcome] += 1
        if outcome is not Outcome.NOT_OPENED and len(self.paths) < MOST_ARCHIVES:
            self.paths.append(path)

    def told(self) -> tuple[str, str]:
        """Return in words what became of them, and the outcome of the event."""
        done, shut = self.outcomes[Outcome.DONE], self.outcomes[Outcome.NOT_OPENED]
        left = self.outcomes.total() - done - shut
        words = [f"{counted(done, 'archive')} unpacked"]
        words += [f"{left:,} left closed"] if left else []
        words += [f"{shut:,} inside of them left closed"] if shut else []
        return ", ".join(words), "failure" if not done else "warning" if left + shut else "success"


@dataclass(slots=True)
class _Tally:
    """What the conversions of a package came to: grows with tools and rules, not with files.

    `outcomes` counts files; one of which nothing is made, for several reasons, counts once.
    """

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    off: Counter[str] = field(default_factory=Counter)
    made: Counter[_Way] = field(default_factory=Counter)
    commands: defaultdict[_Way, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: defaultdict[_Way, set[str]] = field(default_factory=lambda: defaultdict(set))
    unknown: Counter[str] = field(default_factory=Counter)
    validity: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    not_validated: Counter[str] = field(default_factory=Counter)
    archives: defaultdict[_Way, _Archives] = field(default_factory=lambda: defaultdict(_Archives))

    def note_file(self, outcomes: set[Outcome]) -> None:
        self.files += 1
        of_weight = outcomes - {Outcome.NO_RULE, Outcome.SKIPPED}
        self.outcomes.update(of_weight or outcomes & {Outcome.SKIPPED} or outcomes)

    def told(self) -> str:
        outcomes = ", ".join(f"{n:,} {word.replace('_', ' ')}" for word, n in sorted(self.outcomes.items()))
        return f"{counted(self.files, 'file')}: {outcomes}"

    def note(self, entry: FileEntry, one: Derivative, findings: Findings) -> None:
        made = one.made
        if one.validity is not None:
            self.validity[one.validity.tool][one.validity.outcome] += 1
        elif one.missing:
            self.not_validated[one.missing] += 1
        if one.is_of_archive:
            self.archives[_Way.of(made)].note(entry.path, made.outcome)
            if made.outcome is Outcome.DONE and made.message:
                findings.make("normalise.unpacked", entry.path, reason=made.message)
        if made.outcome is Outcome.TOOL_MISSING:
            self.missing[made.tool, made.kind] += 1
        elif one.is_switched_off:
            self.off[made.tool] += 1
        elif made.outcome in WORTH_SAYING:
            code = WORTH_SAYING[made.outcome]
            findings.make(code, entry.path, tool=made.tool, kind=made.kind, reason=made.message)
        elif one.entry is not None:
            way = _Way.of(made)
            self.made[way] += 1
            self.changed[way].update(each.name for each in one.changed)
            self.unknown.update(one.unknown)
            if len(self.commands[way]) < MOST_COMMANDS:
                self.commands[way].add(made.command)


def normalise(context: StepContext) -> StepResult:
    """Convert what the format policy names, and write the sheets ``derived`` and ``access``.

    Outputs are digested, identified and compared with their originals, and never bear the name of another
    file. All outcomes of `packages.format_policy.Outcome` are kept apart; a conversion that does not come to
    a derivative never loses the original, it is a warning. Memory does not grow with the number of files.
    """
    policy = format_policy(context.archive.home).using(context.archive.outside, context.package.files)
    findings, tally = Findings(), _Tally()
    shutil.rmtree(context.workspace.path / FOLDER, ignore_errors=True)  # of a former attempt
    counts = _write(context, _made(context, policy, findings, tally))
    _let_tools_rest(context)
    for (tool, kind), count in sorted(tally.missing.items()):
        findings.make("normalise.tool-missing", tool=tool, kind=kind, count=counted(count, "file"))
    if tally.off:
        findings.make("normalise.switched-off", tools=_switched_off(tally))
    told = tally.told()
    found = findings.all()
    if not counts.total() and not found:
        return StepResult(StepOutcome.SKIPPED, "no_rule", told)
    return StepResult(
        StepOutcome.DONE, "normalised", told, found, tuple(_events(context, policy, tally, counts, told))
    )


def _made(
    context: StepContext, policy: FormatPolicy, findings: Findings, tally: _Tally
) -> Iterator[FileEntry]:
    """Yield an entry for each derivative that is kept."""
    archive, workspace = context.archive, context.workspace
    originals = (
        (entry, f"{workspace.path}/{entry.location}")
        for entry in workspace.read_sheet("sip")
        if entry.role is Role.ORIGINAL
    )
    tools = Judges(archive.normaliser, archive.identifier, archive.characteriser, archive.validator)
    made = derivatives(originals, workspace.path / FOLDER, policy, tools, archive.limits, context.progress)
    for entry, judged in made:
        context.progress(entry.size)
        outcomes = set()
        for one in judged:
            outcomes.add(one.made.outcome)
            tally.note(entry, one, findings)
            if one.entry is not None:
                yield _told(context, one, one.entry)
        tally.note_file(outcomes)


def _told(context: StepContext, one: Derivative, entry: FileEntry) -> FileEntry:
    """Say of a derivative how it was made, and by which event."""
    said = {
        "conversion_tool": one.made.tool,
        "conversion_command": one.made.command,
        CONVERSION_EVENT: _event(context, _Way.of(one.made), "").id,
    }
    if one.made.command and one.made.message:
        said["conversion_note"] = one.made.message  # what was left out, which number is which sheet
    same = [each.name for each in one.checks if each.is_same]
    if same:
        said["conversion_compared"] = ", ".join(same)
    if one.unknown:
        said["conversion_not_compared"] = ", ".join(one.unknown)
    return evolved(entry, properties={**entry.properties, **said})


def _write(context: StepContext, made: Iterable[FileEntry]) -> Counter[Role]:
    """Write the sheets that later steps read; return how many derivatives of each role there are."""
    workspace = context.workspace
    with workspace.open_sheet("derived") as derived, workspace.open_sheet("access") as access:
        sheets = {Role.PRESERVATION: derived, Role.ACCESS: access}
        for entry in made:
            sheets[entry.role].add(entry)
    return Counter({role: sheet.rows for role, sheet in sheets.items()})


def _events(
    context: StepContext, policy: FormatPolicy, tally: _Tally, counts: Counter[Role], told: str
) -> Iterator[Event]:
    """Yield an event of the whole, and one for each command that was run."""
    kept, shown = counts[Role.PRESERVATION], counts[Role.ACCESS]
    detail = f"{kept} preservation and {shown} access derivatives; {told}"
    if tally.off:
        detail += f"; {SWITCHED_OFF}: {_switched_off(tally)}"
    if tally.unknown:
        detail += "; could not be compared: " + ", ".join(
            f"{name} of {counted(count, 'file')}" for name, count in sorted(tally.unknown.items())
        )
    if tally.not_validated:
        detail += "; could not be validated, not installed: " + ", ".join(
            f"{tool} ({counted(count, 'file')})" for tool, count in sorted(tally.not_validated.items())
        )
    unwell = {*WORTH_SAYING, Outcome.TOOL_MISSING} & tally.outcomes.keys()
    tools = [_agent(tool) for tool in sorted({way.tool for way in tally.made})]
    yield context.event(
        "normalization",
        detail,
        outcome="warning" if unwell else "success",
        agents=[Agent("Holdfast format policy", "software", policy.name), *tools],
    )
    for way, archives in sorted(tally.archives.items()):
        told, outcome = archives.told()
        detail = f"{told}: {counted(tally.made[way], 'file')}"
        yield replace(_event(context, way, detail), outcome=outcome, paths=tuple(archives.paths))
    for way, count in sorted(tally.made.items()):
        if way in tally.archives:
            continue
        detail = f"{counted(count, 'derivative')} by: {' | '.join(sorted(tally.commands[way]))}"
        if changed := sorted(tally.changed[way]):
            detail += f"; of the significant properties, not everywhere the same: {', '.join(changed)}"
        yield _event(context, way, detail)
    for tool, outcomes in sorted(tally.validity.items()):
        yield _validation(context, tool, outcomes)


def _validation(context: StepContext, tool: str, outcomes: Counter[str]) -> Event:
    detail = "derivatives: " + ", ".join(f"{word} {count}" for word, count in sorted(outcomes.items()))
    is_well = outcomes.keys() <= {Validation.VALID, Validation.WELL_FORMED}
    outcome = "success" if is_well else "warning"
    return context.event("validation", detail, outcome=outcome, note=tool, agents=(_agent(tool),))


def _switched_off(tally: _Tally) -> str:
    return ", ".join(
        f"{tool} ({counted(count, 'copy', 'copies')})" for tool, count in sorted(tally.off.items())
    )


def _event(context: StepContext, way: _Way, detail: str) -> Event:
    label = f" ({way.label})" if way.label else ""
    note = f"{way.tool}: {way.kind} copies{label} by the rule {way.rule}"
    return context.event(way.event, detail, note=note, agents=(_agent(way.tool),))


def _agent(tool: str) -> Agent:
    name, _, version = tool.rpartition(" ")
    return Agent(name or tool, "software", version if name else None)


def _let_tools_rest(context: StepContext) -> None:
    archive = context.archive
    if context.package.files > MANY_FILES:
        for tool in (archive.identifier, archive.characteriser, archive.normaliser):
            tool.rest()
