"""Technical metadata made small and fit for JSON, XML and SQL: by who reads it, and by who believes that."""

import math
from typing import Any

LONGEST = 1000
"""Characters of one value."""
MOST = 100
"""Items of one list, and of an object within it."""
DEEPEST = 4
ROOM = 1 << 14
"""Characters of one list or object: a hundred names may be written into a file of a kilobyte."""
_LARGEST = 1 << 63


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
