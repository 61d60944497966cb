"""An inventory read as a stream: its keys one after the other, never the whole tree in memory.

A million files make an inventory of some 400 MB, and several gigabytes of Python objects. What comes from
here is a line at a time; who wants to keep it keeps it compactly (`packages.ocfl.compact`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final, Protocol

import ijson

from packages.errors import Invalid
from packages.ocfl.algorithms import ALGORITHMS

_BUFFER = 1 << 18
_DEEPEST = 64


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
