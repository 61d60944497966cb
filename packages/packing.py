"""Packing: very many small files of one package become a few ZIPs, the same on every store.

An object store takes a few hundred new objects a second, whoever asks; so a payload with many small files is
kept as ``data/packed/NNNN.zip``: members stored as they are, in the order of the manifest, each under its
full name in the bag. ``unzip`` in the bag's folder brings the loose files back, and
``metadata/packed/NNNN.sha512`` lists their digests for ``sha512sum -c``. See docs/decisions/0023.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from packages.errors import Corrupt
from packages.model import PACKS, FileEntry, Role, evolved
from packages.zip_stream import ZipWriter

LISTS = "metadata/packed/"
README_NAME = "metadata/packed/README.txt"
NUMBERED = re.compile(rf"{PACKS}([0-9]{{4,}})\.zip")
_KINDS = frozenset({Role.ORIGINAL, Role.PRESERVATION})
# Control characters and backslashes are dropped or turned by some that unpack; a longer part fits no disk.
_TURNED = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029]")
_SEGMENT, _NAME = 255, 4000

README = """\
This package has very many small files. Each file of less than {small:,} bytes is a member of one of the ZIP
archives in data/packed/, because it came together with at least {many:,} such files. Members are stored, not
compressed, in the order in which they came; each has its full name in this bag. An archive has at most
{pack_bytes:,} bytes of content (one member more where that is larger) and {pack_members:,} members.
Larger files, and those whose names not every program unpacks as they are, lie in data/ as files.

To have all of them as files: unpack every ZIP of data/packed/ in the folder where bagit.txt is, in a locale
with UTF-8. To see that all are as they were archived:

    for each in data/packed/*.zip; do unzip -q "$each"; done
    sha512sum --quiet -c metadata/packed/*.sha512
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """When files are packed: from `many` files on that are smaller than `small` bytes, those.

    A pack holds `pack_bytes` of content and `pack_members` at most.
    """

    small: int = 1 << 20
    many: int = 1_000
    pack_bytes: int = 64 << 20
    pack_members: int = 10_000


RULE = Rule()
"""The one rule. It is no setting: packages look the same wherever they were made, and each tells it."""


def is_small(entry: FileEntry, rule: Rule = RULE) -> bool:
    """Tell whether a file would be packed, if there are many such."""
    return (
        entry.size < rule.small
        and entry.role in _KINDS
        and (len(entry.path) <= _SEGMENT // 4 or _is_short(entry.path))
        and not _TURNED.search(entry.path)
    )


def _is_short(path: str) -> bool:
    name = path.encode()
    return len(name) <= _NAME and max(map(len, name.split(b"/"))) <= _SEGMENT


def are_many(entries: Iterable[FileEntry], rule: Rule = RULE) -> bool:
    """Tell whether the small ones of `entries` are to be packed."""
    count = 0
    for each in entries:
        count += is_small(each, rule)
        if count >= rule.many:
            return True
    return False


def pack_name(number: int) -> str:
    """Return what the pack with this number (from 1) is called in the bag."""
    return f"{PACKS}{number:04d}.zip"


def list_name(pack: str) -> str:
    """Return where the digests of a pack's members are listed."""
    return f"{LISTS}{pack.removeprefix(PACKS).removesuffix('.zip')}.sha512"


def number_of(pack: str) -> int:
    """Return the number of a pack."""
    found = NUMBERED.fullmatch(pack)
    return int(found[1]) if found else 0


def pack_of(entry: FileEntry) -> str:
    """Return the name in the bag of the pack that a packed file is in."""
    return PACKS + entry.location.rpartition("/")[2]


def batches(entries: Iterable[FileEntry], rule: Rule = RULE) -> Iterator[FileEntry | list[FileEntry]]:
    """Yield those of `entries` that stay loose one by one, and the members of each pack when it is full."""
    held: list[FileEntry] = []
    size = 0
    for each in entries:
        if not is_small(each, rule):
            yield each
            continue
        if held and (len(held) >= rule.pack_members or size + each.size > rule.pack_bytes):
            yield held
            held, size = [], 0
        held.append(each)
        size += each.size
    if held:
        yield held


def write_pack(
    members: Iterable[FileEntry], read: Callable[[FileEntry], bytes], write: Callable[[bytes], object]
) -> list[FileEntry]:
    """Write a pack, and return its members with the places of their bytes; `location` stays as it was.

    `read` returns a member's bytes, which are compared with its SHA-512. Raises Corrupt. The same members
    give the same bytes.
    """
    archive = ZipWriter(write)
    placed = []
    for each in members:
        data = read(each)
        if len(data) != each.size or hashlib.sha512(data).hexdigest() != each.sha512:
            raise Corrupt(f"{each.path} is not what it was when it came", hint="run `holdfast audit`")
        placed.append(evolved(each, packed_offset=archive.add(each, data)))
    archive.end()
    return placed


def as_file(pack: str, location: str, size: int, sha512: str, crc32: int) -> FileEntry:
    """Return a pack as a file of the package."""
    return FileEntry(
        pack,
        location,
        size,
        sha512,
        crc32,
        Role.PACK,
        puid="x-fmt/263",
        format_name="ZIP Format",
        mime="application/zip",
        basis="written by Holdfast",
    )


def digests(members: Sequence[FileEntry]) -> bytes:
    """Return the list of the members' digests, as ``sha512sum`` writes and reads it.

    No name needs its escapes: such files stay loose.
    """
    return "".join(f"{each.sha512}  {each.path}\n" for each in members).encode()


def readme(rule: Rule = RULE) -> bytes:
    """Return what a package with packs says of them."""
    return README.format(
        small=rule.small, many=rule.many, pack_bytes=rule.pack_bytes, pack_members=rule.pack_members
    ).encode()
