"""What a new version changes of a package's files, and whether it fits the version before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from packages.findings import Finding, Findings


@dataclass(frozen=True, slots=True)
class Changes:
    """Names, as deposited, of files to be put in and to be left out.

    `put` are those that come with the change; `replaced` are those of them that must be there already, and
    the others must not. With `replaced` None either is right: what is there is replaced.
    """

    put: Sequence[str] = ()
    replaced: frozenset[str] | None = frozenset()
    withdrawn: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what a job's options keep; the names that are `put` come with their bytes."""
        kept: dict[str, Any] = {"withdrawn": list(self.withdrawn)}
        return kept | ({"replaced": sorted(self.replaced)} if self.replaced is not None else {})

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], put: Sequence[str]) -> Self:
        """Return the changes that a job's options keep, with the names that came."""
        replaced = frozenset(kept["replaced"]) if "replaced" in kept else None
        return cls(put, replaced, tuple(kept["withdrawn"]))


@dataclass(slots=True)
class Fit:
    """How changes fit: what is wrong, which names are replaced, which named by the record will be there."""

    findings: tuple[Finding, ...] = ()
    replaced: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)


def fit(changes: Changes, before: Iterable[str], wanted: Iterable[str] = ()) -> Fit:
    """Compare `changes` with the names `before`, gone through once; `wanted` are names to look out for.

    Every fault is a finding: a name that is there and should not be, or the other way round, one that is
    named twice, one that would be a file and a folder, and a package that would be left without files.
    """
    findings, look_for = Findings(), set(wanted)
    put, withdrawn = set(changes.put), set(changes.withdrawn)
    missing, left = set(withdrawn), len(put)
    found = Fit(present=put & look_for)
    folders = _judge_alone(changes, put, findings)
    for name in before:
        if name in withdrawn:
            missing.discard(name)
            continue
        if name in put:
            found.replaced.add(name)
            continue
        left += 1
        if name in look_for:
            found.present.add(name)
        for each in {name} & folders or (put and put.intersection(_folders(name))):
            findings.make("change.file-and-folder", each)
    if changes.replaced is not None:
        for name in sorted(found.replaced - changes.replaced):
            findings.make("change.file-there", name)
        missing |= changes.replaced - found.replaced
    for name in sorted(missing):
        findings.make("change.file-absent", name)
    if not left:
        findings.make("change.nothing-left")
    found.findings = findings.all()
    return found


def _judge_alone(changes: Changes, put: set[str], findings: Findings) -> set[str]:
    """Judge what can be without the version before, and return the folders that new files lie in."""
    for name in _twice((*changes.put, *changes.withdrawn)):
        findings.make("change.named-twice", name)
    folders = {folder for name in put for folder in _folders(name)}
    for name in sorted(put & folders):
        findings.make("change.file-and-folder", name)
    return folders


def _folders(name: str) -> Iterable[str]:
    at = name.find("/")
    while at >= 0:
        yield name[:at]
        at = name.find("/", at + 1)


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]  # add returns None
