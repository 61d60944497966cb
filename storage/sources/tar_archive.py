"""TAR as a source: plain (listed first, by seeking) or compressed (one pass, judged as it comes).

tarfile ends in silence at a damaged header and at a missing end mark, takes headers of any length into
memory, copies global ones for each member, and has patterns that go back over digits again and again
(CVE-2024-6232, in Python up to 3.11.9); `_Header`, `_Frugal` and `_Archive` see to all of it.
"""

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Protocol, Self, cast

from packages.findings import finding
from storage.sources.compressed import Damaged, Decompressed
from storage.sources.intake import Algorithms, Intake, Reader, timestamp
from storage.sources.members import Members
from storage.sources.names import shown
from storage.sources.sink import CHUNK

_MAX_HEADER = 1 << 20
_MAX_HEADERS = 4 << 20  # bytes of all headers of one member: 170,000 holes of a sparse file
_MAX_GLOBAL = 100  # fields of global headers
_MAX_DIGITS = 300  # no name, number or list has more of them in a row
_DIGITS = re.compile(rb"[0-9]+")
_EXTENDED = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_SPECIAL = {
    tarfile.FIFOTYPE: "named pipe",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
}
_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE})


class _Source(Protocol):
    """A stream to read forward."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes."""
        ...


class _Header(tarfile.TarInfo):
    """A header that refuses to fill the memory, and that tells the archive why reading ended."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header in `buf`; raises Damaged for an extended header of absurd size."""
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _EXTENDED and header.size > _MAX_HEADER):
            raise Damaged(f"a header announces {header.size} bytes")
        return header

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Return the next header of the archive."""
        archive = cast("_Archive", tarfile)
        try:
            with archive.frugal.header():
                return super().fromtarfile(tarfile)
        except Exception as error:
            archive.ended_by = type(error).__name__
            raise

    def _proc_pax(self, tarfile: tarfile.TarFile) -> Self:
        """Judge an extended header before tarfile's patterns see it."""
        frugal = cast("_Archive", tarfile).frugal
        body = frugal.read(-(-self.size // 512) * 512)
        _judge_extended(body)
        frugal.unread(body)
        return cast("Self", super()._proc_pax(tarfile))  # type: ignore[misc]  # typeshed does not know it


def _judge_extended(body: bytes) -> None:
    """Raise Damaged unless `body` is records ``LENGTH KEY=VALUE`` in a row, padded with zeros."""
    if any(len(run) > _MAX_DIGITS for run in _DIGITS.findall(body)):
        raise Damaged(f"an extended header has more than {_MAX_DIGITS} digits in a row")
    at = 0
    while at < len(body) and body[at]:
        blank = body.find(b" ", at, at + 9)
        length = body[at:blank]
        end = at + int(length) if blank > at and length.isdigit() else at
        if not blank < body.find(b"=", at, end):
            raise Damaged("an extended header is malformed")
        at = end


class _Frugal:
    """The archive's stream, which gives out no more than `_MAX_HEADERS` bytes for the headers of a member."""

    def __init__(self, stream: "IO[bytes]") -> None:
        self._stream = stream
        self._ahead = b""
        self._left: int | None = None

    @contextmanager
    def header(self) -> Iterator[None]:
        """Count what is read in this block; blocks inside it are part of it."""
        outermost = self._left is None
        if outermost:
            self._left = _MAX_HEADERS
        try:
            yield
        finally:
            if outermost:
                self._left = None

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes; raises Damaged for a header without end."""
        if self._ahead:
            body, self._ahead = self._ahead, b""
            return body
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise Damaged(f"the headers of one member take more than {_MAX_HEADERS} bytes")
        return self._stream.read(size)

    def unread(self, body: bytes) -> None:
        """Let the next `read` return `body`, which was read last."""
        self._ahead = body

    def seek(self, place: int) -> int:
        """Go to a place; a stream only goes forward."""
        return self._stream.seek(place)

    def tell(self) -> int:
        """Tell the place."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class _Archive(tarfile.TarFile):
    """A TAR that knows whether it ended at its end mark."""

    ended_by = ""

    def __init__(self, name: Any = None, mode: Any = "r", fileobj: Any = None, **options: Any) -> None:
        self.frugal = _Frugal(fileobj)
        super().__init__(name, mode, cast("IO[bytes]", self.frugal), **options)

    def members_in_turn(self) -> Iterator[tarfile.TarInfo]:
        """Yield each member, keeping none; raises Damaged where the archive breaks off or cannot be read."""
        try:
            while (member := self.next()) is not None:
                if member.size < 0:  # reading on would go backwards, for ever
                    raise Damaged(f"a header announces {member.size} bytes")
                if len(self.pax_headers) > _MAX_GLOBAL:
                    raise Damaged(f"its global headers have more than {_MAX_GLOBAL} fields")
                yield member
                self.members.clear()  # type: ignore[attr-defined]  # typeshed does not know it
        except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
            raise Damaged(str(error)) from error
        if self.ended_by != "EOFHeaderError":
            reason = "it has no end mark" if self.ended_by == "EmptyHeaderError" else "a header is damaged"
            raise Damaged(f"{reason} (at byte {self.offset})")


def receive_tar(
    stream: BinaryIO, name: str, kind: str | None, intake: Intake, algorithms: Algorithms
) -> list[str]:
    """Take the members of the TAR in; `kind` is its compression or None. Returns its empty folders.

    Raises Invalid or Unavailable.
    """
    if kind is None:
        _survey(stream, name, intake, algorithms)
        source: _Source = stream
    else:
        intake.need(intake.archive_size or 0)
        source = Decompressed(stream, kind, intake.judge_ratio)
    members = Members(intake)
    at = name
    try:
        with _open(source) as archive:
            for member in archive.members_in_turn():
                at = shown(member.name)
                _take(archive, member, members, intake, algorithms)
            at = name
            _finish(cast("_Source", archive.fileobj), intake, name)
            if isinstance(source, Decompressed) and source.trailing:
                intake.findings.add(finding("archive.trailing-data", name))
    except (Damaged, tarfile.TarError) as error:
        intake.findings.add(finding("archive.damaged", at, reason=str(error)))
    return members.empty_folders()


def _open(source: _Source) -> _Archive:
    return _Archive.open(
        fileobj=cast("IO[bytes]", source), mode="r|", tarinfo=_Header, bufsize=512 * 2048, errorlevel=2
    )


def _survey(stream: BinaryIO, name: str, intake: Intake, algorithms: Algorithms) -> None:
    """List a plain TAR: judge names, ask for space, learn which digests to compute; then rewind."""
    members = Members(intake)
    names: list[str] = []
    total = 0
    try:
        with _Archive.open(fileobj=stream, mode="r:", tarinfo=_Header, errorlevel=2) as archive:
            for member in archive.members_in_turn():
                if (path := _judge(member, members, intake)) is not None:
                    names.append(path)
                    total += member.size
    except (Damaged, tarfile.TarError) as error:
        intake.findings.add(finding("archive.damaged", name, reason=str(error)))
    intake.findings.settle()
    intake.judge_total(total)
    intake.need(total)
    intake.declare(algorithms(names))
    stream.seek(0)


def _judge(member: tarfile.TarInfo, members: Members, intake: Intake) -> str | None:
    """Return the path of a member that is a file and can be accepted, else None."""
    path = member.name
    while path.startswith("./"):
        path = path[2:]
    path = path if path == "/" else path.rstrip("/")
    if member.isdir():
        if path not in {"", "."}:
            members.folder(path)
    elif member.issym() or member.islnk():
        members.other(path)
        intake.findings.add(finding("archive.link", shown(path), target=shown(member.linkname)))
    elif member.type not in _FILES:
        members.other(path)
        what = _SPECIAL.get(member.type, f"member of type {shown(member.type)}")
        intake.findings.add(finding("archive.special-member", shown(path), what=what))
    elif members.file(path):
        return path
    return None


def _take(
    archive: _Archive, member: tarfile.TarInfo, members: Members, intake: Intake, algorithms: Algorithms
) -> None:
    path = _judge(member, members, intake)
    if path is None or intake.findings.rejecting:
        return  # once something rejects, the rest is only judged
    if announced := algorithms((path,)):
        intake.declare(announced)
    modified = timestamp(int(member.mtime * 1_000_000_000)) if abs(member.mtime) < 1e12 else None
    content = archive.extractfile(member)
    if content is None:
        raise Damaged("its content is missing")
    if member.size < CHUNK:
        data = content.read(member.size)
        if len(data) != member.size:
            raise Damaged("it ends too early")
        intake.take(path, data, modified)
    else:
        intake.judge_total(intake.bytes + member.size)
        intake.need(member.size)
        sparse = member.type == tarfile.GNUTYPE_SPARSE or member.sparse is not None
        size = intake.take_stream(path, cast("Reader", content), modified, sparse=sparse)
        if size != member.size:
            raise Damaged("it ends too early")


def _finish(source: _Source, intake: Intake, name: str) -> None:
    """Read what comes after the end mark: padding, or something else; a compressed stream to its checksum."""
    seen = 0
    trailing = False
    while data := source.read(CHUNK):
        seen += len(data)
        intake.judge_total(intake.bytes + seen)
        trailing = trailing or data.count(0) != len(data)
    if trailing:
        intake.findings.add(finding("archive.trailing-data", name))
