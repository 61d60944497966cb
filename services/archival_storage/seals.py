"""Seals: what was archived is noted apart from it, link by link, so that rewriting it does not go unseen.

The chain's newest digest is one line that an auditor can take to the outside: see docs/decisions/0018.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from packages.errors import Corrupt, HoldfastError, Invalid, NotFound, Recalling, Refused, Unavailable
from packages.model import Actor
from services.administration.people import require_archivist
from services.archival_storage.evidence import append, number_of, object_of, read_part
from services.archive import Archive
from storage.audits import THE_STORE, Link
from storage.ports import ArchivalStore, ObjectReport, Problem, Sealed, Verdict

LINKS_CHECKED = 200
"""Links, the newest ones, that each audit of a store reads back."""
WORD = "holdfast-seal"
_LINE = re.compile(
    WORD + r" (?P<archive>[0-9a-f-]{36}) (?P<number>[0-9]{1,18}) (?P<at>\S+) sha512:(?P<digest>[0-9a-f]{128})"
)


@dataclass(frozen=True, slots=True)
class Seal:
    """The newest link of an archive's chain of evidence, which stands for everything before it."""

    archive_id: str
    link: Link

    def line(self) -> str:
        """Return it as one line, for outside."""
        return f"{WORD} {self.archive_id} {self.link.number} {self.link.at} sha512:{self.link.digest}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What checking a seal in one store showed: how many links fit each other, and what does not."""

    store: str
    links: int
    problems: tuple[str, ...]


def seal(archive: Archive, actor: Actor) -> Seal:
    """Seal every version that is not sealed yet, and return the head of the chain.

    Raises NotFound for an archive that has nothing to seal, Unavailable when no store takes the link.
    """
    require_archivist(actor, "seal")
    seal_new(archive, actor)
    with archive.catalogue.read() as view:
        last = view.last_link()
    if last is None:
        raise NotFound("nothing is archived yet: there is nothing to seal")
    return Seal(archive.archive_id, last)


def seal_new(archive: Archive, actor: Actor) -> None:
    """Seal every version that is not sealed yet; nothing is written where there is none."""
    while True:
        with archive.catalogue.read() as view:
            if not view.roots_unsealed(1):
                return
        append(archive, actor, None, ())


def parse_seal(text: str) -> Seal:
    """Read a line that `Seal.line` made. Raises Invalid for anything else."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise Invalid("this is no seal", hint=f"a seal is one line: {WORD} ARCHIVE NUMBER TIME sha512:DIGEST")
    return Seal(found["archive"], Link(int(found["number"]), found["digest"], found["at"]))


def check_seal(archive: Archive, actor: Actor, held: Seal) -> list[Proof]:
    """Walk the whole chain in each store, without believing the catalogue, and hold it against a seal.

    Raises Invalid for the seal of another archive.
    """
    require_archivist(actor, "check a seal")
    if held.archive_id != archive.archive_id:
        raise Invalid(f"this is a seal of the archive {held.archive_id}, not of {archive.archive_id}")
    return [_proof(archive, store, held.link) for store in archive.stores.values()]


def check_store(
    archive: Archive, store: ArchivalStore, tell: Callable[[str], None] = lambda _told: None
) -> ObjectReport:
    """Look at a storage root itself, and read the newest links of the chain of evidence back.

    A link that is not there, as the store was away or is new, is brought from another one, which `tell` is
    told; a store that may not be written to need not have it. Raises Unavailable or Refused where the store
    cannot be used.
    """
    problems = list(store.inspect(archive.archive_id))
    intact = octets = 0
    with archive.catalogue.read() as view:
        last = view.last_link()
        newest = last.number if last else 0
        links = [view.link(number) for number in range(max(1, newest - LINKS_CHECKED + 1), newest + 1)]
    for link in links:
        if link is None:
            continue
        found = _read_link(archive, store, link, tell)
        if found is None:
            continue
        intact += found.intact
        octets += found.bytes
        problems += [
            Problem(f"{found.object_id}/{each.path}".rstrip("/"), each.verdict, each.expected, each.found)
            for each in found.problems
        ]
    counts = {verdict: sum(each.verdict is verdict for each in problems) for verdict in Verdict}
    return ObjectReport(
        object_id=THE_STORE,
        store=store.name,
        intact=intact,
        corrupt=counts[Verdict.CORRUPT],
        missing=counts[Verdict.MISSING],
        extra=counts[Verdict.EXTRA],
        unchecked=counts[Verdict.UNCHECKED],
        bytes=octets,
        problems=tuple(problems),
    )


def number_in(path: str) -> int | None:
    """Return the number of the link that a problem of a store is about; None for the root's own files."""
    return number_of(path.partition("/")[0])


def _read_link(
    archive: Archive, store: ArchivalStore, link: Link, tell: Callable[[str], None]
) -> ObjectReport | None:
    """Read one link back; None for one that a later audit reads, or that the store need not have."""
    object_id, sealed = object_of(link.number), Sealed({1: link.digest})
    try:
        try:
            return store.verify(object_id, sealed=sealed)
        except NotFound as error:
            missing = error.message
        if _bring_up(archive, store, object_id):
            tell(f"{store.name}: link {link.number} of the evidence was not there, and was brought up")
            return store.verify(object_id, sealed=sealed)
        problem = Problem("", Verdict.MISSING, f"sha512:{link.digest}", missing)
        return ObjectReport(object_id, store.name, 0, 0, 1, 0, 0, 0, (problem,))
    except (Recalling, Refused):  # it was asked for, or the store may not be written to
        return None
    except Unavailable as error:
        problem = Problem("", Verdict.UNCHECKED, f"sha512:{link.digest}", error.message)
        return ObjectReport(object_id, store.name, 0, 0, 0, 0, 1, 0, (problem,))


def _bring_up(archive: Archive, store: ArchivalStore, object_id: str) -> bool:
    """Bring a link from another store; False when none can give it. Raises Refused."""
    for source in archive.stores.values():
        if source is store:
            continue
        try:
            store.replicate(source, object_id)
        except Refused:
            store.check(archive.archive_id)  # raises when it is this store that may not be written to
            continue
        except (NotFound, Unavailable, Corrupt):
            continue
        return True
    return False


def _proof(archive: Archive, store: ArchivalStore, held: Link) -> Proof:
    links = 0
    problems = []
    try:
        store.check(archive.archive_id)
        for number, told in _walk(store, held):
            links += told is None
            if told is not None:
                problems.append(f"link {number}: {told}")
    except HoldfastError as error:
        problems.append(error.message)
    return Proof(store.name, links, tuple(problems))


def _walk(store: ArchivalStore, held: Link) -> Iterator[tuple[int, str | None]]:
    """Yield each link's number with what is wrong about it, or None; the last one is the newest there is."""
    number, before = 1, None
    while True:
        try:
            part, digest = read_part(store, number)
        except NotFound:
            if number > held.number:
                return
            yield number, "it is missing"
            before = None
        except Corrupt as error:
            yield number, error.message
            before = None
        else:
            is_broken = before is not None and part.heading.former != before
            if part.heading.number != number or is_broken or (number == 1 and part.heading.former):
                yield number, "it does not name the link before it"
            elif number == held.number and digest != held.digest:
                yield number, "it is not what the seal says: something before the seal was rewritten"
            else:
                yield number, None
            before = digest
        number += 1
