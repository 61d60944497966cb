"""The query language: what a person types into the search box, parsed once for every backend."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Everything:
    """Finds every document."""


@dataclass(frozen=True, slots=True)
class Words:
    """Finds documents where the terms of `text` stand side by side, in one value of the field.

    A single word is the usual case; a phrase, or a word that analysis splits (``e-mail``), has several
    terms. `field` None means any text field, or an identifier that equals `text`. With `prefix` the last
    term may go on.
    """

    field: str | None
    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Finds documents whose year or date lies within both bounds, inclusive; None is open."""

    field: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Not:
    """Finds what `part` does not."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """Finds what all parts find."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Finds what any part finds."""

    parts: tuple["Node", ...]


Node: TypeAlias = Everything | Words | Between | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; `text` is what was typed."""

    text: str
    root: Node


def parse(text: str) -> Query:
    """Parse `text`; raises Invalid with the position and a hint for what cannot be understood."""
    raise NotImplementedError(text)
