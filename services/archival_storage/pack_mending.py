"""A pack that no store has whole, put together again from the members that one store or another still has."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import BinaryIO, cast

from packages.errors import Corrupt, HoldfastError
from packages.model import FileEntry, Role
from packages.packing import write_pack
from services.archive import Archive
from storage.ports import ArchivalStore, ObjectReport

Place = tuple[str, int]
"""Where the bytes of a file are: a content path, and where they begin in it."""


def joined(
    archive: Archive,
    package_id: str,
    report: ObjectReport,
    source: ArchivalStore,
    stores: Sequence[ArchivalStore],
) -> ArchivalStore | None:
    """Return `source` with the packs that `report` calls bad put together; None where it names no pack."""
    bad = {each.path for each in report.problems}
    packs: dict[str, list[FileEntry]] = {}
    with archive.catalogue.read() as view:
        numbers = [each.number for each in view.versions(package_id)]
        for number in numbers:  # a pack holds what it was made with: its members stand in that version
            here = {path for path in bad if path.startswith(f"v{number}/")}
            for each in view.iter_files(package_id, number) if here else ():
                if each.packed_offset is not None and each.location in here:
                    packs.setdefault(each.location, []).append(each)
        if not packs:
            return None
        places: dict[str, set[Place]] = {each.sha512: set() for members in packs.values() for each in members}
        for number in numbers:
            for each in view.iter_files(package_id, number):
                if each.sha512 in places and each.role is not Role.PACK:
                    places[each.sha512].add((each.location, each.packed_offset or 0))
    return cast("ArchivalStore", _Joined(source, stores, packs, places))


class _Joined:
    """A store to mend from: what it gives of a pack is compared by whoever asked, as with any store."""

    def __init__(
        self,
        source: ArchivalStore,
        stores: Sequence[ArchivalStore],
        packs: Mapping[str, list[FileEntry]],
        places: Mapping[str, set[Place]],
    ) -> None:
        self._source, self._stores, self._packs, self._places = source, stores, packs, places

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    @property
    def name(self) -> str:
        return " and ".join(sorted(each.name for each in self._stores))

    def open(self, object_id: str, location: str) -> BinaryIO:
        """Return a pack made anew, or what the source has. Raises Corrupt for a member that nobody has."""
        if location not in self._packs:
            return self._source.open(object_id, location)
        made = tempfile.TemporaryFile()  # noqa: SIM115  # whoever asked closes it
        try:
            members = sorted(self._packs[location], key=lambda each: each.packed_offset or 0)
            write_pack(members, lambda each: self._read(object_id, each), made.write)
        except BaseException:
            made.close()
            raise
        made.seek(0)
        return cast("BinaryIO", made)

    def _read(self, object_id: str, member: FileEntry) -> bytes:
        for store in self._stores:
            for location, begin in sorted(self._places[member.sha512]):
                try:
                    with store.open(object_id, location) as stream:
                        stream.seek(begin)
                        data = stream.read(member.size)
                except (HoldfastError, OSError):
                    continue
                if hashlib.sha512(data).hexdigest() == member.sha512:
                    return data
        raise Corrupt(f"no store has {member.path} intact")
