"""The registered extensions of OCFL, and the layouts among them: where an object's id puts it (§4.3)."""

import hashlib
from collections.abc import Mapping
from typing import Any

from packages.ocfl.layout import object_path

REGISTERED = frozenset(
    {
        "0001-digest-algorithms",
        "0002-flat-direct-storage-layout",
        "0003-hash-and-id-n-tuple-storage-layout",
        "0004-hashed-n-tuple-storage-layout",
        "0005-mutable-head",
        "0006-flat-omit-prefix-storage-layout",
        "0007-n-tuple-omit-prefix-storage-layout",
        "0008-schema-registry",
        "0009-digest-algorithms",
        "0010-differential-n-tuple-omit-prefix-storage-layout",
        "0011-direct-clean-path-layout",
        "0012-hash-and-no-prefix-id-n-tuple-storage-layout",
        "initial",
    }
)

_DEFAULTS = {"digestAlgorithm": "sha256", "tupleSize": 3, "numberOfTuples": 3, "shortObjectRoot": False}
_HASHES = ("md5", "sha1", "sha256", "sha512")  # no set: any JSON at all is looked for in it
_MOST = 32  # the size and the number of tuples that the extensions allow: a huge one would fill the memory


def place_of(layout: str, config: Mapping[str, Any], object_id: str) -> str | None:
    """Return the folder that a layout gives an id, or None for a layout whose rule is not known here."""
    number = layout[:4]
    if number == "0002":
        return object_id
    if number not in {"0003", "0004"}:
        return None
    settings = {**_DEFAULTS, **config}
    size, count = settings["tupleSize"], settings["numberOfTuples"]
    if settings["digestAlgorithm"] not in _HASHES or not _is_allowed(size) or not _is_allowed(count):
        return None
    if number == "0003":
        return object_path(object_id, algorithm=settings["digestAlgorithm"], size=size, count=count)
    raw = object_id.encode("utf-8", "surrogatepass")
    digest = hashlib.new(settings["digestAlgorithm"], raw, usedforsecurity=False).hexdigest()
    tuples = [digest[at * size : (at + 1) * size] for at in range(count if size else 0)]
    return "/".join([*tuples, digest[size * count :] if settings["shortObjectRoot"] else digest])


def _is_allowed(number: object) -> bool:
    return isinstance(number, int) and 0 <= number <= _MOST
