"""Where an object lies in a storage root: OCFL extension 0003, hash-and-id n-tuple storage layout.

An object's folder bears its id in readable form, three levels of SHA-256 keep folders small:
``urn:uuid:…`` lies in ``3c0/ff4/240/urn%3auuid%3a…``.
"""

import hashlib
import re
from urllib.parse import unquote

NAME = "0003-hash-and-id-n-tuple-storage-layout"
DESCRIPTION = "Hashed n-tuple folders, and the object's percent-encoded id as the name of its folder"
DECLARATION = "0=ocfl_1.1"
DECLARATION_TEXT = b"ocfl_1.1\n"
DEPTH = 3
TUPLE = 3
LONGEST = 100  # characters of an encoded id that the extension keeps

CONFIG = {
    "extensionName": NAME,
    "digestAlgorithm": "sha256",
    "tupleSize": TUPLE,
    "numberOfTuples": DEPTH,
}

_FOREIGN = re.compile(rb"[^A-Za-z0-9_-]")
_TUPLE = re.compile(r"[0-9a-f]{3}\Z")


def object_path(object_id: str, *, algorithm: str = "sha256", size: int = TUPLE, count: int = DEPTH) -> str:
    """Return the object's folder, relative to the storage root, with ``/`` between segments.

    Without parameters by the layout of our own roots; with them, by that of another root of this extension.
    """
    raw = object_id.encode("utf-8", "surrogatepass")
    digest = hashlib.new(algorithm, raw, usedforsecurity=False).hexdigest()
    name = _FOREIGN.sub(lambda match: b"%%%02x" % match[0][0], raw).decode("ascii")
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}-{digest}"
    return "/".join([*(digest[at * size : (at + 1) * size] for at in range(count if size else 0)), name])


def object_id(path: str) -> str | None:
    """Return the id of the object in the folder `path`; None where only its inventory tells (a long id)."""
    try:
        found = unquote(path.rpartition("/")[2], errors="strict")
    except UnicodeDecodeError:
        return None
    return found if object_path(found) == path else None


def is_tuple(name: str) -> bool:
    """Tell whether `name` is that of a folder between the root and the objects."""
    return bool(_TUPLE.match(name))
