"""Tables as text (CSV, TSV): delimiter, header, columns, rows, and rows that do not fit the others."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from tools.characterise import text
from tools.characterise.text import WHOLE

SAMPLE = 20
"""Rows that the delimiter and the header are told from."""
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
    separator = delimiter or _delimiter(words)
    if '"' in words:
        csv.field_size_limit(LONGEST_FIELD)
        try:
            reader = csv.reader(io.StringIO(words, newline=""), delimiter=separator)
            first = list(islice(reader, SAMPLE))
            lengths = Counter(map(len, first))
            lengths.update(map(len, reader))
        except csv.Error as error:
            return {"problem": str(error)}
    else:  # nothing is quoted: counting is ten times quicker
        lines = _lines(words)
        lengths = Counter(map(str.count, lines, repeat(separator)))
        lengths = Counter({cuts + 1: count for cuts, count in lengths.items()})
        first = [line.split(separator) for line in lines[:SAMPLE]]
    lengths.pop(0, None)  # empty lines are no rows
    if not lengths or not first:
        return {"rows": 0}
    columns, fitting = lengths.most_common(1)[0]
    found: dict[str, Any] = {
        "delimiter": DELIMITERS[separator],
        "columns": columns,
        "rows": (rows := lengths.total()),
        "ragged_rows": rows - fitting,
        "header": _is_header(first),
    }
    if found["header"]:
        found["column_names"] = first[0][:MOST_NAMES]
    return found


def _delimiter(words: str) -> str:
    lines = _lines(words[: 1 << 12])[:SAMPLE]
    if '"' in words:
        lines = [_QUOTED.sub("", line) for line in lines]

    def evenness(separator: str) -> tuple[float, int]:
        counts = [line.count(separator) for line in lines]
        usual = max(counts, key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual else 0.0), usual

    return max(DELIMITERS, key=evenness)


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
