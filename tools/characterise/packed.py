"""Archives (ZIP, TAR) and compressed files: what is inside, listed and never unpacked."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from tools.characterise import text, warc

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST_MEMBERS = 200_000
MOST_BYTES = 512 << 20
MOST_LISTED = 100
NESTED = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".warc")
FIELDS = {
    "archive": "what it is: zip, tar, 7z, gzip, bzip2, xz, Zstandard",
    "compression": "what a TAR is compressed with; of ZIP and 7z the methods, joined by +",
    "files": "how many files are inside",
    "folders": "how many folders are inside",
    "links": "of TAR: how many links and devices",
    "unpacked_bytes": "how many bytes the files have in all, as the archive says",
    "largest_bytes": "how many the largest has",
    "encrypted_files": "how many files are encrypted",
    "archives_inside": "how many files are archives by their names",
    "comment": "of ZIP: its comment",
    "contents": "the first 100 members, each with `name` and `size`",
    "inner_name": "of gzip: the name that was compressed",
    "inner": "of a compressed file that is no TAR: WARC, or other",
    "judged_members": "how many members were counted, where there are more",
    "judged_bytes": "how many bytes were inflated, where there are more",
    "problem": "what kept the rest from being read",
    **{name: f"of a compressed web archive: {said}" for name, said in warc.FIELDS.items()
       if name not in {"compressed", "judged_bytes", "problem"}},
    "compressed": "true for a compressed web archive",
}  # fmt: skip  # a table
BOUNDS = (
    "200,000 members; of a compressed TAR or web archive 512 MiB after inflation. Nothing is written, and"
    " archives within are not opened."
)
METHODS = {0: "none", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}
_MAGIC = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "Zstandard", b"PK": "zip"}
tool = text.tool


class Member(NamedTuple):
    """One member of an archive: `kind` is file, folder or link."""

    name: str
    size: int
    kind: str
    is_encrypted: bool = False


class _TooMuch(Exception):
    """The bound on inflated bytes is reached."""


def read(path: Path) -> dict[str, Any]:
    """Return what is inside: counts, sizes and the first names."""
    with path.open("rb") as source:
        kind = _MAGIC.get(source.read(2), "tar")
    if kind == "zip":
        return _zip(path)
    return _stream(path, kind)


def _zip(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        methods = sorted({METHODS.get(each.compress_type, str(each.compress_type)) for each in infos})
        members = (
            Member(
                each.filename, each.file_size, "folder" if each.is_dir() else "file", bool(each.flag_bits & 1)
            )
            for each in infos
        )
        found = {"archive": "zip", "compression": "+".join(methods), "comment": _text(archive.comment)}
        return found | counted(members)


class _Bounded(io.RawIOBase):
    """A stream that gives no more than so many bytes."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source = source
        self.left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.left <= 0:
            raise _TooMuch
        data = self._source.read(min(len(buffer), self.left, 1 << 20))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


def _stream(path: Path, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"archive": kind}
    with path.open("rb") as raw:
        if kind == "gzip":
            found["inner_name"] = _gzip_name(raw.read(4096))
            raw.seek(0)
        openers: dict[str, Any] = {
            "gzip": gzip.open,
            "bzip2": bz2.open,
            "xz": lzma.open,
            "Zstandard": zstd.open,
        }
        opened = openers.get(kind)
        if opened is None:
            return found | _tar(raw, path.stat().st_size + 1)
        with opened(raw) as inflated:
            source = io.BufferedReader(_Bounded(cast("BinaryIO", inflated), MOST_BYTES))
            head = source.peek(512)[:512]
            if len(head) == 512 and head[257:262] == b"ustar":
                return found | {"archive": "tar", "compression": kind} | _tar(source, MOST_BYTES)
            if head.startswith(b"WARC/"):
                return found | {"inner": "WARC", "compressed": True} | _records(source)
    return found | {"inner": "other"}


def _records(source: Any) -> dict[str, Any]:
    return warc.read_records(cast("BinaryIO", source))


def _tar(source: Any, most: int) -> dict[str, Any]:
    stops: list[str] = []

    def members() -> Iterator[Member]:
        try:
            with tarfile.open(fileobj=source, mode="r|") as archive:
                forgetful: Any = archive
                for each in archive:
                    kind = "folder" if each.isdir() else "file" if each.isreg() else "link"
                    yield Member(each.name, each.size if each.isreg() else 0, kind)
                    forgetful.members = []  # it would remember each of a million
        except _TooMuch:
            stops.append("judged_bytes")
        except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zstd.ZstdError) as error:
            stops.append(str(error) or type(error).__name__)

    found = counted(members())
    if stops == ["judged_bytes"]:
        found["judged_bytes"] = most
    elif stops:
        if not found["files"] + found["folders"]:
            raise ValueError(stops[0])
        found["problem"] = stops[0]
    return found


def counted(members: Iterable[Member]) -> dict[str, Any]:
    """Return the counts and sizes of the members, and the first of them."""
    kinds: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    total = largest = encrypted = archives = 0
    for each in members:
        if kinds.total() == MOST_MEMBERS:
            break
        kinds[each.kind] += 1
        total, largest = total + each.size, max(largest, each.size)
        encrypted += each.is_encrypted
        archives += each.name.lower().endswith(NESTED)
        if len(listed) < MOST_LISTED:
            listed.append({"name": each.name, "size": each.size})
    return {
        "files": kinds["file"],
        "folders": kinds["folder"],
        "links": kinds["link"] or None,
        "unpacked_bytes": total,
        "largest_bytes": largest,
        "encrypted_files": encrypted or None,
        "archives_inside": archives or None,
        "contents": listed,
        "judged_members": MOST_MEMBERS if kinds.total() == MOST_MEMBERS else None,
    }


def _gzip_name(head: bytes) -> str | None:
    """Return the name in a gzip header (RFC 1952 2.3.1), where there is one."""
    if len(head) < 11 or not head[3] & 8:
        return None
    place = 10
    if head[3] & 4:
        place += 2 + int.from_bytes(head[10:12], "little")
    return _text(head[place:].partition(b"\0")[0])


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
