"""7z as a source: its header is judged as a whole, then its streams are decompressed in their order."""

import lzma
import stat
import struct
import zlib
from typing import BinaryIO

import py7zr
from py7zr.exceptions import ArchiveError, CrcError, PasswordRequired, UnsupportedCompressionMethodError
from py7zr.io import Py7zIO, WriterFactory

from packages.findings import finding
from packages.wording import counted
from storage.sources.intake import Algorithms, Intake, Taking
from storage.sources.members import Members
from storage.sources.names import shown

# py7zr meets a hostile header with whatever Python happens to raise.
_BROKEN = (
    ArchiveError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OSError,
)


class _Member(Py7zIO):
    """Takes one member in as py7zr writes it."""

    def __init__(self, intake: Intake, path: str, modified: str | None) -> None:
        self._intake = intake
        self._taking: Taking = intake.open(path, modified)

    def write(self, s: bytes | bytearray) -> int:
        self._intake.admit(len(s))
        self._taking.sink.write(s)
        return len(s)

    def read(self, size: int | None = None) -> bytes:  # noqa: ARG002  # the port has it
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: ARG002  # as above
        return 0

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def size(self) -> int:
        return self._taking.sink.size

    def close(self) -> None:
        """End the member; py7zr calls this only where its content came whole."""
        self._taking.close()

    def abandon(self) -> None:
        """Let go of the file; may be called after `close`."""
        self._taking.abandon()


class _Members(WriterFactory):
    """Gives py7zr a place for each accepted member; `at` is the one that it is at."""

    def __init__(self, intake: Intake, accepted: dict[str, str | None]) -> None:
        self._intake = intake
        self._accepted = accepted
        self._prefix = f"{intake.incoming.as_posix()}/"
        self._open: _Member | None = None
        self.at = ""

    def create(self, filename: str) -> _Member:
        self.at = filename.removeprefix(self._prefix)
        self._open = _Member(self._intake, self.at, self._accepted.pop(self.at))
        return self._open

    def abandon(self) -> None:
        """Let go of a member that did not come to its end."""
        if self._open is not None:
            self._open.abandon()


def receive_7z(stream: BinaryIO, name: str, intake: Intake, algorithms: Algorithms) -> list[str]:
    """Take the members of the 7z in and return its empty folders. Raises Invalid or Unavailable."""
    findings = intake.findings
    try:
        archive = py7zr.SevenZipFile(stream)
    except PasswordRequired:
        findings.stop(finding("archive.encrypted", name))
    except UnsupportedCompressionMethodError as error:
        findings.stop(finding("archive.unsupported", name, reason=str(error.message)))
    except _BROKEN as error:
        _raise_disk_trouble(error)
        findings.stop(finding("archive.damaged", name, reason=str(error) or type(error).__name__))
    with archive:
        members = Members(intake)
        accepted: dict[str, str | None] = {}
        total = 0
        for each in archive.files:
            if (path := _judge(each, members, intake)) is not None:
                accepted[path] = _modified(each)
                total += each.uncompressed or 0
        if archive.needs_password():
            findings.add(finding("archive.encrypted", name))
        intake.judge_total(total)
        findings.settle()
        intake.need(total)
        intake.declare(algorithms(accepted))
        _extract(archive, name, intake, accepted)
        return members.empty_folders()


def _extract(archive: py7zr.SevenZipFile, name: str, intake: Intake, accepted: dict[str, str | None]) -> None:
    """Take the accepted members in; what is damaged becomes a finding."""
    factory = _Members(intake, accepted)
    reason = ""
    try:
        archive.extractall(path=intake.incoming, factory=factory)
    except UnsupportedCompressionMethodError as error:
        intake.findings.add(finding("archive.unsupported", name, reason=str(error.message)))
    except CrcError:
        reason = "its checksum does not match"
    except _BROKEN as error:
        _raise_disk_trouble(error)
        reason = str(error) or type(error).__name__
    finally:
        factory.abandon()
    if not reason and accepted:
        reason = f"{counted(len(accepted), 'member')} did not come out"
    if reason:
        intake.findings.add(finding("archive.damaged", shown(factory.at) or name, reason=reason))


def _judge(each: py7zr.py7zr.ArchiveFile, members: Members, intake: Intake) -> str | None:
    """Return the path of a member that is a file and can be accepted, else None."""
    path = each.filename
    kind = each.st_fmt or 0
    if each.is_symlink or each.is_junction:
        members.other(path)
        intake.findings.add(finding("archive.link", shown(path), target="its stored target"))
    elif each.is_directory:
        members.folder(path.rstrip("/"))
    elif kind not in {0, stat.S_IFREG}:
        members.other(path)
        intake.findings.add(finding("archive.special-member", shown(path), what="special file"))
    elif members.file(path):
        return path
    return None


def _modified(each: py7zr.py7zr.ArchiveFile) -> str | None:
    try:
        when = each.lastwritetime
        return when.as_datetime().isoformat().replace("+00:00", "Z") if when is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def _raise_disk_trouble(error: Exception) -> None:
    """Raise `error` again if the system raised it: then the disk is at fault, not the archive."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
