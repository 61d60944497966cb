"""The child process of `tools.pronom`: siegfried in process (pygfried), then libmagic for missing MIME types.

An answer is ``[puid, name, version, mime, basis, warning, error]``.
"""

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from packages.xml_text import legal
from tools import crew_member, libmagic

WORKERS = 16
# siegfried reads a file it does not know from end to end, 8 s for each GiB. Signatures sit at both ends:
# DROID itself looks at 64 KiB there by default. Longer files are judged by a stand-in made of both ends.
LONG = 32 << 20
END = 4 << 20
STAND_INS = 16
"""How many there are at a time: each takes twice that of the disk."""
# The directories of ZIP and OLE hold offsets: only the whole file will do.
CONTAINERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
LARGEST_CONTAINER = 1 << 30


class _StandIns:
    """Short names or contents for files that pygfried cannot be given as they are; `with` cleans up."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-identify-")
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def for_path(self, path: str) -> tuple[str, bool]:
        """Return what to give pygfried for `path`, and whether it holds the ends only."""
        try:
            size = os.stat(path).st_size  # noqa: PTH116  # 10,000 Path objects a second would be felt
            path.encode()
        except UnicodeEncodeError:
            alias = self._name(path)
            alias.symlink_to(path)
            return str(alias), False
        except OSError:
            return path, False
        if size <= LONG:
            return path, False
        return self._ends(path, size)

    def _name(self, path: str) -> Path:
        self.count += 1
        suffix = Path(path).suffix.encode("ascii", "ignore").decode()
        return Path(self._folder.name, f"{self.count}{suffix}")

    def _ends(self, path: str, size: int) -> tuple[str, bool]:
        try:
            with Path(path).open("rb") as source:
                head = source.read(END)
                if head.startswith(CONTAINERS) and size <= LARGEST_CONTAINER:
                    return path, False
                source.seek(-END, os.SEEK_END)
                tail = source.read(END)
        except OSError:
            return path, False
        stand_in = self._name(path)
        stand_in.write_bytes(head + tail)
        return str(stand_in), True


def _row(report: Any, *, ends_only: bool) -> list[Any]:
    matches = report["matches"]
    if report["errors"] == "empty source":
        return [None, None, None, "inode/x-empty", "0 bytes", None, None]
    known = [each for each in matches if each["id"] != "UNKNOWN"]
    if not known:
        warning = matches[0]["warning"] if matches else "no match"
        return [None, None, None, None, None, warning or "no match", report["errors"] or None]
    first = known[0]
    warnings = [first["warning"]] if first["warning"] else []
    if len(known) > 1:
        warnings.append("multiple matches " + ", ".join(each["id"] for each in known))
    basis = first["basis"] + (f"; first and last {END} bytes" if ends_only else "")
    mime = first["mime"].partition(",")[0].strip()
    return [
        first["id"],
        first["format"] or None,
        first["version"] or None,
        mime or None,
        basis or None,
        "; ".join(warnings) or None,
        None,
    ]


def _identify(jobs: list[Any], threads: ThreadPoolExecutor) -> Iterator[list[Any]]:
    if jobs == [None]:
        yield [_version()]
        return
    rest = deque(jobs)
    while rest:
        yield _first_of(rest, threads)


def _first_of(rest: deque[str], threads: ThreadPoolExecutor) -> list[Any]:
    """Identify the first of `rest`, and take them from it: all, or as many as stand-ins are made of."""
    paths: list[str] = []
    given: list[tuple[str, bool]] = []
    with _StandIns() as stand_ins:
        while rest and stand_ins.count < STAND_INS:
            paths.append(rest.popleft())
            given.append(stand_ins.for_path(paths[-1]))
        reports = _siegfried().identify_many([path for path, _ in given], workers=WORKERS)["files"]
        # an empty file or an unreadable one has no matches: the reports keep the order of the paths
        rows = [_row(report, ends_only=ends) for report, (_, ends) in zip(reports, given, strict=True)]
    without = [index for index, row in enumerate(rows) if row[3] is None and not row[6]]
    for index, mime in zip(without, threads.map(libmagic.mime_of, [paths[i] for i in without]), strict=True):
        rows[index][3] = mime
    return [[each and legal(each) for each in row] for row in rows]


def _siegfried() -> Any:
    """Return the library; it starts threads, which must be as confined as we are by now."""
    import pygfried  # noqa: PLC0415  # not before the confinement

    return pygfried


def _version() -> str:
    about = _siegfried().identify_many([])
    signatures = about["identifiers"][0]["details"]
    return f"siegfried {about['siegfried']} ({signatures}), {libmagic.version()}"


def main() -> None:
    """Answer until the input ends."""
    with ThreadPoolExecutor(2) as threads:
        crew_member.serve(lambda jobs: _identify(jobs, threads), ready=_version)  # which reads the signatures


if __name__ == "__main__":
    main()
