"""An archive as a source: what it is, by its content and not by its name; then the reader for its kind."""

import io
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

from packages.errors import Unavailable
from packages.findings import finding
from storage.durability import unavailable
from storage.sources.compressed import MAGIC, Damaged, Decompressed
from storage.sources.intake import Algorithms, Intake
from storage.sources.names import shown
from storage.sources.tar_archive import receive_tar
from storage.sources.zip_archive import receive_zip

_MAGIC = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    **{magic: f"tar.{compression}" for magic, compression in MAGIC.items()},
}
_SUFFIXES = {
    ".zip": "zip",
    ".7z": "7z",
    ".tar": "tar",
    ".tgz": "tar.gz",
    ".tbz2": "tar.bz2",
    ".tbz": "tar.bz2",
    ".txz": "tar.xz",
    ".tzst": "tar.zst",
    ".gz": "tar.gz",
    ".bz2": "tar.bz2",
    ".xz": "tar.xz",
    ".zst": "tar.zst",
}
_MEDIA_TYPES = {
    "zip": "application/zip",
    "7z": "application/x-7z-compressed",
    "tar": "application/x-tar",
    "tar.gz": "application/gzip",
    "tar.bz2": "application/x-bzip2",
    "tar.xz": "application/x-xz",
    "tar.zst": "application/zstd",
}
_DOCUMENTS = frozenset(
    {
        ".docx",
        ".docm",
        ".dotx",
        ".xlsx",
        ".xlsm",
        ".xltx",
        ".pptx",
        ".pptm",
        ".potx",
        ".ppsx",
        ".vsdx",
        ".odt",
        ".ods",
        ".odp",
        ".odg",
        ".odf",
        ".ott",
        ".epub",
        ".jar",
        ".war",
        ".apk",
        ".ipa",
        ".xpi",
        ".kmz",
        ".3mf",
        ".cbz",
        ".idml",
        ".key",
        ".pages",
        ".numbers",
        ".mscz",
        ".whl",
    }
)


def receive_archive(source: Path, intake: Intake, algorithms: Algorithms, name: str) -> tuple[str, list[str]]:
    """Take the members of the archive `source`, called `name`, in; return its kind and its empty folders.

    The kind is ``zip``, ``7z`` or ``tar``. Raises Invalid with all findings, Unavailable when the archive
    cannot be read or changes while it is.
    """
    try:
        # Non-blocking: a FIFO must not hold us up. Links are followed: the depositor named this one.
        with os.fdopen(os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            before = os.fstat(stream.fileno())
            intake.archive_size = before.st_size
            result = _receive(stream, name, intake, algorithms)
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise unavailable(error, f"Cannot read {source}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unavailable(
            f"{source} changed while being read", hint="Let the transfer finish, then try again."
        )
    return result


def _receive(stream: BinaryIO, name: str, intake: Intake, algorithms: Algorithms) -> tuple[str, list[str]]:
    name = shown(name)
    kind = detect(stream, name)
    _compare(kind, name, intake)
    compression = kind.partition(".")[2]
    if compression and not _holds_tar(stream, compression):
        intake.findings.stop(finding("source.not-an-archive", name))
    intake.container = _MEDIA_TYPES[kind]
    stream.seek(0)
    if kind == "zip":
        return "zip", receive_zip(stream, name, intake, algorithms)
    if kind == "7z":
        # py7zr takes a twentieth of a second to import: only who is given a 7z pays for it.
        from storage.sources.seven_zip import receive_7z  # noqa: PLC0415  # see above

        return "7z", receive_7z(stream, name, intake, algorithms)
    return "tar", receive_tar(stream, name, compression or None, intake, algorithms)


def detect(stream: BinaryIO, name: str) -> str:
    """Return what `stream` is: ``zip``, ``7z``, ``tar``, ``tar.gz`` and so on, or ``""``.

    A compressed stream is taken for a TAR: reading shows. `name` matters for a ZIP behind other bytes only,
    because any file may end with what looks like one.
    """
    try:
        head = stream.read(512)
    except OSError:  # a folder or device that cannot be read this way
        return ""
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")
    if found:
        return found
    lower = name.lower()
    if len(head) == 512 and (_is_header(head) or (not any(head) and lower.endswith(".tar"))):
        return "tar"
    return "zip" if lower.endswith((".zip", ".exe")) and zipfile.is_zipfile(stream) else ""


def is_archive(head: bytes, name: str) -> bool:
    """Tell whether a file `name` that begins with `head` is an archive, no document that looks like one."""
    return Path(name).suffix.lower() not in _DOCUMENTS and bool(detect(io.BytesIO(head), name))


def has_members(source: Path, name: str) -> bool:
    """Tell whether the file `source`, called `name`, is an archive of files.

    A document that looks like one is none, nor is a single file that is compressed. A compressed stream that
    cannot be read counts as one: whoever unpacks it finds out why.
    """
    try:
        with source.open("rb") as stream:
            kind = detect(stream, name)
            _, _, compression = kind.partition(".")
            if compression:
                return _holds_tar(stream, compression)
            return bool(kind) and Path(name).suffix.lower() not in _DOCUMENTS
    except OSError as error:
        raise unavailable(error, f"Cannot read {source}") from error


def _holds_tar(stream: BinaryIO, compression: str) -> bool:
    """Tell whether what is compressed begins like a TAR; where it cannot be read, reading on shows why."""
    stream.seek(0)
    try:
        head = Decompressed(stream, compression, lambda _: None).read(512)
    except Damaged:
        return True
    return len(head) == 512 and (_is_header(head) or not any(head))


def _is_header(block: bytes) -> bool:
    """Tell whether `block` is a TAR header, old or new, by its checksum."""
    try:
        given = int(block[148:156].strip(b" \x00") or b"-1", 8)
    except ValueError:
        return False
    return given == sum(block) - sum(block[148:156]) + 8 * 0x20


def _compare(kind: str, name: str, intake: Intake) -> None:
    """Refuse what is no archive, and documents that only look like one; point out a wrong extension."""
    suffix = Path(name).suffix.lower()
    if kind == "zip" and suffix in _DOCUMENTS:
        intake.findings.stop(finding("source.document", name))
    if not kind:
        intake.findings.stop(finding("source.not-an-archive", name))
    claimed = _SUFFIXES.get(suffix)
    if claimed is not None and claimed != kind:
        intake.findings.add(finding("source.kind-mismatch", name, claimed=claimed, kind=kind))
