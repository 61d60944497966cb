"""The fingerprint of a submission: equal for the same content, in whatever container it came."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from packages.submission import Shape
from services.ingest.examination import content_prefix
from storage.staging import Workspace

# What bagging alone writes: the same content bagged again, on another day, has other ones.
WRITTEN_BY_BAGGING = re.compile(
    r"bagit\.txt|bag-info\.txt|(?:tag)?manifest-[a-z0-9_-]+\.txt|fetch\.txt", re.IGNORECASE
)
VARYING_LABELS = frozenset({"bagging-date", "bag-software-agent", "bag-size", "payload-oxum"})
_FOLDER = b"folder\0"
_DIGEST = 64  # bytes of a SHA-512


def fingerprint(
    workspace: Workspace, shape: Shape, record: Mapping[str, Any], info: Iterable[tuple[str, str]]
) -> str:
    """Return the SHA-512 of what was deposited.

    That is, sorted: path, size and SHA-512 of the payload and of the depositor's own tag files, the empty
    folders, what bag-info.txt (`info`) says of the content, and the record. What bagging alone writes is
    left out.
    """
    total = hashlib.sha512()
    for row in sorted(_rows(workspace, shape)):
        is_file = not row.startswith(_FOLDER)
        total.update(b"%b%b\n" % (row[:-_DIGEST], row[-_DIGEST:].hex().encode()) if is_file else row)
    for label, value in sorted(info):
        if label.lower() not in VARYING_LABELS:
            total.update(f"{label}\0{value}\n".encode("utf-8", "surrogatepass"))
    total.update(orjson.dumps(dict(record), option=orjson.OPT_SORT_KEYS))
    return total.hexdigest()


def _rows(workspace: Workspace, shape: Shape) -> Iterator[bytes]:
    """Yield a row for each file and folder; of a million all are in memory, so the digest is raw in them."""
    prefix = content_prefix(shape)
    for entry in workspace.read_sheet("received"):
        inner = entry.path.removeprefix(shape.root)
        if entry.path.startswith(prefix):
            name = f"data\0{entry.path.removeprefix(prefix)}"
        elif entry.path.startswith(shape.root) and not WRITTEN_BY_BAGGING.fullmatch(inner):
            name = f"tag\0{inner}"
        else:
            continue
        yield b"%b\0%d\0%b" % (name.encode(), entry.size, bytes.fromhex(entry.sha512))
    for folder in workspace.read_json("directories"):
        if folder.startswith(prefix):
            yield b"%b%b\n" % (_FOLDER, folder.removeprefix(prefix).encode())
