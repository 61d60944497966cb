"""ZIP as a source: its central directory is judged as a whole, then member by member is read.

Names without the UTF-8 mark are read by what the archive's extra fields say, else as UTF-8 where they are
valid UTF-8, else as code page 437, as APPNOTE 4.4.4 has it.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO, cast

from packages.errors import Invalid
from packages.findings import Finding, finding
from storage.sources.intake import Algorithms, Intake, Reader
from storage.sources.members import Members
from storage.sources.names import shown
from storage.sources.sink import CHUNK
from storage.sources.zip_directory import entries

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_ENCRYPTED = 0x1
_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


def receive_zip(stream: BinaryIO, name: str, intake: Intake, algorithms: Algorithms) -> list[str]:
    """Take the members of the ZIP in and return its empty folders. Raises Invalid or Unavailable."""
    with _open(stream, name, intake) as archive:
        members = Members(intake)
        accepted: list[tuple[zipfile.ZipInfo, str]] = []
        total = 0
        for info in archive.infolist():
            if (path := _judge(info, members, intake)) is not None:
                accepted.append((info, path))
                total += info.file_size
        _look_around(stream, archive, name, intake)
        intake.judge_total(total)
        intake.findings.settle()
        intake.need(total)
        intake.declare(algorithms(path for _, path in accepted))
        for info, path in accepted:
            _take(archive, info, path, intake)
        return members.empty_folders()


def _open(stream: BinaryIO, name: str, intake: Intake) -> zipfile.ZipFile:
    most = intake.limits.members
    if entries(stream, most) > most:  # zipfile would read all of them into memory first
        intake.findings.stop(finding("source.too-many-members", limit=most))
    try:
        return zipfile.ZipFile(stream)
    except UnicodeDecodeError as error:
        intake.findings.stop(finding("name.not-utf8", shown(bytes(error.object))))
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        intake.findings.stop(finding("archive.damaged", name, reason=str(error)))
    raise Invalid(f"{name} cannot be read")


def _look_around(stream: BinaryIO, archive: zipfile.ZipFile, name: str, intake: Intake) -> None:
    """Point out bytes before and after the archive."""
    stream.seek(0)
    if not stream.read(4).startswith(b"PK"):
        intake.findings.add(finding("archive.preamble", name))
    stream.seek(-(22 + len(archive.comment)), 2)
    if stream.read(4) != b"PK\x05\x06":
        intake.findings.add(finding("archive.trailing-data", name))


def _judge(info: zipfile.ZipInfo, members: Members, intake: Intake) -> str | None:
    """Return the path of a member that is a file and can be accepted, else None."""
    add = intake.findings.add
    path, guessed = _name(info)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if guessed:
        add(finding("archive.name-encoding", shown(path), encoding=guessed))
    if path.endswith("/"):
        members.folder(path[:-1])
        if info.file_size:
            add(finding("archive.damaged", shown(path), reason="a folder with content"))
    elif kind == stat.S_IFLNK:
        members.other(path)
        add(finding("archive.link", shown(path), target="its stored target"))
    elif kind not in {0, stat.S_IFREG}:
        members.other(path)
        add(finding("archive.special-member", shown(path), what="special file"))
    elif members.file(path) and not add(_unreadable(info, path)):
        return path
    return None


def _unreadable(info: zipfile.ZipInfo, path: str) -> Finding | None:
    if info.flag_bits & _ENCRYPTED:
        return finding("archive.encrypted", shown(path))
    if info.compress_type not in _METHODS:
        return finding("archive.unsupported", shown(path), reason=f"method {info.compress_type}")
    return None


def _name(info: zipfile.ZipInfo) -> tuple[str, str | None]:
    """Return the name as its maker meant it, and the encoding if that had to be guessed."""
    name = info.orig_filename
    if name.isascii() or info.flag_bits & _UTF8:
        return name, None
    raw = name.encode("cp437")
    for kind, data in _extras(info.extra):
        if kind == _UNICODE_PATH and data[:1] == b"\x01" and data[1:5] == struct.pack("<L", zlib.crc32(raw)):
            return data[5:].decode("utf-8", "surrogateescape"), None
    try:
        return raw.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return name, "code page 437"


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]


def _take(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, intake: Intake) -> None:
    """Take one member in; a damaged one is a finding, and the next is looked at all the same."""
    modified = _modified(info)
    try:
        with archive.open(info) as content:
            if info.file_size < CHUNK:
                data = content.read()
                size = len(data)
                intake.take(path, data, modified)
            else:
                size = intake.take_stream(path, cast("Reader", content), modified)
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk is at fault, not the archive
        intake.findings.add(finding("archive.damaged", shown(path), reason=str(error) or "it ends too early"))
        return
    if size != info.file_size:
        reason = f"{size} bytes instead of {info.file_size}"
        intake.findings.add(finding("archive.damaged", shown(path), reason=reason))


def _modified(info: zipfile.ZipInfo) -> str | None:
    """Return the time in the Unix extra field where there is one; a DOS time has no zone and says nothing."""
    for kind, data in _extras(info.extra):
        if kind == 0x5455 and len(data) >= 5 and data[0] & 1:
            seconds: int = struct.unpack_from("<l", data, 1)[0]
            return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    return None
