"""The format policy: what is made of a file, decided from data by its PUID.

The rules are in ``schemas/format-policy.json`` (their shape in ``schemas/format-policy.schema.json``); this
module reads them and says, without touching a file, what is to be done and why the rest is left alone.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self

import schemas
from packages.errors import Invalid
from packages.model import NOTHING, FileEntry
from packages.outside_tools import SWITCHED_OFF, OutsideTools


class Kind(StrEnum):
    """What a derivative is for; each kind has a tree of its own."""

    PRESERVATION = "preservation"
    ACCESS = "access"
    THUMBNAIL = "thumbnail"


class Outcome(StrEnum):
    """What became of one derivative of one file; closed. All but the first leave the original alone."""

    DONE = "done"
    NO_RULE = "no_rule"  # the policy says nothing about the format
    SKIPPED = "skipped"  # the policy says that the original will do, or its tool is switched off
    TOOL_MISSING = "tool_missing"  # the converter is not installed here
    FAILED = "failed"  # the converter refused, crashed, or wrote nothing
    TIMED_OUT = "timed_out"  # it was ended at its deadline
    TOO_LARGE = "too_large"  # more was written, or would be, than the limits allow
    WRONG_FORMAT = "wrong_format"  # what came out is not of a format that the policy expects
    NOT_VALID = "not_valid"  # a validator found that it does not keep to the rules of its own format
    DIFFERS = "differs"  # a check found that what came out is not what went in
    NOT_OPENED = "not_opened"  # an archive inside one that was unpacked: too deep, or it could not be


UNPACKING = "archives"
"""The *tool* of an action that takes an archive apart: no converter, but the reader of deposits."""
UNPACKED_AT_MOST: Mapping[str, int] = {"depth": 3, "members": 10_000, "bytes": 10 << 30, "ratio": 100}
"""What may come out of one archive where its rule says no other: archives inside each other, files and
folders, bytes, and bytes over its own size."""

MOST_PLANS = 1024
"""Plans that are remembered: a package of very many files has few different ones."""
_SIDES = ("width", "height")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one conversion may take, for one file.

    `seconds` of time, `memory_bytes` for each process, output of `output_ratio` times the input (at least
    `output_floor_bytes`, never more than `output_ceiling_bytes`), and for images `max_pixels` of a frame
    and `max_frames`.
    """

    max_pixels: int
    max_frames: int
    output_ratio: float
    output_floor_bytes: int
    output_ceiling_bytes: int
    seconds: int
    memory_bytes: int

    def largest_output(self, size: int) -> int:
        """Return how many bytes may be made of a file of `size` bytes."""
        return min(self.output_ceiling_bytes, max(self.output_floor_bytes, int(self.output_ratio * size)))


@dataclass(frozen=True, slots=True)
class Action:
    """One derivative to be made: `tool` does its `recipe` with `arguments`, and the rest judges the output.

    The output must be of a format of `expect` (any, where that is empty) and hold each of `checks`;
    `within` says how far numbers may lie apart, by check. `significant` are technical properties whose
    change is told. `label` is a word in the name of the derivative, so that two of a kind do not meet.
    `condition` says, for people, of which files of the format it is made; of all, where it is empty.
    """

    rule: str
    kind: Kind
    tool: str
    recipe: str
    limits: Limits
    arguments: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    expect: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    within: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    significant: tuple[str, ...] = ()
    label: str = ""
    condition: str = ""

    @property
    def unpacks(self) -> bool:
        """Tell whether it takes an archive apart; its `arguments` are then those of `UNPACKED_AT_MOST`."""
        return self.tool == UNPACKING


@dataclass(frozen=True, slots=True)
class Left:
    """A derivative that is not made, and why; `tool` is the one that is switched off, where that is why."""

    kind: Kind
    outcome: Outcome
    message: str
    tool: str = ""


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: files that are alike share one
class Plan:
    """What is to be done for one file."""

    actions: tuple[Action, ...]
    left: tuple[Left, ...]


class _Deciding(NamedTuple):
    """What decides, beside its format, what a rule has made of a file: its properties, and its size."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> Self:
        """Return what decides for `rule`: everything that its parts' conditions look at."""
        parts = [part for kind in Kind for part in parts_of(rule, kind)]
        asked = [name for part in parts for key in ("only_where", "unless") for name in part.get(key, ())]
        sides = _SIDES if any("own_copy_up_to_side" in part for part in parts) else ()
        sizes = (part["own_copy_up_to_bytes"] for part in parts if "own_copy_up_to_bytes" in part)
        return cls(tuple(dict.fromkeys([*asked, *sides])), tuple(sizes))

    def of_file(self, entry: FileEntry) -> str:
        """Return what is the same of files for which the rule decides the same."""
        properties = entry.properties
        return (
            f"{[properties.get(name) for name in self.names]} {[entry.size <= each for each in self.sizes]}"
        )


class FormatPolicy:
    """The policy `data` (as ``schemas/format-policy.json``); raises Invalid where it contradicts itself.

    `version` names the rules that Holdfast comes with, `override` the digest of the home's own rules that
    were merged into them (empty where there are none).
    """

    def __init__(self, data: Mapping[str, Any], override: str = "") -> None:
        self.data = data
        self.version: str = data["version"]
        self.override = override
        self.outside = OutsideTools()
        self.files = 0
        self.limits = Limits(**data["limits"])
        self._rules: dict[str, Mapping[str, Any]] = {}
        for rule in data["rules"]:
            for puid in rule["puids"]:
                if puid in self._rules:
                    raise Invalid(f"The format policy has two rules for {puid}.", hint="Remove one of them.")
                self._rules[puid] = rule
        self._deciding = {puid: _Deciding.of(rule) for puid, rule in self._rules.items()}
        self.plans: dict[object, Plan] = {}
        self._unpacked = frozenset(
            puid for puid, rule in self._rules.items() if any(each.unpacks for each in self.actions(rule))
        )

    @property
    def name(self) -> str:
        """Return what a package says it was made under: the version, and the digest of the home's rules."""
        return f"{self.version}+{self.override[:12]}" if self.override else self.version

    def using(self, outside: OutsideTools, files: int = 0) -> Self:
        """Return the same policy for an archive that uses the tools of `outside` only.

        `files` is how many files the package has that it is for, where it is for one.
        """
        if (outside, files) == (self.outside, self.files):
            return self
        same = copy(self)
        same.outside, same.files, same.plans = outside, files, {}
        return same

    @property
    def tools(self) -> frozenset[str]:
        """The names of all tools that the policy asks for, to see before a run whether they are there."""
        return frozenset(action.tool for rule in self.data["rules"] for action in self.actions(rule))

    def rule(self, puid: str) -> Mapping[str, Any] | None:
        """Return the rule for a format."""
        return self._rules.get(puid)

    def actions(self, rule: Mapping[str, Any]) -> Iterator[Action]:
        """Yield everything that `rule` may want made."""
        for kind in Kind:
            for part in parts_of(rule, kind):
                if part.get("action") != "keep":
                    yield self._action(rule, kind, part)

    def plan(self, entry: FileEntry) -> Plan:
        """Say what to make of `entry`, from its PUID, size and (for images) width and height."""
        rule = self._rules.get(entry.puid or "")
        if rule is None or entry.size == 0:
            return _unruled(entry.puid)
        facts = entry.puid, self._deciding[entry.puid or ""].of_file(entry)
        plan = self.plans.get(facts)
        if plan is None:
            if len(self.plans) >= MOST_PLANS:
                self.plans.clear()
            plan = self.plans[facts] = self._planned(rule, entry)
        return plan

    def _planned(self, rule: Mapping[str, Any], entry: FileEntry) -> Plan:
        decided = [each for kind in Kind for each in self._decide(rule, kind, entry)]
        return Plan(
            tuple(each for each in decided if isinstance(each, Action)),
            tuple(each for each in decided if isinstance(each, Left)),
        )

    def unpacking(self, entry: FileEntry) -> Action | None:
        """Return how `entry` is to be taken apart; None for what is no archive, or is kept as it is."""
        if entry.puid not in self._unpacked:
            return None
        return next((each for each in self.plan(entry).actions if each.unpacks), None)

    def _decide(self, rule: Mapping[str, Any], kind: Kind, entry: FileEntry) -> Iterator[Action | Left]:
        parts = parts_of(rule, kind)
        if not parts:
            yield Left(kind, Outcome.NO_RULE, f"The policy makes no {kind} copy of {entry.puid}.")
        for part in parts:
            if part.get("action") == "keep":
                yield Left(kind, Outcome.SKIPPED, f"{entry.puid} is a preservation format already.")
            elif other := _other_than_wanted(part, entry):
                yield Left(kind, Outcome.SKIPPED, other)
            elif needless := _needs_none(part, entry):
                yield Left(kind, Outcome.SKIPPED, needless)
            elif self.files > (most := part.get("in_packages_up_to", self.files)):
                why = f"The policy makes them in packages of at most {most:,} files."
                yield Left(kind, Outcome.SKIPPED, why)
            elif _is_its_own(part, entry):
                why = f"The original is small enough to be its own {kind} copy."
                yield Left(kind, Outcome.SKIPPED, why)
            elif self.outside.is_off(part.get("tool", UNPACKING)):
                why = f"The tool {part['tool']} is {SWITCHED_OFF}."
                yield Left(kind, Outcome.SKIPPED, why, part["tool"])
            else:
                yield self._action(rule, kind, part)

    def _action(self, rule: Mapping[str, Any], kind: Kind, part: Mapping[str, Any]) -> Action:
        if part["action"] == "unpack":
            most = {name: part.get(name, usual) for name, usual in UNPACKED_AT_MOST.items()}
            return Action(rule["name"], kind, UNPACKING, "unpack", self.limits, most)
        of_rule = rule.get("significant", ())  # a picture of 256 pixels is not held to them
        return Action(
            rule=rule["name"],
            kind=kind,
            tool=part["tool"],
            recipe=part["recipe"],
            limits=replace(self.limits, **part["limits"]) if "limits" in part else self.limits,
            arguments=part.get("arguments", NOTHING),
            expect=tuple(part.get("expect", ())),
            checks=tuple(part.get("checks", ())),
            within=part.get("within", NOTHING),
            significant=tuple(part.get("significant", () if kind is Kind.THUMBNAIL else of_rule)),
            label=part.get("label", ""),
            condition=_condition(part),
        )


@lru_cache(1024)  # a package of very many files has few formats
def _unruled(puid: str | None) -> Plan:
    named = puid or "an unknown format"
    return Plan((), (Left(Kind.PRESERVATION, Outcome.NO_RULE, f"The policy has no rule for {named}."),))


def parts_of(rule: Mapping[str, Any], kind: Kind) -> list[Mapping[str, Any]]:
    """Return what a rule says of one kind: one part or a list of parts in the data."""
    part = rule.get(kind) or []
    return part if isinstance(part, list) else [part]


@cache
def default_policy() -> FormatPolicy:
    """Return the policy that Holdfast comes with."""
    return FormatPolicy(schemas.load("format-policy.json"))


def derivative_name(path: str, extension: str, label: str = "") -> str:
    """Return the name of a derivative of the original `path` within the tree of its kind.

    Each derivative has a folder named like its original: ``a/b.bmp`` becomes ``a/b.bmp/b.bmp.png``. As no
    original is also a folder, no derivative can meet another, whatever the originals are called. Several
    derivatives of one original and kind are told apart by their `label` (letters, digits, ``-``).
    """
    label = f"{label}." if label else ""
    return f"{path}/{path.rpartition('/')[2]}.{label}{extension}"


def member_name(path: str, member: str) -> str:
    """Return the name of a file of the archive `path` within the tree of its kind: ``a/b.zip/c/d.txt``.

    As the archive is a file, no original and no derivative of another lies below its name; and it has no
    derivatives of this kind but its members. An archive inside that is opened gives its name to a folder.
    """
    return f"{path}/{member}"


def _condition(part: Mapping[str, Any]) -> str:
    told = [_values("only where", part["only_where"])] if "only_where" in part else []
    if "unless" in part:
        told.append(_values("unless", part["unless"]))
    if "in_packages_up_to" in part:
        told.append(f"in packages of at most {part['in_packages_up_to']:,} files")
    return "; ".join(told)


def _values(word: str, wanted: Mapping[str, Any]) -> str:
    told = (f"{name} is {' or '.join(_spelt(each) for each in values)}" for name, values in wanted.items())
    return f"{word} {', '.join(told)}"


def _spelt(value: Any) -> str:
    return "not there" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _other_than_wanted(part: Mapping[str, Any], entry: FileEntry) -> str:
    """Say which property keeps `part` from being made of this file; nothing where none does."""
    for name, values in part.get("only_where", NOTHING).items():
        if (value := entry.properties.get(name)) not in values:
            return f"Its {name} is {value}." if value is not None else f"Its {name} is not known."
    return ""


def _needs_none(part: Mapping[str, Any], entry: FileEntry) -> str:
    """Say what makes `part` needless for this file; nothing where it is to be made."""
    spared = part.get("unless", NOTHING)
    if not spared or any(entry.properties.get(name) not in values for name, values in spared.items()):
        return ""
    told = ", ".join(f"{name} {entry.properties.get(name, 'none')}" for name in spared)
    return part.get("unless_message", "") or f"The original will do: {told}."


def _is_its_own(part: Mapping[str, Any], entry: FileEntry) -> bool:
    if entry.size <= part.get("own_copy_up_to_bytes", -1):
        return True
    sides = [entry.properties.get(name) for name in _SIDES]
    most = part.get("own_copy_up_to_side", -1)
    return all(isinstance(side, int) and side <= most for side in sides)
