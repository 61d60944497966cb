"""The formats that the archive holds: how many files of each, where, and what the policy does for them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from packages.format_policy import FormatPolicy, Kind, parts_of
from packages.ledger import Package, PackageFilter
from packages.model import Actor, FormatCount
from services.administration.people import require_archivist
from services.archive import Archive
from services.preservation_planning.policy import format_policy
from storage.catalogue.paging import PAGE, packages_of

NAMED = 20
"""Packages that are named with a format, unless it was asked for by itself."""


class Standing(StrEnum):
    """What stands between a format and its loss, the riskiest first; closed."""

    UNKNOWN = "unknown"  # nobody can say what these files are
    NO_RULE = "no_rule"  # the policy has nothing done
    LOOKED_AT = "looked_at"  # only copies to look at are made
    CONVERTED = "converted"  # a preservation copy is made beside the original, or it is unpacked
    KEPT = "kept"  # it is a preservation format


@dataclass(slots=True)
class Held:
    """One format: how many original files of the newest versions have it, in how many packages.

    `where` lists packages with their numbers of files, at most `NAMED` unless the format was asked for.
    `condition` says, for people, of which of the files the rule has a preservation copy made; empty: of all.
    """

    puid: str | None
    name: str
    standing: Standing
    rule: str
    condition: str = ""
    files: int = 0
    packages: int = 0
    where: list[tuple[str, int]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "puid": self.puid,
            "format": self.name,
            "standing": str(self.standing),
            "rule": self.rule or None,
            "condition": self.condition,
            "files": self.files,
            "packages": self.packages,
            "where": [{"package": package, "files": files} for package, files in self.where],
        }


def held_formats(archive: Archive, actor: Actor, puids: Iterable[str] = ()) -> list[Held]:
    """Return the formats of the originals in the newest version of every package that is kept.

    The riskiest first, then those with most files; with `puids` only these (``unknown`` for files that were
    not identified), and every package of each. Raises Refused for others than archivists.
    """
    require_archivist(actor, "list the formats that the archive holds")
    policy = format_policy(archive.home)
    wanted = set(puids)
    found: dict[str | None, Held] = {}
    for package, puid, name, files in _by_puid(archive):
        if wanted and (puid or "unknown") not in wanted:
            continue
        if puid not in found:
            found[puid] = Held(puid, name or "", *_standing(policy, puid))
        held = found[puid]
        held.files += files
        held.packages += 1
        if wanted or len(held.where) < NAMED:
            held.where.append((package, files))
    order = list(Standing)
    return sorted(found.values(), key=lambda each: (order.index(each.standing), -each.files, each.puid or ""))


def formats_by_package(archive: Archive) -> Iterator[tuple[Package, list[FormatCount]]]:
    """Yield each package that is kept with the formats of its originals: a query for a page of them."""
    kept = packages_of(archive.catalogue, PackageFilter(kept=True))
    while page := list(islice(kept, PAGE)):
        with archive.catalogue.read() as view:
            counts = view.format_counts({each.id: each.version for each in page if each.version})
        yield from ((each, counts[each.id]) for each in page if each.version)


def _by_puid(archive: Archive) -> Iterator[tuple[str, str | None, str | None, int]]:
    """Yield package, PUID, format and number of files; each PUID once, for it may have several MIME types."""
    for package, counts in formats_by_package(archive):
        files: Counter[str | None] = Counter()
        names: dict[str | None, str | None] = {}
        for each in counts:
            files[each.puid] += each.files
            names.setdefault(each.puid, each.name)
        yield from ((package.id, puid, names[puid], number) for puid, number in files.items())


def _standing(policy: FormatPolicy, puid: str | None) -> tuple[Standing, str, str]:
    """Return how a format stands, the rule's name, and of which of its files a copy is made."""
    if puid is None:
        return Standing.UNKNOWN, "", ""
    rule = policy.rule(puid)
    if rule is None:
        return Standing.NO_RULE, "", ""
    actions = {part["action"] for part in parts_of(rule, Kind.PRESERVATION)}
    if actions & {"make", "unpack"}:
        conditions = [each.condition for each in policy.actions(rule) if each.kind is Kind.PRESERVATION]
        return Standing.CONVERTED, rule["name"], "" if "" in conditions else "; ".join(conditions)
    if actions:
        return Standing.KEPT, rule["name"], ""
    is_shown = any(parts_of(rule, kind) for kind in (Kind.ACCESS, Kind.THUMBNAIL))
    return (Standing.LOOKED_AT if is_shown else Standing.NO_RULE), rule["name"], ""
