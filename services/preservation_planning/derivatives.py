"""Derivatives judged: identified, validated, compared with their sources, and kept only where all is well."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from packages.content_paths import content_path
from packages.format_policy import Action, FormatPolicy, Kind, Outcome
from packages.model import FileEntry, Role
from services.preservation_planning.conformity import NOTHING_SAID, Conformity, Judged
from services.preservation_planning.unpacking import Unpacker
from storage.access_copies import FOLDER
from storage.sources import Limits
from tools.characterise import Characteriser
from tools.normalise import Made, Normaliser
from tools.ports import FormatIdentifier, Identification
from tools.validity import PROPERTY, Validator, Validity
from tools.validity import Outcome as Validation

CHUNK = 1 << 20
AT_ONCE = 500
"""Originals whose derivatives are identified together."""
PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "pages": ("pages",),
    "pixels": ("width", "height"),
    "duration": ("duration_ms",),
    "frames": ("frames",),
    "sheets": ("sheets",),
    "slides": ("slides",),
    "rows": ("rows",),
}
"""What characterisation calls what a check compares; the other checks are measured by converters alone."""
IN_COPY: Mapping[str, str] = {"slides": "pages"}
"""The check that answers in a copy which does not know the one of its source: a slide is a page of a PDF."""
WITHIN = {"duration": 0.1}
"""How far numbers of a check may lie apart where the policy does not say: seconds of a duration."""
VALIDATING = ".validating"


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of a derivative with its source; `is_same` is None where one of them is not known."""

    name: str
    before: Any
    after: Any
    is_same: bool | None


@dataclass(frozen=True, slots=True)
class Derivative:
    """One derivative after judgement: `made` has its last outcome, `entry` is there where it is kept.

    `validity` is what a validator said of it; `missing` names the one that would have, were it installed.
    """

    made: Made
    entry: FileEntry | None = None
    checks: tuple[Compared, ...] = ()
    changed: tuple[Compared, ...] = ()
    validity: Validity | None = None
    missing: str = ""

    @property
    def is_switched_off(self) -> bool:
        """Tell whether it was not made because the archive does not use the tool."""
        made = self.made
        return made.outcome is Outcome.SKIPPED and made.action is None and bool(made.tool)

    @property
    def is_of_archive(self) -> bool:
        """Tell whether it says what became of an archive that was to be unpacked, or of one inside."""
        made = self.made
        unpacks = made.action is not None and made.action.unpacks
        return unpacks and self.entry is None and made.outcome is not Outcome.SKIPPED

    @property
    def unknown(self) -> list[str]:
        """Name the checks that could not be made, as source or copy does not tell."""
        return [each.name for each in self.checks if each.is_same is None]


@dataclass(frozen=True, slots=True)
class Judges:
    """The tools that make and judge derivatives."""

    normaliser: Normaliser
    identifier: FormatIdentifier
    characteriser: Characteriser
    validator: Validator


def derivatives(
    originals: Iterable[tuple[FileEntry, str | Path]],
    folder: Path,
    policy: FormatPolicy,
    tools: Judges,
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[FileEntry, Iterable[Derivative]]]:
    """Yield for each original, in order, what `policy` has made of it below `folder`, judged.

    A derivative that is not what it should be is removed; why is its outcome. What comes out of archives is
    no more than `limits` allow a submission, and told to `progress`; they are unpacked while their
    derivatives are drawn: that comes before the next original. Memory does not grow with the number of
    originals.
    """
    rest = iter(originals)
    drawn: list[tuple[FileEntry, str | Path]] = []

    def noted() -> Iterator[tuple[FileEntry, str | Path]]:
        for entry, source in rest:
            drawn.append((entry, source))
            yield entry, source

    unpacker = Unpacker(folder, policy, limits, (tools.identifier, tools.characteriser), progress)
    conformity = Conformity(tools.validator, folder / VALIDATING, progress)
    made = tools.normaliser.normalise_many(noted(), folder, policy)
    while some := list(islice(made, AT_ONCE)):
        these, drawn[: len(some)] = drawn[: len(some)], []
        judged = _judged(
            [(entry, each) for (entry, _), each in zip(these, some, strict=True)], tools, conformity
        )
        for (entry, source), each in zip(these, judged, strict=True):
            members = (Derivative(*one) for one in unpacker.unpacked(entry, source))
            yield entry, chain(each, members)
    unpacker.tidy()
    conformity.tidy()


def _judged(
    some: list[tuple[FileEntry, list[Made]]], tools: Judges, conformity: Conformity
) -> Iterator[list[Derivative]]:
    files = [one.file for _, made in some for one in made if one.file is not None]
    if not files:
        yield from ([Derivative(one) for one in made] for _, made in some)
        return
    found = iter(list(tools.identifier.identify(files)))
    pending = [
        (entry, [(one, next(found) if one.file is not None else None) for one in made])
        for entry, made in some
    ]
    to_read = [
        (one.file, match.mime)
        for _, matched in pending
        for one, match in matched
        if one.file is not None and match is not None and _needs_reading(one)
    ]
    read = iter(list(tools.characteriser.characterise_many(to_read)) if to_read else ())
    as_expected = [
        (one.file, match)
        for _, matched in pending
        for one, match in matched
        if one.file is not None and match is not None and _is_expected(one.action, match)
    ]
    said = iter(conformity.judge(as_expected))
    for entry, matched in pending:
        yield [
            _one(
                entry,
                one,
                match,
                next(read).properties if match and _needs_reading(one) else {},
                next(said) if match and _is_expected(one.action, match) else NOTHING_SAID,
            )
            for one, match in matched
        ]


def _needs_reading(made: Made) -> bool:
    action = made.action
    if action is None or made.file is None:
        return False
    return bool(action.significant) or any(
        name in PROPERTIES and (name not in made.before or name not in made.after) for name in action.checks
    )


def _is_expected(action: Action | None, match: Identification) -> bool:
    return action is None or not action.expect or match.puid in action.expect


def _one(
    source: FileEntry,
    made: Made,
    match: Identification | None,
    properties: Mapping[str, Any],
    judged: Judged,
) -> Derivative:
    if made.file is None or match is None or made.action is None:
        return Derivative(made)
    action = made.action
    checks = tuple(_compared(each, source.properties, properties, made) for each in action.checks)
    changed = tuple(
        Compared(name, source.properties[name], properties[name], is_same=False)
        for name in action.significant
        if name in source.properties and name in properties and source.properties[name] != properties[name]
    )
    refused = _refused(action, match, judged.validity, checks)
    if refused is not None:
        made.file.unlink(missing_ok=True)
        outcome, why = refused
        made, entry = replace(made, outcome=outcome, message=why, file=None, name=None), None
    else:
        if judged.validity is not None:
            properties = {**properties, PROPERTY: judged.validity.as_property()}
        entry = _entry(source, made, match, properties)
    return Derivative(made, entry, checks, changed, *judged)


def _refused(
    action: Action, match: Identification, validity: Validity | None, checks: Iterable[Compared]
) -> tuple[Outcome, str] | None:
    if not _is_expected(action, match):
        what = f"{match.puid} ({match.name})" if match.puid else "of an unknown format"
        return Outcome.WRONG_FORMAT, f"it is {what}, not {' or '.join(action.expect)}"
    if validity is not None and validity.outcome is Validation.NOT_VALID:
        held_to = f" ({validity.profile})" if validity.profile else ""
        return Outcome.NOT_VALID, f"{validity.tool}{held_to}: {'; '.join(validity.messages)}"
    different = [each for each in checks if each.is_same is False]
    if different:
        return Outcome.DIFFERS, "; ".join(
            f"{each.name}: {_short(each.before)} became {_short(each.after)}" for each in different
        )
    return None


def _compared(name: str, before: Mapping[str, Any], after: Mapping[str, Any], made: Made) -> Compared:
    old = made.before[name] if name in made.before else _known(name, before)
    new = made.after[name] if name in made.after else _known(name, after)
    if new is None and name in IN_COPY:
        new = _known(IN_COPY[name], after)
    if old is None or new is None:
        return Compared(name, old, new, None)
    within = made.action.within.get(name, WITHIN.get(name, 0)) if made.action else 0
    is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (old, new))
    return Compared(name, old, new, abs(old - new) <= within if is_number else old == new)


def _known(name: str, properties: Mapping[str, Any]) -> Any:
    """Return the value of a check as characterisation found it; None where it did not."""
    values = [properties.get(each) for each in PROPERTIES.get(name, ())]
    if not values or None in values:
        return None
    if name == "duration":
        return float(values[0]) / 1000  # type: ignore[arg-type]  # None is out, above
    return values[0] if len(values) == 1 else " x ".join(map(str, values))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # as much as a line has room for


def _entry(source: FileEntry, made: Made, match: Identification, properties: Mapping[str, Any]) -> FileEntry:
    name, file = made.name or "", made.file or Path()
    return _digested(file)._replace(
        path=f"data/{made.kind}/{name}",
        location=f"{FOLDER}/{made.kind}/{content_path(name)}",
        role=Role.PRESERVATION if made.kind is Kind.PRESERVATION else Role.ACCESS,
        puid=match.puid,
        format_name=match.name,
        format_version=match.version,
        mime=match.mime,
        basis=match.basis,
        derived_from=source.path,
        properties=properties,
    )


def _digested(file: Path) -> FileEntry:
    total, crc, size = hashlib.sha512(), 0, 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            total.update(chunk)
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
    return FileEntry("", "", size, total.hexdigest(), crc)
