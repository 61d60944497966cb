"""What a rebuild reads of the stores may be anybody's writing: one object must not keep all others out."""

from packages.errors import HoldfastError
from services.archival_storage.small_files import read_verified
from storage.ports import ArchivalStore

NOT_OURS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading an object raises that nobody of ours has written."""


def bytes_of(
    store: ArchivalStore, object_id: str, content: str, digest: str, *, is_checked: bool = True
) -> bytes:
    """Return a small file. Raises Corrupt where its SHA-512 is not the `digest`, if it `is_checked`."""
    if is_checked:
        return read_verified(store, object_id, content, digest)
    with store.open(object_id, content) as stream:
        return stream.read()


def why(error: Exception) -> str:
    """Return why an object could not be restored."""
    return error.message if isinstance(error, HoldfastError) else f"it is no object of ours: {error!r}"
