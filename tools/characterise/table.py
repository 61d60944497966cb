"""Tables as text (CSV, TSV): delimiter, header, columns, rows, and rows that do not fit the others."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from tools.characterise import text
from tools.characterise.text import WHOLE

SAMPLE = 20
"""Rows that the delimiter and the header are told from."""
HEAD = 1 << 14
"""Characters that they are looked for in, where fields are quoted."""
MOST_NAMES = 100
LONGEST_FIELD = 1 << 20
FIELDS = {
    "delimiter": "comma, semicolon, tab or bar: the one that divides the first 20 rows most evenly",
    "columns": "how many columns most rows have",
    "rows": "how many rows, the header among them; of the judged bytes where the file is longer",
    "ragged_rows": "how many rows have another number of columns than most",
    "header": "true where the first row looks like names: all filled, none twice, none a number",
    "column_names": "the names in the header, at most 100",
    "problem": "what kept the table from being read",
    **text.FIELDS,
}
BOUNDS = "Whole up to 16 MiB; of longer files the first 16 MiB (`judged_bytes`)."
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
tool = text.tool
_QUOTED = re.compile(r'"[^"]*"')


def read(path: Path) -> dict[str, Any]:
    """Return encoding and the shape of the table."""
    data, partial = text.beginning(path, WHOLE)
    properties = text.describe(data, partial=partial)
    encoding = str(properties["encoding"])
    if encoding == "UTF-8" and properties.get("byte_order_mark"):
        encoding = "utf-8-sig"
    elif encoding == "unknown 8-bit":
        encoding = "latin-1"  # every byte is a character: the shape does not depend on which
    words = data.decode(encoding, "replace").removeprefix("\ufeff")
    if partial:
        words = words[: words.rfind("\n") + 1]
    return properties | shape(words, "\t" if path.suffix.lower() in {".tsv", ".tab"} else None)


def shape(words: str, delimiter: str | None = None) -> dict[str, Any]:
    """Describe the table in `words`; without `delimiter` it is told from the first rows."""
    lengths: Mapping[int, int]
    if '"' in words:
        separator = delimiter or _delimiter([_QUOTED.sub("", each) for each in _lines(words[:HEAD])[:SAMPLE]])
        csv.field_size_limit(LONGEST_FIELD)
        try:
            reader = csv.reader(io.StringIO(words, newline=""), delimiter=separator)
            first = [row for row in islice(reader, SAMPLE) if row]
            counted = Counter(map(len, first))
            counted.update(map(len, reader))
        except csv.Error as error:
            return {"problem": str(error)}
        lengths = counted
    else:  # nothing is quoted: counting is ten times quicker
        lines = _lines(words)
        separator = delimiter or _delimiter(lines[:SAMPLE])
        cuts = Counter(list(map(str.count, lines, repeat(separator))))
        lengths = {each + 1: rows for each, rows in cuts.items()}
        first = [line.split(separator) for line in lines[:SAMPLE]]
    return _told(separator, {length: rows for length, rows in lengths.items() if length}, first)


def _told(separator: str, lengths: Mapping[int, int], first: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Say it in properties; `lengths` are numbers of rows by their number of columns."""
    if not lengths or not first:
        return {"rows": 0}
    columns = max(lengths, key=lengths.__getitem__)
    found: dict[str, Any] = {
        "delimiter": DELIMITERS[separator],
        "columns": columns,
        "rows": (rows := sum(lengths.values())),
        "ragged_rows": rows - lengths[columns],
        "header": _is_header(first),
    }
    if found["header"]:
        found["column_names"] = list(first[0][:MOST_NAMES])
    return found


def _delimiter(lines: Sequence[str]) -> str:
    """Return what divides the lines most evenly, then most often."""
    best, separator = (0.0, 0), ","
    for each in DELIMITERS:
        counts = list(map(str.count, lines, repeat(each)))
        usual = max(counts, key=counts.count, default=0) if any(counts) else 0
        if usual and (evenness := (counts.count(usual) / len(counts), usual)) > best:
            best, separator = evenness, each
    return separator


def _lines(words: str) -> list[str]:
    if "\r" in words:
        words = words.replace("\r\n", "\n").replace("\r", "\n")
    return list(filter(None, words.split("\n")))


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    names = [each.strip() for each in rows[0]]
    if len(rows) < 2 or not all(names) or len(set(names)) < len(names):
        return False
    return not any(_is_number(each) for each in names)


def _is_number(word: str) -> bool:
    try:
        float(word.replace(",", "."))
    except ValueError:
        return False
    return True
