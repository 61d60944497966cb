"""Ports of validation: what is asked about a file, what is answered, and what an adapter of a tool owes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from packages.xml_text import legal

if TYPE_CHECKING:
    from tools.runs import Ran
    from tools.sandbox import Sandbox

PROPERTY = "validity"
"""The property of a file, deposited or made of one, that says what a validator found."""
MOST_MESSAGES = 10
LONGEST_MESSAGE = 300


class Outcome(StrEnum):
    """What validation came to, for one file; closed."""

    VALID = "valid"
    WELL_FORMED = (
        "well-formed"  # its form can be read; whether it keeps to all rules was not judged, or is open
    )
    NOT_VALID = "not valid"
    UNCHECKED = "could not check"  # the tool crashed, was ended, needs a password, lacks a schema …


@dataclass(frozen=True, slots=True)
class Subject:
    """One file to be judged: its name in the package, where it lies, and its size in bytes."""

    path: str
    file: Path
    size: int


@dataclass(frozen=True, slots=True)
class Validity:
    """What a tool says of one file.

    `tool` is its name and version, `profile` what it was held to. `messages` are the first of what is wrong,
    or why it could not be checked; `more` is how many others there were.
    """

    outcome: Outcome
    tool: str
    profile: str | None = None
    messages: tuple[str, ...] = ()
    more: int = 0

    @classmethod
    def of(cls, outcome: Outcome, tool: str, profile: str | None, messages: Sequence[str]) -> "Validity":
        """Return a Validity that keeps the first `messages`, shortened to what people read."""
        kept = tuple(_told(each) for each in messages[:MOST_MESSAGES])
        return cls(outcome, tool, profile, kept, max(0, len(messages) - MOST_MESSAGES))

    def as_property(self) -> dict[str, Any]:
        """Return it as a value of the property ``validity``."""
        return {
            "outcome": self.outcome.value,
            "tool": self.tool,
            "profile": self.profile,
            "messages": list(self.messages),
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Installed:
    """A tool that is here: how it is called, what it is, what it needs to read, and its environment."""

    command: tuple[str, ...]
    version: str
    readable: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one start of a tool is asked: `modules` has the module of the table for each file.

    The files lie in the sandbox's folder ``in``, by these names. `profile` is that of the table.
    """

    modules: Mapping[str, str]
    profile: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the files."""
        return tuple(self.modules)


class Adapter(Protocol):
    """One validator of files, an outside program.

    `name` is the *tool* of the table, `title` what people call it, `batch` how many files one start may get,
    and `mixes` tells that these may be for several modules.
    `find` looks for the tool in the folder of Java tools and in PATH, and asks it nothing that takes long;
    None where it is absent. `judge` runs it once and returns what it said of each file that it got to, by
    name, and how the run ended. Never raises for what the tool does: what cannot be understood was not said.
    A file of several modules' batch that another module took for its own was not judged; it is asked about
    again, with those of its module alone.
    """

    name: str
    title: str
    batch: int
    mixes: bool

    def find(self, folder: Path | None) -> Installed | None:
        """Look for the tool."""
        ...

    def judge(
        self, installed: Installed, batch: Batch, sandbox: "Sandbox", readable: Sequence[Path]
    ) -> "tuple[Mapping[str, Validity], Ran]":
        """Judge the files of `batch`."""
        ...


def _told(text: str) -> str:
    """Return one line that XML and people can bear."""
    line = legal(" ".join(text.split()))
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"
