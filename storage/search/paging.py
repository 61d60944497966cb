"""Page tokens: where the next page of a search begins, without state on our side."""

import base64
import binascii
import hashlib
from typing import NoReturn, TypeGuard

import orjson

from packages.errors import Invalid
from packages.findings import finding
from packages.query import Query
from storage.search.port import MAX_SIZE, Sort

Key = str | int | float


def check_size(size: int) -> None:
    """Raise Invalid unless a page may have `size` hits."""
    if not 1 <= size <= MAX_SIZE:
        found = finding("query.size", None, size=size, most=MAX_SIZE)
        raise Invalid(found.message, hint=found.hint, findings=(found,))


def encode(query: Query, sort: Sort, key: Key, last_id: str) -> str:
    """Return the token that goes on after the hit with `key` (its place in the order) and `last_id`."""
    return base64.urlsafe_b64encode(orjson.dumps([stamp(query, sort), key, last_id])).decode().rstrip("=")


def decode(token: str, query: Query, sort: Sort, kind: type[Key]) -> tuple[Key, str]:
    """Return (key, id) of a token; raises Invalid for one that is broken or of another query or order."""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        value = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        _fail("the page token is damaged")
    stamped, key, last_id = value if isinstance(value, list) and len(value) == 3 else (None, None, None)
    if not isinstance(stamped, str) or not isinstance(last_id, str) or not _is_key(key, kind):
        _fail("the page token is damaged")
    if stamped != stamp(query, sort):
        _fail("the page token belongs to another query or order")
    return key, last_id


def _is_key(key: object, kind: type[Key]) -> TypeGuard[Key]:
    if isinstance(key, int | float) and not -1e15 < key < 1e15:
        return False  # SQLite would choke on integers beyond 64 bits
    return type(key) is kind


def stamp(query: Query, sort: Sort) -> str:
    """Return what tells one query in one order from others, in 16 characters."""
    return hashlib.sha256(f"{sort}\n{query.text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _fail(problem: str) -> NoReturn:
    found = finding("query.page", None, problem=problem)
    raise Invalid(found.message, hint=found.hint, findings=(found,))
