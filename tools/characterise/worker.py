"""The child process of `tools.characterise`.

A job is ``[family, path]``, an answer ``[tool, properties, error]``.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from packages.policies import CHARACTERISE_SECONDS
from packages.xml_text import legal
from tools import crew_member
from tools.characterise.families import BY_NAME, MISSING
from tools.characterise.fitting import LONGEST, clean

BUSY_SECONDS = CHARACTERISE_SECONDS // 3
"""Processor time of one file; some libraries go on for hours with a damaged one."""
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
        return tool, {}, legal(without(path, f"{type(error).__name__}: {error}"))[:LONGEST]
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
