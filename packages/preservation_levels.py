"""The NDSA Levels of Digital Preservation (version 2.0): storage and integrity, computed, never claimed.

Each line of the two columns is met, not met, or *unseen* (only people can say it), with the fact that it
rests on and with what is missing. A level is reached when no line of it, or of one below, is unmet. Our words
for the lines are short; the matrix itself is at https://ndsa.org/publications/levels-of-digital-preservation/.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

from packages.wording import counted

HIGHEST = 4
COPIES = 3
"""Copies that the highest level asks for."""


class State(StrEnum):
    """How a line of the matrix stands; closed."""

    MET = "met"
    UNMET = "unmet"
    UNSEEN = "unseen"
    """Nothing that an archive's software could see: a person has to say it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the matrix; `fact` is what it rests on, `missing` what would meet it."""

    level: int
    says: str
    state: State
    fact: str
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the matrix with the level that is reached, 0 to 4."""

    name: str
    level: int
    lines: Sequence[Line]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "level": self.level, "lines": [asdict(each) for each in self.lines]}


@dataclass(frozen=True, slots=True)
class Holding:
    """One store as the levels see it: what is declared of it, and whether every package is there.

    Stores on one `device` (a disk, a bucket) are lost together, so they count as one. A copy that is known
    to be damaged, or that is still to be made, leaves the store incomplete.
    """

    name: str
    device: str
    is_complete: bool
    place: str = ""
    medium: str = ""
    operator: str = ""
    disaster: str = ""
    replace_by: str = ""


@dataclass(frozen=True, slots=True)
class Care:
    """What is done for the integrity of what is kept; `today` is YYYY-MM-DD.

    Each copy is to be read back every `interval_days`; `overdue` names the stores with a copy that was not.
    """

    packages: int
    copies: int
    never_read: int
    damaged: int
    oldest: str | None
    interval_days: int
    overdue: Sequence[str]
    scans: bool
    unscanned: int
    today: str


def levels(stores: Sequence[Holding], care: Care) -> tuple[Column, Column]:
    """Return the columns *storage* and *integrity*."""
    return _column("storage", _storage(stores, care)), _column("integrity", _integrity(stores, care))


def _column(name: str, lines: Iterable[Line]) -> Column:
    found = tuple(lines)
    unmet = [each.level for each in found if each.state is State.UNMET]
    return Column(name, min(unmet, default=HIGHEST + 1) - 1, found)


def _line(level: int, says: str, fact: str, missing: str) -> Line:
    """Return a line that is met unless something is missing."""
    return Line(level, says, State.UNMET if missing else State.MET, fact, missing)


def _storage(stores: Sequence[Holding], care: Care) -> Iterable[Line]:
    whole = _apart([each for each in stores if each.is_complete]) if care.packages else []
    places = _distinct(whole, lambda each: each.place)
    copies = f"{_copies(whole)}, in {_named(places, 'no named place')}"
    yield _line(1, "two complete copies in separate locations", copies, _lacking(stores, whole, places, 2))
    yield _declared(1, "all storage media are documented", stores, "medium")
    yield _line(
        1,
        "content is in stable storage",
        "a package is archived only when its required copies were synced and read back",
        "" if care.packages else "nothing is kept yet",
    )
    yield _line(
        2,
        "three complete copies, one of them in another geographic location",
        copies,
        _lacking(stores, whole, places, 3),
    )
    yield _declared(2, "what storage and media need is documented", stores, "operator", "medium")
    disasters = _distinct(whole, lambda each: each.disaster)
    threats = f"threatened by {_named(disasters, 'nothing that was named')}"
    yield _line(
        3,
        "one copy in a place with another disaster threat",
        threats,
        _undeclared(stores, "disaster") or _few(disasters, 2, "disasters that would take a copy each"),
    )
    media = _distinct(whole, lambda each: each.medium)
    yield _line(
        3,
        "one copy on another type of medium",
        f"on {_named(media, 'no named medium')}",
        _undeclared(stores, "medium") or _few(media, 2, "types of medium"),
    )
    yield _declared(3, "obsolescence of media is tracked", stores, "replace_by")
    apart = _far_apart(whole)
    yield _line(
        4,
        "three copies, each with a disaster threat of its own",
        f"{copies}; {threats}",
        "" if apart >= 3 else f"{3 - apart} more complete in a place with a threat of its own",
    )
    yield _diverse(whole)
    late = [each.name for each in stores if each.replace_by and each.replace_by < care.today]
    yield _line(
        4,
        "media are replaced in time",
        _named([f"{each.name} by {each.replace_by}" for each in stores if each.replace_by], "no date is set"),
        f"overdue: {', '.join(late)}" if late else _undeclared(stores, "replace_by"),
    )


def _integrity(stores: Sequence[Holding], care: Care) -> Iterable[Line]:
    whole = _apart([each for each in stores if each.is_complete])
    yield _line(1, "supplied digests are verified", "every submission, in the step validate", "")
    yield _line(1, "digests are made where none came", "SHA-512 of every file, as it is received", "")
    yield _line(
        1,
        "all content is checked for viruses",
        _scanned(care),
        "set HOLDFAST_CLAMD" if not care.scans else f"{care.unscanned} not scanned" if care.unscanned else "",
    )
    yield _line(
        2,
        "digests are verified when content is moved or copied",
        f"{care.copies - care.never_read:,} of {care.copies:,} copies were read back since they were made",
        f"to read back: {counted(care.never_read, 'copy', 'copies')}" if care.never_read else _kept(care),
    )
    yield Line(
        2,
        "write-blockers are used with original media",
        State.UNSEEN,
        "happens before a deposit: a person has to say",
    )
    yield _line(
        2,
        "digests are backed up apart from the content",
        f"manifests and inventories are in each copy: {_copies(whole)}",
        "" if len(whole) > 1 else "a second complete copy on another device",
    )
    yield _line(3, "digests are verified at fixed intervals", _interval(care), _late(care))
    yield _line(
        3,
        "verification and its outcomes are documented",
        "each reading back is a PREMIS event, kept in the stores",
        _kept(care),
    )
    yield _line(3, "verification on demand", "holdfast audit", "")
    yield _line(
        4,
        "digests are verified in response to events",
        "after ingest, update, replication and repair, and on the way out of an export",
        _kept(care),
    )
    yield _line(
        4,
        "damaged content is repaired",
        f"damaged now: {counted(care.damaged, 'copy', 'copies')}",
        f"holdfast repair: {counted(care.damaged, 'copy', 'copies')}" if care.damaged else _kept(care),
    )


def _apart(stores: Iterable[Holding]) -> list[Holding]:
    """Return the first store of each device: the others are lost with it."""
    found: dict[str, Holding] = {}
    for each in stores:
        found.setdefault(each.device, each)
    return list(found.values())


def _far_apart(stores: Sequence[Holding]) -> int:
    """Return how many stores, up to three, have each a place and a disaster threat of their own."""
    placed = [each for each in stores if each.place and each.disaster]
    for number in (COPIES, 2):
        for some in combinations(placed, number):
            named = (_distinct(some, lambda each: each.place), _distinct(some, lambda each: each.disaster))
            if all(len(values) == number for values in named):
                return number
    return min(len(placed), 1)


def _copies(whole: Sequence[Holding]) -> str:
    return f"{counted(len(whole), 'complete copy', 'complete copies')} on separate devices"


def _distinct(stores: Iterable[Holding], fact: Callable[[Holding], str]) -> list[str]:
    """Return the different values of a fact, in their first spelling; case and spaces make no difference."""
    found: dict[str, str] = {}
    for each in stores:
        if value := fact(each).strip():
            found.setdefault(value.casefold(), value)
    return list(found.values())


def _lacking(stores: Sequence[Holding], whole: Sequence[Holding], places: Sequence[str], wanted: int) -> str:
    if len(whole) < wanted:
        return f"{wanted - len(whole)} more complete on a device of its own"
    return _undeclared(stores, "place") or _few(places, 2, "different places")


def _diverse(whole: Sequence[Holding]) -> Line:
    """Return the line that asks for no single point of failure."""
    facts = {
        "operator": _distinct(whole, lambda each: each.operator),
        "medium": _distinct(whole, lambda each: each.medium),
        "place": _distinct(whole, lambda each: each.place),
    }
    single = [name for name, values in facts.items() if len(values) < 2]  # one is a single point
    return _line(
        4,
        "no single point of failure",
        "; ".join(f"{name}: {_named(values, 'not named')}" for name, values in facts.items()),
        f"a second {' and a second '.join(single)}" if single else "",
    )


def _declared(level: int, says: str, stores: Sequence[Holding], *facts: str) -> Line:
    told = [
        f"{each.name}: {', '.join(str(getattr(each, fact) or 'not said') for fact in facts)}"
        for each in stores
    ]
    missing = "; ".join(filter(None, (_undeclared(stores, fact) for fact in facts)))
    return _line(level, says, "; ".join(told) or "there is no store", missing)


def _undeclared(stores: Sequence[Holding], fact: str) -> str:
    names = [each.name for each in stores if not getattr(each, fact).strip()]
    return f"{fact} of {', '.join(names)}" if names else ""


def _few(values: Sequence[str], wanted: int, what: str) -> str:
    return "" if len(values) >= wanted else f"{wanted} {what}, there is {_named(values, 'none')}"


def _named(values: Sequence[str], none: str) -> str:
    return ", ".join(values) or none


def _kept(care: Care) -> str:
    return "" if care.packages else "nothing is kept yet"


def _scanned(care: Care) -> str:
    if not care.scans:
        return "no virus scanner is configured"
    return f"{care.packages - care.unscanned:,} of {care.packages:,} packages were scanned and clean"


def _interval(care: Care) -> str:
    longest = (care.oldest or "no day")[:10]
    return f"every {care.interval_days} days; the copy longest unread was read back on {longest}"


def _late(care: Care) -> str:
    if care.oldest is None or care.never_read:
        return _kept(care) or "an audit of every copy"
    return f"an audit of {', '.join(care.overdue)}" if care.overdue else ""
