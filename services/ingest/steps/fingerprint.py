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
        total.update(row.encode())
    for label, value in sorted(info):
        if label.lower() not in VARYING_LABELS:
            total.update(f"{label}\0{value}\n".encode("utf-8", "surrogatepass"))
    total.update(orjson.dumps(dict(record), option=orjson.OPT_SORT_KEYS))
    return total.hexdigest()


def _rows(workspace: Workspace, shape: Shape) -> Iterator[str]:
    prefix = content_prefix(shape)
    for entry in workspace.read_sheet("received"):
        inner = entry.path.removeprefix(shape.root)
        if entry.path.startswith(prefix):
            yield f"data\0{entry.path.removeprefix(prefix)}\0{entry.size}\0{entry.sha512}\n"
        elif entry.path.startswith(shape.root) and not WRITTEN_BY_BAGGING.fullmatch(inner):
            yield f"tag\0{inner}\0{entry.size}\0{entry.sha512}\n"
    for folder in workspace.read_json("directories"):
        if folder.startswith(prefix):
            yield f"folder\0{folder.removeprefix(prefix)}\n"
