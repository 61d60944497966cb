"""Writes schemas/pronom-names.json, what PRONOM calls each format, from the identifier that we ship.

Run it as `.venv/bin/python scripts/write_format_names.py` after an update of pygfried. A test says when the
file is old. pygfried gives the name of a format only with a file of it, so the names are read from the
signature file of siegfried itself. It lies in the library: behind four bytes and its version, deflated, with
a table of all formats in which each text has its length before it.
"""

import importlib.util
import json
import re
import zlib
from pathlib import Path

import pygfried

FILE = Path(__file__).resolve().parent.parent / "schemas" / "pronom-names.json"
MAGIC = re.compile(rb"sf\x00\xff[\x01-\x09]")
BEFORE = 6
"""Bytes before what is deflated: the magic ones, and two of the version."""
PUID = re.compile(r"(?:x-)?fmt/[1-9][0-9]*")
ROW = re.compile(rb"[\x05-\x0a]\x00(?:x-)?fmt/")
MORE_THAN_CHANCE = 20
"""Rows behind each other that are no list of PUIDs taken for some."""
COLUMNS = 5
"""PUID, name, version, MIME type and class of a format."""


def names_file() -> str:
    """Return the file, as it should be. Raises LookupError where the identifier holds no such table."""
    spec = importlib.util.find_spec("pygfried")
    if spec is None or spec.origin is None:
        raise LookupError("pygfried lies nowhere")
    library = Path(spec.origin).read_bytes()
    for found in MAGIC.finditer(library):
        signatures = zlib.decompressobj(-zlib.MAX_WBITS).decompress(library[found.start() + BEFORE :])
        if release := re.search(rb"DROID_SignatureFile_V\d+\.xml", signatures):
            return _text(release.group().decode(), _longest_table(signatures))
    raise LookupError("this pygfried holds no signatures of PRONOM")


def _text(release: str, names: dict[str, tuple[str, str]]) -> str:
    about = (
        "What PRONOM (The National Archives, Open Government Licence 3.0) calls each format: "
        f"PUID, name, version. As siegfried {pygfried.version()} has them, from {release}."
    )
    order = sorted(names, key=lambda puid: (puid.startswith("x"), int(puid.rpartition("/")[2])))
    lines = (f"    {json.dumps(puid)}: {json.dumps(names[puid], ensure_ascii=False)}" for puid in order)
    return f'{{\n  "about": {json.dumps(about)},\n  "names": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def _longest_table(data: bytes) -> dict[str, tuple[str, str]]:
    """Return name and version by PUID, of the longest run of rows: lists of PUIDs look like short ones."""
    longest: dict[str, tuple[str, str]] = {}
    at = 0
    while (found := ROW.search(data, at)) is not None:
        table: dict[str, tuple[str, str]] = {}
        at = found.start()
        while (row := _row(data, at)) is not None:
            (puid, name, version, *_), at = row
            table[puid] = name, version
        longest = max(longest, table, key=len)
        if len(table) < MORE_THAN_CHANCE:
            at = found.start() + 1
    return longest


def _row(data: bytes, at: int) -> tuple[list[str], int] | None:
    texts = []
    for _ in range(COLUMNS):
        length = int.from_bytes(data[at : at + 2], "little")
        try:
            texts.append(data[at + 2 : at + 2 + length].decode())
        except UnicodeDecodeError:
            return None
        at += 2 + length
    return (texts, at) if PUID.fullmatch(texts[0]) and not PUID.fullmatch(texts[1]) else None


if __name__ == "__main__":
    FILE.write_text(names_file(), encoding="utf-8")
