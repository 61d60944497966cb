"""Conformance: files are held to the rules of their formats, within the step *characterise*.

What is invalid is kept: it is a warning, and the outcome is a property of the file. A tool that is not
installed is recorded once for the package.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packages.findings import Findings
from packages.mets import SUBMITTED
from packages.model import ORIGINALS, Agent, Event, FileEntry, Role, evolved
from packages.outside_tools import SWITCHED_OFF
from packages.wording import counted
from services.ingest.steps.context import StepContext
from tools.validity import PROPERTY, Check, Outcome, Subject, Table, Validity, load_table
from tools.validity.table import XML, xml_check

if TYPE_CHECKING:
    from tools.validity import Validator

SCHEMAS = "schema_locations"
"""The property of an XML document that names schemas (`tools.characterise.xml_data`)."""
_ROLES = (Role.ORIGINAL, Role.SUBMISSION)
"""Of what came beside the payload, XML alone is judged: it may describe the package."""
BESIDE = "../"
"""Before the path of what came beside the payload: no schema in the payload is next to it."""


@dataclass(slots=True)
class _Asked:
    """What is to be judged: rows of the sheet and subjects by check, and how many were left out."""

    rows: dict[Check, list[int]] = field(default_factory=lambda: defaultdict(list))
    subjects: dict[Check, list[Subject]] = field(default_factory=lambda: defaultdict(list))
    left: Counter[str] = field(default_factory=Counter)


def check_conformance(
    context: StepContext, formats: Mapping[str, int], with_schemas: int
) -> tuple[Findings, list[Event]]:
    """Judge the package's files and write the property ``validity`` into its sheet.

    `formats` counts the files by PUID, `with_schemas` those XML documents that name schemas: where none of
    them has a tool, the sheet is not looked at. Returns findings, and a PREMIS event *validation* for each
    tool.
    """
    archive, findings = context.archive, Findings()
    has_schemas = archive.settings.schemas_folder is not None
    wanted = _wanted(load_table(archive.home), formats, with_schemas, has_schemas=has_schemas)
    if not wanted:
        return findings, []
    validator = archive.validator
    tools = {check.tool: validator.tool(check.tool) for check in wanted}
    missing, off = Counter[str](), Counter[str]()
    for check, count in wanted.items():
        if tools[check.tool].version is None:
            (off if tools[check.tool].is_off else missing)[tools[check.tool].title] += count
    events = list(_not_made(context, findings, "missing", missing))
    events += _not_made(context, findings, "switched off", off)
    here = {check for check in wanted if tools[check.tool].version is not None}
    if not here:
        return findings, events
    sheet = "sip" if context.workspace.has_sheet("sip") else "identified"
    asked = _asked(context, validator, sheet, here)
    found = validator.judge(
        asked.subjects,
        scratch=context.workspace.path / "validity",
        root=_root(context, sheet),
        progress=context.progress,
    )
    by_row = {
        row: one for check, some in found.items() for row, one in zip(asked.rows[check], some, strict=True)
    }
    _write(context, sheet, by_row)
    _find(context, findings, asked, found)
    return findings, events + _events(context, asked, found)


def _wanted(
    table: Table, formats: Mapping[str, int], with_schemas: int, *, has_schemas: bool
) -> Counter[Check]:
    """Return how many files each check is about; XML only where there is a schema to hold it to."""
    by_puid = table.by_puid()
    wanted = Counter[Check]()
    for puid, count in formats.items():
        if (check := by_puid.get(puid)) is not None and check.tool != XML:
            wanted[check] += count
    if (xml := xml_check(table)) is not None:
        known = sum(formats.get(puid, 0) for puid in xml.puids) if has_schemas else 0
        if count := max(with_schemas, known):
            wanted[xml] = count
    return wanted


def _asked(context: StepContext, validator: "Validator", sheet: str, here: set[Check]) -> _Asked:
    asked, by_puid, xml = _Asked(), validator.table.by_puid(), xml_check(validator.table)
    if xml not in here:
        xml = None
    for row, entry in enumerate(context.workspace.read_sheet(sheet)):
        if entry.role not in _ROLES:
            continue
        check = by_puid.get(entry.puid or "")
        if check is None or check.tool == XML:
            check = xml if entry.properties.get(SCHEMAS) or (check and validator.xml.folder) else None
        elif entry.role is Role.SUBMISSION:
            continue
        if check is None or check not in here:
            continue
        if len(asked.rows[check]) >= validator.table.files:
            asked.left[check.name] += 1
            continue
        asked.rows[check].append(row)
        asked.subjects[check].append(_subject(context, sheet, entry))
    return asked


def _subject(context: StepContext, sheet: str, entry: FileEntry) -> Subject:
    if entry.role is Role.SUBMISSION:
        path = BESIDE + entry.path.removeprefix(SUBMITTED)
    else:
        path = entry.path.removeprefix(ORIGINALS) if sheet == "sip" else entry.path
    return Subject(path, context.workspace.locate(entry), entry.size)


def _root(context: StepContext, sheet: str) -> Path:
    return context.workspace.sip / "data" if sheet == "sip" else context.workspace.incoming


def _write(context: StepContext, sheet: str, by_row: Mapping[int, Validity]) -> None:
    """Write the sheet anew, with what was found."""

    def rows() -> Iterator[FileEntry]:
        for row, entry in enumerate(context.workspace.read_sheet(sheet)):
            one = by_row.get(row)
            yield (
                entry
                if one is None
                else evolved(entry, properties={**entry.properties, PROPERTY: one.as_property()})
            )

    context.workspace.write_sheet(sheet, rows())


def _find(
    context: StepContext, findings: Findings, asked: _Asked, found: Mapping[Check, list[Validity]]
) -> None:
    for check, some in found.items():
        for subject, one in zip(asked.subjects[check], some, strict=True):
            reason = "; ".join(one.messages[:1]) + (
                f" ({len(one.messages) + one.more - 1} more)" if len(one.messages) + one.more > 1 else ""
            )
            path = subject.path.removeprefix(BESIDE)
            blanks = {"tool": one.tool, "format": one.profile or check.name, "reason": reason}
            if one.outcome is Outcome.NOT_VALID:
                findings.make("validity.not-valid", path, **blanks)
            elif one.outcome is Outcome.UNCHECKED:
                findings.make("validity.unchecked", path, **blanks)
    if asked.left:
        told = ", ".join(f"{count} of {name}" for name, count in sorted(asked.left.items()))
        most = context.archive.validator.table.files
        findings.make("validity.not-all", count=counted(asked.left.total(), "file"), formats=told, most=most)


def _events(context: StepContext, asked: _Asked, found: Mapping[Check, list[Validity]]) -> list[Event]:
    """Return an event for each tool: what it judged, and what came of it."""
    by_tool: dict[str, list[Check]] = defaultdict(list)
    for check in found:
        by_tool[check.tool].append(check)
    events, version = [], context.archive.validator.table.version
    for name, checks in sorted(by_tool.items()):
        tool = context.archive.validator.tool(name)
        outcomes = Counter(one.outcome.value for check in checks for one in found[check])
        left = sum(asked.left[check.name] for check in checks)
        told = ", ".join(f"{word} {count}" for word, count in sorted(outcomes.items()))
        told = f"{', '.join(sorted(check.name for check in checks))}: {told}"
        told += f", not checked {left}" if left else ""
        is_good = set(outcomes) <= {Outcome.VALID.value, Outcome.WELL_FORMED.value} and not left
        events.append(
            context.event(
                "validation",
                f"{told}; by the table {version}",
                outcome="success" if is_good else "warning",
                note=name,
                agents=(Agent(tool.title, "software", tool.version),),
            )
        )
    return events


def _not_made(
    context: StepContext, findings: Findings, why: str, tools: Mapping[str, int]
) -> Iterator[Event]:
    """Yield an event, and make a finding, of tools that did not judge files, where there are any."""
    if not tools:
        return
    told = ", ".join(f"{title} ({counted(count, 'file')})" for title, count in sorted(tools.items()))
    is_off = why == "switched off"
    findings.make("validity.switched-off" if is_off else "validity.tool-missing", tools=told)
    reason, outcome = (SWITCHED_OFF, "success") if is_off else ("not installed", "warning")
    yield context.event("validation", f"not made, {reason}: {told}", outcome=outcome, note=why)
