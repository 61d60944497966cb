"""The child process of `tools.characterise`.

A job is ``[family, path]``, an answer ``[tool, properties, error]``.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tools import crew_member

# Imported when first needed: a package of plain text needs none of the libraries.
READERS = {
    "image": ("tools.characterise.image", "Pillow"),
    "pdf": ("tools.characterise.pdf", "pikepdf"),
    "media": ("tools.characterise.media", "MediaInfo"),
    "office": ("tools.characterise.office", "office"),
    "ole": ("tools.characterise.ole", "olefile"),
    "text": ("tools.characterise.text", "text"),
}
LONGEST = 1000


def read(family: str, path: Path) -> tuple[str, dict[str, Any], str | None]:
    """Return tool, properties and error of one file; never raises."""
    tool = READERS[family][1]
    try:
        found = clean(_reader(family)(path))
        return tool, {k: without(path, v) for k, v in found.items()}, None
    except Exception as error:  # noqa: BLE001  # a reader may fail in any way on a hostile file
        return tool, {}, without(path, f"{type(error).__name__}: {error}")[:LONGEST]


@cache
def _reader(family: str) -> Callable[[Path], dict[str, Any]]:
    reader: Callable[[Path], dict[str, Any]] = import_module(READERS[family][0]).read
    return reader


def without(path: Path, value: Any) -> Any:
    """Return `value` without the place where the file lay while it was read, which means nothing later."""
    place = str(path)
    if not isinstance(value, str) or place not in value:
        return value
    return value.replace(f"{place}: ", "").replace(place, path.name)


def clean(properties: dict[str, Any]) -> dict[str, Any]:
    """Return `properties` small and fit for JSON, XML and SQL: no empty values, no control characters."""
    kept = {}
    for name, value in properties.items():
        if isinstance(value, str):
            if text := (value if value.isprintable() else _printable(value)).strip()[:LONGEST]:
                kept[name] = text
        elif value is not None:
            kept[name] = value
    return kept


def _printable(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return "".join(c for c in text if c.isprintable() or c in "\t\n")


def _answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for family, path in jobs:
        yield [read(family, Path(path))]


if __name__ == "__main__":
    crew_member.serve(_answer)
