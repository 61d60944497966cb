"""What a rebuild reads of the stores may be anybody's writing: one object must not keep all others out."""

import hashlib

from packages.errors import Corrupt, HoldfastError
from storage.ports import ArchivalStore

NOT_OURS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading an object raises that nobody of ours has written."""


def bytes_of(store: ArchivalStore, object_id: str, content: str, digest: str | None = None) -> bytes:
    """Return a small file. Raises Corrupt where its SHA-512 is not the `digest`."""
    with store.open(object_id, content) as stream:
        data = stream.read()
    if digest is not None and hashlib.sha512(data).hexdigest() != digest:
        raise Corrupt(f"{content} of {object_id} in {store.name} is damaged")
    return data


def why(error: Exception) -> str:
    """Return why an object could not be restored."""
    return error.message if isinstance(error, HoldfastError) else f"it is no object of ours: {error!r}"
