"""Who may read what: one rule, as data, for the check of one package and for the filter of a search.

A rule is a small tree over the *access facts* of a package (`access_facts`). `matches` evaluates it here; a
search backend translates the same tree into its own language. So the two cannot drift apart, and a
property test holds them together.

What the rule says:

- archivists (and administrators) read everything, and they alone read an AIP;
- an owner reads the metadata and the files of what is theirs, in every state;
- everybody else reads what is *published* (or partly deleted), and there only what is open, or whose
  embargo is over. An embargo without a date, or with one that cannot be read, is never over;
- files are never more open than the metadata they belong to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias, assert_never

from packages.model import ANONYMOUS, Access, Actor, Openness

Fact: TypeAlias = Literal["owner", "state", "metadata", "metadata_until", "files", "files_until"]

VISIBLE_STATES = ("published",)
"""States in which a package is shown to people who neither own nor keep it."""

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The fact is one of `values`; an absent fact never is, and no values means never."""

    fact: Fact
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAfter:
    """The fact is present and not after `value`, compared as text (ISO dates)."""

    fact: Fact
    value: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; no parts means always."""

    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; no parts means never."""

    parts: tuple["Rule", ...]


Rule: TypeAlias = OneOf | NotAfter | AllOf | AnyOf

EVERYTHING: Rule = AllOf(())
NOTHING: Rule = AnyOf(())


def today() -> str:
    """Return the present date in UTC as embargoes are compared with it (``2031-01-01``)."""
    return datetime.now(UTC).date().isoformat()


def access_facts(owner: str, access: Access, state: str) -> dict[Fact, str | None]:
    """Return what a rule can ask about a package, in the form that search documents carry it.

    A date that is not an ISO calendar date becomes None, so that a mistake keeps closed, never opens.
    """
    return {
        "owner": owner,
        "state": state,
        "metadata": access.metadata.value,
        "metadata_until": _calendar_date(access.metadata_until),
        "files": access.files.value,
        "files_until": _calendar_date(access.files_until),
    }


def metadata_rule(actor: Actor, today: str) -> Rule:
    """Return the rule for reading descriptions: title, record, names and formats of files.

    `today` is an ISO date; see `today()`. This is the filter that every search gets.
    """
    if actor.is_archivist:
        return EVERYTHING
    public = AllOf((OneOf("state", VISIBLE_STATES), _open("metadata", "metadata_until", today)))
    return _owned_or(actor, public)


def files_rule(actor: Actor, today: str) -> Rule:
    """Return the rule for reading files and the DIP; it implies `metadata_rule`."""
    if actor.is_archivist:
        return EVERYTHING
    public = AllOf(
        (
            OneOf("state", VISIBLE_STATES),
            _open("metadata", "metadata_until", today),
            _open("files", "files_until", today),
        )
    )
    return _owned_or(actor, public)


def aip_rule(actor: Actor) -> Rule:
    """Return the rule for reading an AIP: archivists only, whatever the access of its parts."""
    return EVERYTHING if actor.is_archivist else NOTHING


def matches(rule: Rule, facts: Mapping[Fact, str | None]) -> bool:
    """Tell whether `rule` holds for `facts`; an absent fact satisfies no comparison."""
    match rule:
        case OneOf(fact, values):
            return facts.get(fact) in values
        case NotAfter(fact, value):
            found = facts.get(fact)
            return found is not None and found <= value
        case AllOf(parts):
            return all(matches(part, facts) for part in parts)
        case AnyOf(parts):
            return any(matches(part, facts) for part in parts)
        case _:
            assert_never(rule)


def may_read_metadata(actor: Actor, owner: str, access: Access, today: str, *, state: str) -> bool:
    """Tell whether `actor` may read the description of a package that is in `state`.

    Where it is False the package is to be *not found* for the actor, not refused: that it exists is part
    of its description.
    """
    return matches(metadata_rule(actor, today), access_facts(owner, access, state))


def may_read_files(actor: Actor, owner: str, access: Access, today: str, *, state: str) -> bool:
    """Tell whether `actor` may read the files of a package, singly or as a DIP."""
    return matches(files_rule(actor, today), access_facts(owner, access, state))


def may_read_aip(actor: Actor) -> bool:
    """Tell whether `actor` may read AIPs."""
    return matches(aip_rule(actor), {})


def stricter(one: Access, other: Access) -> Access:
    """Return the access that opens nothing which one of the two keeps closed, or closes for longer."""
    metadata = _later((one.metadata, one.metadata_until), (other.metadata, other.metadata_until))
    files = _later((one.files, one.files_until), (other.files, other.files_until))
    return Access(metadata[0], files[0], metadata[1], files[1])


def _later(*said: tuple[Openness, str | None]) -> tuple[Openness, str | None]:
    order = (Openness.OPEN, Openness.EMBARGOED, Openness.RESTRICTED)
    return max(said, key=lambda each: (order.index(each[0]), _calendar_date(each[1]) or "9999-12-31"))


def _owned_or(actor: Actor, public: Rule) -> Rule:
    # Nobody is the owner by not having signed in, even if a package's owner should be called so.
    if actor.id == ANONYMOUS.id:
        return public
    return AnyOf((OneOf("owner", (actor.id,)), public))


def _open(fact: Fact, until: Fact, today: str) -> Rule:
    return AnyOf(
        (
            OneOf(fact, (Openness.OPEN.value,)),
            AllOf((OneOf(fact, (Openness.EMBARGOED.value,)), NotAfter(until, today))),
        )
    )


def _calendar_date(text: str | None) -> str | None:
    if text is None or not _ISO_DATE.fullmatch(text):
        return None
    try:
        date.fromisoformat(text)
    except ValueError:
        return None
    return text
