"""JSON and JSON Lines: whether it is well-formed, what is at its top, and the schema that it names."""

import json
from pathlib import Path
from typing import Any

import orjson

from tools.characterise import text
from tools.characterise.text import WHOLE

MOST_NAMES = 100
FIELDS = {
    "well_formed": "whether it is JSON to the letter (RFC 8259); absent where that could not be judged",
    "problem": "what is wrong with it, in the parser's words",
    "top": "what stands at the top: object, array, string, number, boolean or null",
    "members": "how many members the object or array at the top has",
    "member_names": "the names at the top, at most 100",
    "json_schema": "what `$schema` names",
    "json_type": "what `type` or `@type` names at the top (GeoJSON, JSON-LD)",
    "json_context": "what `@context` names, if it is a text",
    "lines": "of JSON Lines: how many records",
    "faulty_lines": "of JSON Lines: how many lines are no JSON",
    **text.FIELDS,
}
BOUNDS = "Whole up to 16 MiB; of longer files encoding and line ends, and of JSON Lines the first 16 MiB."
tool = text.tool
_KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


def read(path: Path) -> dict[str, Any]:
    """Return encoding, well-formedness and what is at the top."""
    data, partial = text.beginning(path, WHOLE)
    properties = text.describe(data, partial=partial)
    if properties["encoding"] not in {"US-ASCII", "UTF-8"}:
        return properties | ({} if partial else _judged(data))
    if path.suffix.lower() in {".jsonl", ".ndjson"}:
        return properties | _lines(data, partial=partial)
    return properties if partial else properties | _judged(data)


def _judged(data: bytes) -> dict[str, Any]:
    try:
        value = _parsed(data)
    except ValueError as error:
        return {"well_formed": False, "problem": str(error)}
    except RecursionError:
        return {"problem": "it is nested too deeply to be judged"}
    return {"well_formed": True} | _top(value)


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses lone surrogates in escapes and a byte order mark, which JSON's grammar has room for
        return json.loads(data, parse_constant=_refuse)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a value of JSON")


def _top(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"top": _KINDS.get(type(value), "null")}
    if isinstance(value, dict | list):
        found["members"] = len(value)
    if isinstance(value, dict):
        found["member_names"] = sorted(value)[:MOST_NAMES]
        for key, name in (
            ("$schema", "json_schema"),
            ("@context", "json_context"),
            ("@type", "json_type"),
            ("type", "json_type"),
        ):
            if isinstance(value.get(key), str):
                found[name] = value[key]
    return found


def _lines(data: bytes, *, partial: bool) -> dict[str, Any]:
    lines = data.split(b"\n")
    if partial:
        lines.pop()
    count = faulty = 0
    for line in lines:
        if not line.strip():
            continue
        count += 1
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            faulty += 1
    return {"lines": count, "faulty_lines": faulty, "well_formed": faulty == 0}
