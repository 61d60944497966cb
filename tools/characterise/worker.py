"""The child process of `tools.characterise`.

A job is ``[family, path]``, an answer ``[tool, properties, error]``.
"""

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from packages.policies import CHARACTERISE_SECONDS
from tools import crew_member
from tools.characterise.families import BY_NAME, MISSING

LONGEST = 1000
"""Characters of one value."""
MOST = 100
"""Items of one list, and of an object within it."""
DEEPEST = 4
ROOM = 1 << 14
"""Characters of one list or object: a hundred names may be written into a file of a kilobyte."""
BUSY_SECONDS = CHARACTERISE_SECONDS // 3
"""Processor time of one file; some libraries go on for hours with a damaged one."""
_LARGEST = 1 << 63
COMMON = ("image", "pdf", "office")
"""Families whose libraries are loaded before there is work, while nobody waits for them."""


class _Reader(NamedTuple):
    tool: str
    read: Callable[[Path], dict[str, Any]]


class _Missing(Exception):
    """A reader's library is not installed."""


def read(family: str, path: Path) -> tuple[str, dict[str, Any], str | None]:
    """Return tool, properties and error of one file; never raises."""
    tool = family
    try:
        tool, reader = _reader(family)
        found = clean(reader(path))
    except _Missing as error:
        return tool, {}, f"{MISSING}{error}"
    except Exception as error:  # noqa: BLE001  # a reader may fail in any way on a hostile file
        return tool, {}, without(path, f"{type(error).__name__}: {error}")[:LONGEST]
    return tool, without(path, found), None


@cache
def _reader(family: str) -> _Reader:
    known = BY_NAME[family]
    try:
        module = import_module(known.module)
        return _Reader(module.tool(), module.read)
    except (ImportError, OSError) as error:
        raise _Missing(known.needs or known.module) from error


def without(path: Path, value: Any) -> Any:
    """Return `value` without the place where the file lay while it was read, which means nothing later."""
    return _unplaced(value, str(path), path.name)


def _unplaced(value: Any, place: str, name: str) -> Any:
    if isinstance(value, str):
        return value.replace(f"{place}: ", "").replace(place, name) if place in value else value
    if isinstance(value, list):
        return [_unplaced(each, place, name) for each in value]
    if isinstance(value, dict):
        return {key: _unplaced(each, place, name) for key, each in value.items()}
    return value


def clean(properties: dict[str, Any]) -> dict[str, Any]:
    """Return `properties` small and fit for JSON, XML and SQL: no empty values, no control characters.

    Lists have at most `MOST` items, texts `LONGEST` characters, and a list or an object `ROOM` characters in
    all; what is no value of JSON becomes text.
    """
    return {
        name: fit
        for name, value in properties.items()
        if (fit := _within_room(_fit(value, DEEPEST))) not in (None, "")
    }


def _within_room(value: Any) -> Any:
    """Return the beginning of a list or an object, as much as there is room for."""
    if not isinstance(value, list | dict):
        return value
    room = ROOM
    kept = 0
    for each in value if isinstance(value, list) else value.items():
        room -= _characters(each)
        if room < 0:
            break
        kept += 1
    if kept == len(value):
        return value
    return (value[:kept] if isinstance(value, list) else dict(list(value.items())[:kept])) or None


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(key) + _characters(each) for key, each in value.items())
    return sum(map(_characters, value)) if isinstance(value, list | tuple) else 1


def _fit(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return (value if value.isprintable() else _printable(value)).strip()[:LONGEST]
    if value is None or isinstance(value, bool) or (type(value) is int and -_LARGEST <= value < _LARGEST):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple | dict) and depth:
        return _fit_items(value, depth - 1)
    return _fit(str(value), 0)


def _fit_items(value: Any, depth: int) -> Any:
    """Return a list or an object that is short and shallow; None where nothing is left of it."""
    if isinstance(value, dict):
        pairs = ((_fit(str(key), 0), _fit(value[key], depth)) for key in list(value)[:MOST])
        return {key: fit for key, fit in pairs if key and fit not in (None, "")} or None
    return [fit for each in value[:MOST] if (fit := _fit(each, depth)) is not None] or None


def _printable(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return "".join(c for c in text if c.isprintable() or c in "\t\n")


def _answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for family, path in jobs:
        signal.setitimer(signal.ITIMER_VIRTUAL, BUSY_SECONDS)
        try:
            answer = read(family, Path(path))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        yield [answer]


def give_up(*_: object) -> None:
    """End a reader that keeps the processor busy: a third of the deadline, after which the child is lost."""
    raise TimeoutError(f"it kept the processor busy for more than {BUSY_SECONDS} s")


if __name__ == "__main__":
    signal.signal(signal.SIGVTALRM, give_up)
    for each in COMMON:
        with suppress(_Missing):
            _reader(each)
    crew_member.serve(_answer)
