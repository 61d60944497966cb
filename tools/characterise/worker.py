"""The child process of `tools.characterise`.

A job is ``[family, path]``, an answer ``[tool, properties, error]``.
"""

from collections.abc import Callable, Iterator
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
    module, tool = READERS[family]
    try:
        reader: Callable[[Path], dict[str, Any]] = import_module(module).read
        found = clean(reader(path))
        return tool, {k: without(path, v) for k, v in found.items()}, None
    except Exception as error:  # noqa: BLE001  # a reader may fail in any way on a hostile file
        return tool, {}, without(path, f"{type(error).__name__}: {error}")[:LONGEST]


def without(path: Path, value: Any) -> Any:
    """Return `value` without the place where the file lay while it was read, which means nothing later."""
    return value.replace(f"{path}: ", "").replace(str(path), path.name) if isinstance(value, str) else value


def clean(properties: dict[str, Any]) -> dict[str, Any]:
    """Return `properties` small and fit for JSON, XML and SQL: no empty values, no control characters."""
    kept = {}
    for name, value in properties.items():
        if isinstance(value, str):
            text = value.encode("utf-8", "replace").decode()
            text = "".join(c for c in text if c.isprintable() or c in "\t\n").strip()[:LONGEST]
            if text:
                kept[name] = text
        elif value is not None:
            kept[name] = value
    return kept


def _answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for family, path in jobs:
        yield [read(family, Path(path))]


if __name__ == "__main__":
    crew_member.serve(_answer)
