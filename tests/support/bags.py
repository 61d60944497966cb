"""Bags made by hand, without our own writer: valid ones, and whatever is put over them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tests.support.depositor import put

PAYLOAD = {"data/a.txt": b"alpha", "data/sub/b.txt": b"beta"}
DECLARATION = "BagIt-Version: {version}\nTag-File-Character-Encoding: {encoding}\n"


def lines(files: Mapping[str, bytes], algorithm: str = "sha512", between: str = "  ", end: str = "\n") -> str:
    """Return manifest lines of these files."""
    return "".join(
        f"{hashlib.new(algorithm, data).hexdigest()}{between}{name}{end}" for name, data in files.items()
    )


def bag_files(
    *,
    payload: Mapping[str, bytes] = PAYLOAD,
    version: str = "1.0",
    encoding: str = "UTF-8",
    algorithms: tuple[str, ...] = ("sha512",),
    info: str = "Source-Organization: Harbour Museum\n",
    extra: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a valid bag, with what `extra` puts over it."""
    files = dict(payload)
    files["bagit.txt"] = DECLARATION.format(version=version, encoding=encoding).encode()
    files["bag-info.txt"] = info.encode(encoding)
    for algorithm in algorithms:
        files[f"manifest-{algorithm}.txt"] = lines(payload, algorithm).encode(encoding)
    files.update(extra or {})
    return files


def make_bag(root: Path, **fields: object) -> Path:
    """Write such a bag to `root`, and return it."""
    return put(root, bag_files(**fields))


def originals(payload: Mapping[str, bytes] = PAYLOAD) -> dict[str, bytes]:
    """Return the payload as it must come back."""
    return {name.removeprefix("data/"): data for name, data in payload.items()}
