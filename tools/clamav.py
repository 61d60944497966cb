"""Virus scans by clamd: it gets bytes (INSTREAM) or open files (FILDES), so it needs no access to our disks.

The protocol is spoken here and not through a library: one session for all files and chunks of 1 MiB make
10,000 small files and one large one quick, and every wait has a limit. (clamd(8), section COMMANDS.)
Small files go as descriptors where clamd has a socket on this machine. Larger ones are sent, for then clamd
says by itself when one is longer than it looks at; of a descriptor it would say OK.
"""

import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from urllib.parse import urlsplit

from packages.errors import Invalid, Unavailable
from packages.findings import Finding, Findings
from packages.policies import SCAN_ANSWER_SECONDS, SCAN_TOTAL_SECONDS
from packages.wording import counted
from tools.ports import ScanReport
from tools.zip_locks import has_locked_members

MIB = 1 << 20
# What clamd "finds" when it gave up before the end of a file (AlertExceedsMax): not looked at, not infected.
GAVE_UP = "Heuristics.Limits.Exceeded"
# What it "finds" where it needs a password (AlertEncrypted).
LOCKED = "Heuristics.Encrypted."
_SUBJECT = re.compile(r"\A(?:stream|fd\[\d+\]): ")
BY_DESCRIPTOR = MIB
"""Bytes up to which a file is given as a descriptor: far below any limit of clamd."""


class NotConfigured:
    """The `tools.ports.VirusScanner` of an archive that has none: it says so and never *clean*."""

    def scan(self, files: Iterable[tuple[str, Path]]) -> ScanReport:  # noqa: ARG002  # nothing is looked at
        """Report *not_configured* without looking at `files`."""
        return ScanReport("not_configured", "none", {}, (), "No virus scanner is configured.")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scan may take.

    `largest` is the size in bytes up to which files are sent: not more than clamd's own StreamMaxLength,
    MaxFileSize and MaxScanSize, above which it would say OK without having looked (inside an archive it
    still does so for a member above MaxFileSize, whatever AlertExceedsMax says: set that generously).
    `silence` is how many seconds clamd may take for one answer, `total` for all. Signatures older than
    `max_age_days`, or of unknown age, are stale; None accepts any age.
    """

    largest: int = 100 * MIB
    silence: float = SCAN_ANSWER_SECONDS
    total: float = SCAN_TOTAL_SECONDS
    max_age_days: int | None = 7


class _Trouble(Exception):
    """Clamd cannot be used as it should: becomes the outcome *unreachable*."""


class _KeptFromFiles(Exception):
    """Clamd cannot take or read descriptors: AppArmor may keep it from that."""


class _TooLong(Exception):
    """Clamd refused the length of a stream and has ended the session."""


@dataclass(slots=True)
class _Tally:
    infected: dict[str, str] = field(default_factory=dict)
    unscanned: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    looked_at: int = 0


class ClamdScanner:
    """A `tools.ports.VirusScanner` on a clamd at `url`: ``unix:///path/of/socket`` or ``tcp://host:port``.

    Raises Invalid for any other address. Each scan opens its own session; safe from several threads.
    """

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self._family, self._address = _address(url)
        self._shown = _shown(url)
        self._limits = limits or Limits()

    def scan(self, files: Iterable[tuple[str, Path]]) -> ScanReport:
        """Scan each of `files`; raises Unavailable only when a file itself cannot be read."""
        scanner = "clamd"
        tally = _Tally()
        try:
            scanner = self._ask_version()
            if stale := _staleness(scanner, self._limits.max_age_days):
                return ScanReport("stale", scanner, {}, (), f"clamd at {self._shown}: {stale}")
            self._scan_all(iter(files), tally)
        except (_Trouble, _TooLong, OSError) as trouble:
            # what was found before is told all the same; the outcome stays the system's fault
            reason = f"clamd at {self._shown} cannot be used: {trouble}."
            found = tally.infected, tuple(tally.unscanned), reason, tuple(tally.encrypted)
            return ScanReport("unreachable", scanner, *found)
        return _report(scanner, tally)

    def _scan_all(self, files: Iterator[tuple[str, Path]], tally: _Tally) -> None:
        deadline = time.monotonic() + self._limits.total
        pending = next(files, None)
        takes_files = self._family == socket.AF_UNIX
        while pending is not None:
            with self._session(takes_files=takes_files) as session:
                while pending is not None:
                    if time.monotonic() > deadline:
                        raise _Trouble(f"the scan took longer than {self._limits.total:.0f} s")
                    name, path = pending
                    try:
                        self._scan_one(session, name, path, tally)
                    except _KeptFromFiles:  # the same file once more, in another session
                        takes_files = False
                        break
                    except _TooLong:  # clamd hangs up after that: go on in another session
                        tally.unscanned.append(name)
                        pending = next(files, None)
                        break
                    pending = next(files, None)

    def _scan_one(self, session: "_Session", name: str, path: Path, tally: _Tally) -> None:
        verdict = session.stream(path, self._limits.largest)
        if verdict is None or verdict.startswith(GAVE_UP):
            tally.unscanned.append(name)
        elif verdict.startswith(LOCKED):
            tally.encrypted.append(name)
        elif verdict:
            tally.infected[name] = verdict
        else:
            tally.looked_at += 1

    def _ask_version(self) -> str:
        with self._session() as session:
            return session.ask("VERSION")

    @contextmanager
    def _session(self, *, takes_files: bool = False) -> Iterator["_Session"]:
        with socket.socket(self._family, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._limits.silence)
            connection.connect(self._address)
            connection.sendall(b"zIDSESSION\0")
            yield _Session(connection, takes_files=takes_files)


class _Session:
    """One session with clamd: commands one after the other on one connection."""

    def __init__(self, connection: socket.socket, *, takes_files: bool) -> None:
        self._connection = connection
        self._takes_files = takes_files
        self._rest = b""
        self._buffer = bytearray(MIB)

    def ask(self, command: str) -> str:
        self._connection.sendall(f"z{command}\0".encode())
        return self._reply()

    def stream(self, path: Path, largest: int) -> str | None:
        """Return "" where the file is clean, a signature where not, None when it is longer than `largest`.

        Members of a ZIP that need a password are told as clamd would, whatever it is set to.
        """
        try:
            source = FileIO(path)
        except OSError as error:
            raise Unavailable(f"The file {path} cannot be read: {error.strerror}.") from error
        with source:
            size = source.seek(0, 2)
            if size > largest:
                return None
            source.seek(0)
            if self._takes_files and size <= BY_DESCRIPTOR:
                verdict = self._passed(source)
            else:
                with suppress(BrokenPipeError, ConnectionResetError):  # it answered before the end: read why
                    self._send(source)
                verdict = _verdict(self._reply())
            if not verdict and has_locked_members(source.fileno(), size):
                return f"{LOCKED}Zip"
        return verdict

    def _passed(self, source: FileIO) -> str:
        """Give clamd the open file; raises _KeptFromFiles where that leads to nothing."""
        try:
            self._connection.sendall(b"zFILDES\0")
            socket.send_fds(self._connection, [b"\0"], [source.fileno()])
            return _verdict(self._reply())
        except (_Trouble, OSError) as trouble:
            if isinstance(trouble, TimeoutError):
                raise
            raise _KeptFromFiles(str(trouble)) from trouble

    def _send(self, source: FileIO) -> None:
        self._connection.sendall(b"zINSTREAM\0")
        view = memoryview(self._buffer)
        while count := source.readinto(view):
            self._connection.sendall(struct.pack(">I", count))
            self._connection.sendall(view[:count])
        self._connection.sendall(b"\0\0\0\0")

    def _reply(self) -> str:
        pieces = self._rest
        while b"\0" not in pieces:
            try:
                piece = self._connection.recv(65536)
            except ConnectionResetError as error:
                raise _Trouble("it ended the session") from error
            if not piece:
                raise _Trouble("it ended the session")
            pieces += piece
        reply, _, self._rest = pieces.partition(b"\0")
        return reply.decode("utf-8", "replace").partition(": ")[2]


def _verdict(reply: str) -> str:
    """Read ``stream: OK``, ``stream: NAME FOUND`` or ``fd[7]: …``; anything else is no verdict."""
    said = _SUBJECT.sub("", reply)
    if said == "OK":
        return ""
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    if "size limit exceeded" in said:
        raise _TooLong(said)
    raise _Trouble(f"it answered {said!r}")


def _report(scanner: str, tally: _Tally) -> ScanReport:
    unscanned, encrypted = tuple(tally.unscanned), tuple(tally.encrypted)
    if tally.infected:
        outcome, message = "infected", f"{counted(len(tally.infected), 'infected file')}."
    elif unscanned:
        large = counted(len(unscanned), "file is", "files are")
        outcome, message = "too_large", f"{large} larger than the scanner's limit."
    elif encrypted:
        locked = counted(len(encrypted), "file")
        outcome, message = "encrypted", f"{locked} could not be looked into: something in it is encrypted."
    else:
        outcome, message = "clean", f"{counted(tally.looked_at, 'file is', 'files are')} clean."
    return ScanReport(outcome, scanner, tally.infected, unscanned, message, encrypted)


def _staleness(version: str, max_age_days: int | None) -> str:
    """Judge ``ClamAV 1.4.6/27812/Sat Nov 21 08:22:11 2026``: why its signatures will not do, or ""."""
    if max_age_days is None:
        return ""
    try:
        built = datetime.strptime(version.split("/", 2)[2].strip(), "%a %b %d %H:%M:%S %Y").replace(
            tzinfo=UTC
        )
    except (IndexError, ValueError):
        return f"The age of the signatures is unknown ({version}): HOLDFAST_CLAMD_MAX_AGE_DAYS=0 takes any."
    age = datetime.now(UTC) - built
    if age > timedelta(days=max_age_days):
        allowed = f"HOLDFAST_CLAMD_MAX_AGE_DAYS allows {max_age_days}"
        return f"The signatures are {counted(age.days, 'day')} old; {allowed}."
    return ""


def _address(url: str) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme == "unix" and parts.path.startswith("/"):
        return socket.AF_UNIX, parts.path
    if parts.scheme == "tcp" and parts.hostname and port:
        family = socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET
        return family, (parts.hostname, port)
    raise Invalid(
        f"{_shown(url)!r} is not an address of clamd.", hint="Use unix:///path/of/socket or tcp://host:port."
    )


def _shown(url: str) -> str:
    """Return the address without what somebody may have written before an @."""
    return re.sub(r"//[^/]*@", "//***@", url)


def findings_for(report: ScanReport) -> list[Finding]:
    """Say what a scan means for the submission: infected files reject it, all else is a warning."""
    found = Findings()
    for path, name in report.infected.items():
        found.make("scan.infected", path, signature=name)
    for path in report.unscanned:
        found.make("scan.too-large", path)
    for path in report.encrypted:
        found.make("scan.encrypted", path)
    if report.outcome == "not_configured":
        found.make("scan.not-configured")
    return list(found.all())
