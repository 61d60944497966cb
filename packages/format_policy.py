"""The format policy: what is made of a file, decided from data by its PUID.

The rules are in ``schemas/format-policy.json``; this module reads them and says, without touching a file,
what is to be done and why the rest is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import schemas
from packages.errors import Invalid
from packages.model import FileEntry


class Kind(StrEnum):
    """What a derivative is for; each kind has a tree of its own."""

    PRESERVATION = "preservation"
    ACCESS = "access"
    THUMBNAIL = "thumbnail"


class Outcome(StrEnum):
    """What became of one derivative of one file; closed."""

    DONE = "done"
    NO_RULE = "no_rule"  # the policy says nothing about the format
    SKIPPED = "skipped"  # the policy says that the original will do
    TOOL_MISSING = "tool_missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """One derivative to be made: `format` is png-or-tiff or jpeg, `max_side` the most pixels of a side."""

    kind: Kind
    tool: str
    format: str
    max_side: int | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """A derivative that is not made, and why."""

    kind: Kind
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one conversion may take: pixels of a frame, frames, and output against input size (bytes)."""

    max_pixels: int
    max_frames: int
    output_ratio: int
    output_floor_bytes: int

    def largest_output(self, size: int) -> int:
        """Return how many bytes may be made of a file of `size` bytes."""
        return max(self.output_floor_bytes, self.output_ratio * size)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one file."""

    tasks: tuple[Task, ...]
    left: tuple[Left, ...]


class FormatPolicy:
    """The policy `data` (as ``schemas/format-policy.json``); raises Invalid where it contradicts itself."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.version: str = data["version"]
        self.limits = Limits(**data["limits"])
        self._rules: dict[str, Mapping[str, Any]] = {}
        for rule in data["rules"]:
            for puid in rule["puids"]:
                if puid in self._rules:
                    raise Invalid(f"The format policy has two rules for {puid}.", hint="Remove one of them.")
                self._rules[puid] = rule

    @property
    def tools(self) -> frozenset[str]:
        """The names of all tools that the policy asks for, to see before a run whether they are there."""
        parts = (rule.get(kind, {}) for rule in self._rules.values() for kind in Kind)
        return frozenset(part["tool"] for part in parts if "tool" in part)

    def plan(self, entry: FileEntry) -> Plan:
        """Say what to make of `entry`, from its PUID, size and (for images) width and height."""
        rule = self._rules.get(entry.puid or "")
        if rule is None or entry.size == 0:
            named = entry.puid or "an unknown format"
            return Plan(
                (), (Left(Kind.PRESERVATION, Outcome.NO_RULE, f"The policy has no rule for {named}."),)
            )
        decided = [_decide(kind, rule.get(kind), entry) for kind in Kind]
        return Plan(
            tuple(each for each in decided if isinstance(each, Task)),
            tuple(each for each in decided if isinstance(each, Left)),
        )


@cache
def default_policy() -> FormatPolicy:
    """Return the policy that Holdfast comes with."""
    return FormatPolicy(schemas.load("format-policy.json"))


def derivative_name(path: str, extension: str) -> str:
    """Return the name of a derivative of the original `path` within the tree of its kind.

    Each derivative has a folder named like its original: ``a/b.bmp`` becomes ``a/b.bmp/b.bmp.png``. As no
    original is also a folder, no derivative can meet another, whatever the originals are called.
    """
    return f"{path}/{path.rpartition('/')[2]}.{extension}"


def _decide(kind: Kind, part: Mapping[str, Any] | None, entry: FileEntry) -> Task | Left:
    if part is None:
        return Left(kind, Outcome.NO_RULE, f"The policy makes no {kind} copy of {entry.puid}.")
    if part.get("action") == "keep":
        return Left(kind, Outcome.SKIPPED, f"{entry.puid} is a preservation format already.")
    if _is_its_own(part, entry):
        return Left(kind, Outcome.SKIPPED, f"The original is small enough to be its own {kind} copy.")
    return Task(kind, part["tool"], part["format"], part.get("max_side"))


def _is_its_own(part: Mapping[str, Any], entry: FileEntry) -> bool:
    if entry.size <= part.get("own_copy_up_to_bytes", -1):
        return True
    sides = (entry.properties.get("width"), entry.properties.get("height"))
    most = part.get("own_copy_up_to_side", -1)
    return all(isinstance(side, int) and side <= most for side in sides)
