"""An inventory's keys one after the other: from a stream where it is long, never the whole tree in memory.

A million files make an inventory of some 400 MB, and several gigabytes of Python objects. What comes from
here is a line at a time; who wants to keep it keeps it compactly (`packages.ocfl.compact`). Inventories of
ordinary length are parsed at once, which takes a tenth of the time and gives the same parts.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, Final, Protocol

import ijson
import orjson

from packages.errors import Invalid
from packages.ocfl.algorithms import ALGORITHMS

AT_ONCE = 16 << 20
"""Up to so many bytes of JSON, some 40,000 files, are parsed at once, in four times as much memory."""
_BUFFER = 1 << 18
_DEEPEST = 64
_ROWS = 2_000


class ByteStream(Protocol):
    """Bytes to be read once from the beginning: as many as asked for, or fewer; none at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        ...


class Block:
    """Stands for a JSON object whose keys follow one by one."""


BLOCK: Final = Block()
Part = tuple[tuple[str, ...], str, Any]
"""Where a key stands, the key, and its value: `BLOCK` where the keys of an object follow."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Many keys of one block at once, and their values: digests and what should be lists of paths."""

    keys: Sequence[str]
    values: Sequence[Any]


class Opener:
    """Opens the same file again and again, and digests it when asked."""

    def __init__(self, open_again: Callable[[], BinaryIO], algorithms: Iterable[str]) -> None:
        self._open = open_again
        self._hashes = {name: ALGORITHMS[name].make() for name in algorithms}
        self.digests: dict[str, str] = {}

    def __call__(self) -> BinaryIO:
        """Open the file at its beginning."""
        return self._open()

    def digest(self) -> dict[str, str]:
        """Return the file's digests."""
        if not self.digests:
            with self._open() as stream:
                while data := stream.read(1 << 20):
                    for each in self._hashes.values():
                        each.update(data)
            self.digests = {name: each.hexdigest() for name, each in self._hashes.items()}
        return self.digests


def read_parts(stream: ByteStream) -> Iterator[Part]:
    """Yield every key of an inventory in the order of the file, also one that occurs twice.

    The keys of the inventory itself stand at ``()``; digests of the manifest at ``("manifest",)``, of states
    at ``("versions", "v1", "state")``, of the fixity block at ``("fixity", "md5")``. Raises Invalid where the
    stream is no JSON object in UTF-8.
    """
    for where, key, value in read_blocks(stream):
        if isinstance(value, Rows):
            yield from ((where, each, inner) for each, inner in zip(value.keys, value.values, strict=True))
        else:
            yield where, key, value


def read_blocks(stream: ByteStream) -> Iterator[Part]:
    """Yield what `read_parts` does, but digests and paths of the manifest and of states as `Rows`."""
    first = bytearray()
    while len(first) < AT_ONCE and (piece := stream.read(_BUFFER)):
        first += piece
    if len(first) >= AT_ONCE:
        whole = Rejoined(first, stream)
        del first
        yield from stream_blocks(whole)
        return
    tree = _tree(first)
    if tree is None:
        yield from stream_blocks(io.BytesIO(first))
    else:
        del first
        yield from _walked(tree, ())


class Rejoined:
    """The beginning of a stream that has been read, and the rest."""

    def __init__(self, first: bytearray, rest: ByteStream) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes."""
        data = self._first.read(size)
        if data or size == 0:  # the parser asks for nothing, to see whether that is bytes or text
            return data
        self._first = io.BytesIO()  # it is not needed again, and large
        return self._rest.read(size)


def _tree(data: bytearray) -> dict[str, Any] | None:
    """Return an inventory's JSON; None where only the stream can tell what it says, or what is wrong with it.

    A key that occurs twice is lost in a dictionary. Then the text has more strings than the tree: each has
    two quotation marks, beside those that are escaped.
    """
    try:
        tree = orjson.loads(data)
        strings = _strings(tree) if isinstance(tree, dict) else -1
    except (orjson.JSONDecodeError, _Different):
        return None
    if b"\\" in data:
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    return tree if data.count(b'"') == 2 * strings else None


class _Different(Exception):
    """A value that the two parsers do not read alike: no integer, or nested deeply."""


def _strings(value: Any, depth: int = 0) -> int:
    """Return how many strings a value has, keys among them."""
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        inner = value.values()
        if set(map(type, inner)) == {list} and set(map(type, chain.from_iterable(inner))) <= {str}:
            return len(value) + sum(map(len, inner))  # digests and their paths: nearly all that there is
        return len(value) + sum(_strings(each, depth + 1) for each in inner)
    if isinstance(value, float) or depth > _DEEPEST:
        raise _Different
    return sum(_strings(each, depth + 1) for each in value) if isinstance(value, list) else 0


def _walked(block: dict[str, Any], where: tuple[str, ...]) -> Iterator[Part]:
    """Yield the keys of a block as `stream_blocks` does."""
    if _has_rows(where):
        yield where, "", Rows(list(block), list(block.values()))
        return
    for key, value in block.items():
        if isinstance(value, dict) and _is_block(where, key):
            yield where, key, BLOCK
            yield from _walked(value, (*where, key))
        else:
            yield where, key, value


def stream_blocks(stream: ByteStream) -> Iterator[Part]:
    """Yield what `read_blocks` does, reading little further than it is asked to, in little memory."""
    events = ijson.basic_parse(stream, buf_size=_BUFFER, use_float=False)
    try:
        event, _ = next(events)
        if event != "start_map":
            raise Invalid("An inventory is JSON, but no object.")
        yield from _parts(events, ())
        for _ in events:  # nothing may follow; what does is an error of the parser
            pass
    except (ijson.JSONError, StopIteration, ValueError) as error:
        raise Invalid(f"An inventory is not JSON: {_first_line(error)}.") from None


def _parts(events: Iterator[tuple[str, Any]], where: tuple[str, ...]) -> Iterator[Part]:
    if _has_rows(where):
        yield from _rows(events, where)
        return
    for event, key in events:
        if event == "end_map":
            return
        event, value = next(events)  # noqa: PLW2901  # a key and its value are two events
        if event == "start_array":
            yield where, key, _array(events)
        elif event == "start_map" and _is_block(where, key):
            yield where, key, BLOCK
            yield from _parts(events, (*where, key))
        else:
            yield where, key, _value(events, event, value)


def _rows(events: Iterator[tuple[str, Any]], where: tuple[str, ...]) -> Iterator[Part]:
    keys: list[str] = []
    values: list[Any] = []
    for event, key in events:
        if event == "end_map":
            if keys:
                yield where, "", Rows(keys, values)
            return
        event, value = next(events)  # noqa: PLW2901  # as above
        keys.append(key)
        values.append(_array(events) if event == "start_array" else _value(events, event, value))
        if len(keys) == _ROWS:
            yield where, "", Rows(keys, values)
            keys, values = [], []


def _has_rows(where: tuple[str, ...]) -> bool:
    """Tell whether the keys of a block are digests with paths, of which there may be very many."""
    return where == ("manifest",) or len(where) == 3  # versions, v1, state


def _is_block(where: tuple[str, ...], key: str) -> bool:
    """Tell whether the object `key` is given key by key: the inventory's own structure."""
    if not where:
        return key in {"manifest", "versions", "fixity"}
    if len(where) == 1:
        return where[0] in {"versions", "fixity"}
    return len(where) == 2 and where[0] == "versions" and key == "state"  # versions, v1


def _array(events: Iterator[tuple[str, Any]], depth: int = 0) -> list[Any]:
    found: list[Any] = []
    for event, value in events:
        if event == "end_array":
            return found
        found.append(value if event == "string" else _value(events, event, value, depth + 1))
    raise Invalid("An inventory ends inside an array.")


def _value(events: Iterator[tuple[str, Any]], event: str, value: Any, depth: int = 0) -> Any:
    """Return a small value whole: those of keys that hold no paths."""
    if depth > _DEEPEST:
        raise Invalid("An inventory is nested too deeply.")
    if event == "start_array":
        return _array(events, depth)
    if event != "start_map":
        return value
    found = {}
    for inner, key in events:
        if inner == "end_map":
            break
        inner, below = next(events)  # noqa: PLW2901  # as above
        found[key] = _value(events, inner, below, depth + 1)
    return found


def _first_line(error: Exception) -> str:
    """Return the reason, without the parser's picture of the place."""
    text = str(error)
    if text.startswith(("b'", 'b"')):
        text = text[2:].replace("\\n", "\n")
    return text.partition("\n")[0].strip() or "it ends too early"
