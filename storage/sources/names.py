"""Names as they come in a submission: which can be kept, and how to show those that cannot.

A name is data; it is kept exactly or refused. What is refused here is what is not UTF-8, what would leave the
package (absolute, drive, climbing, home), and what is no canonical path (empty segments, NUL).
"""

import re

from packages.findings import Finding, finding
from storage.sources.limits import Limits

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|[A-Za-z]:\Z")
_SUSPECT = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|[\\\x00]|\A~(?:/|\Z)|\A[A-Za-z]:")
_CLIMBS = re.compile(r"(?:\A|[\\/])\.\.(?:[\\/]|\Z)")


def shown(name: str | bytes) -> str:
    r"""Return `name` fit for a message: what is not UTF-8 or cannot be printed is escaped (``\xe9t\n``)."""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def is_utf8(name: str) -> bool:
    """Tell whether `name`, as `os` or tarfile decoded it, was UTF-8."""
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def judge_name(path: str, limits: Limits) -> Finding | None:
    """Return why the file name `path` cannot be accepted, or None where it can.

    `path` is as `os` or the archive's reader decoded it, without a trailing slash, folders divided by ``/``.
    """
    if not is_utf8(path):
        return finding("name.not-utf8", shown(path))
    if _SUSPECT.search(path) and (code := _suspicion(path)):
        return finding(code, shown(path))
    if path.count("/") >= limits.depth:
        return finding("name.too-deep", shown(path), depth=path.count("/") + 1, limit=limits.depth)
    if len(path) * 4 > limits.path_bytes and (size := len(path.encode())) > limits.path_bytes:
        return finding("name.too-long", shown(path[:100]) + "…", size=size, limit=limits.path_bytes)
    return None


def _suspicion(path: str) -> str | None:
    """Return the code of what is wrong with a path that holds something suspicious, or None.

    A backslash inside a name, or a colon after one letter, is odd, and kept.
    """
    tests = (
        ("name.nul", "\x00" in path),
        ("name.absolute", path.startswith(("/", "\\"))),
        ("name.drive", _DRIVE.match(path)),
        ("name.climbs", _CLIMBS.search(path)),
        ("name.home", path == "~" or path.startswith("~/")),
        ("name.not-canonical", any(segment in {"", "."} for segment in path.split("/"))),
    )
    return next((code for code, wrong in tests if wrong), None)
