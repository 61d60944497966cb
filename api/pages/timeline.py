"""PREMIS for people: events by day and step, and properties as rows of a table."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

ROWS = 500
"""Rows of properties on a page; the API has all of them."""
_DEPTH = 4


def by_day(events: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Return (day, its events) in the order given."""
    return [(day, list(listed)) for day, listed in groupby(events, key=lambda each: str(each["at"])[:10])]


def flat(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of each property, those inside others with their names put together."""
    return list(islice(_rows("", properties, 0), ROWS))


def _rows(prefix: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth < _DEPTH:
        for name, inner in sorted(value.items()):
            yield from _rows(f"{prefix}: {name}" if prefix else str(name), inner, depth + 1)
    elif isinstance(value, list) and depth < _DEPTH and any(isinstance(each, Mapping) for each in value):
        for number, inner in enumerate(value, 1):
            yield from _rows(f"{prefix} {number}", inner, depth + 1)
    elif isinstance(value, list):
        yield prefix, ", ".join(_said(each) for each in value)
    elif value is not None:
        yield prefix, _said(value)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
