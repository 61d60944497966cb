"""From a search document to the rows of the SQLite index: everything that can go wrong with one document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from packages import analysis
from packages.query import mapping
from packages.search_document import SearchDocument

MAX_TERMS = 200_000
"""Terms indexed of one field."""

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a document; `packages.search_document` keeps far below."""

_BOUNDARY = " \u00b6 "  # no term of ours; keeps phrases from reaching over two values
_REQUIRED = ("id", "revision", "owner", "state", "metadata", "files", "title", "created", "updated")
_OPTIONAL = ("metadata_until", "files_until", "pid", "oai_id")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one document, without its number."""

    id: str
    revision: str
    document: dict[str, Any]
    terms: dict[str, str]
    keywords: list[dict[str, Any]]

    @property
    def weight(self) -> int:
        """Roughly how many bytes this is."""
        return len(self.document["body"]) + sum(map(len, self.terms.values()))


def rows_of(document: SearchDocument) -> Rows:
    """Return the rows of `document`; raises ValueError or TypeError with the reason where it is not one."""
    if not isinstance(document, Mapping):
        raise TypeError("it is not an object")
    for name in _REQUIRED:
        if not isinstance(document.get(name), str):
            raise TypeError(f"“{name}” is not text")
    for name in _OPTIONAL:
        if not isinstance(document.get(name), str | None):
            raise TypeError(f"“{name}” is neither text nor null")
    year = document.get("year")
    if year is not None and (not isinstance(year, int) or not 0 < year < 10_000):
        raise ValueError("“year” is not a year")
    if not document["id"]:
        raise ValueError("“id” is empty")
    body = orjson.dumps(document)
    if len(body) > MAX_BODY:
        raise ValueError(f"it has {len(body)} bytes, {MAX_BODY} are allowed")
    columns = {name: document.get(name) for name in (*_REQUIRED, *_OPTIONAL)}
    for name in ("title", "pid", "oai_id"):
        del columns[name]
    columns |= {"year": year, "sort_title": analysis.keyword(document["title"])[:200], "body": body}
    terms = {name: _terms(_values(document, field["sources"])) for name, field in mapping()["text"].items()}
    return Rows(document["id"], document["revision"], columns, terms, _keywords(document))


def _values(document: SearchDocument, sources: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for source in sources:
        name, _, inner = source.partition(".")
        value: Any = document.get(name)
        for item in value if isinstance(value, list) else [value]:
            text = item.get(inner) if inner else item
            if isinstance(text, str):
                found[text] = None
            elif text is not None:
                raise TypeError(f"“{source}” holds something that is not text")
    return list(found)


def _terms(values: Iterable[str]) -> str:
    room = MAX_TERMS
    lines = []
    for value in values:
        found = analysis.terms(value)[:room]
        room -= len(found)
        lines.append(" ".join(found))
    return _BOUNDARY.join(lines)


def _keywords(document: SearchDocument) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], tuple[str, int]] = {}

    def add(field: str, text: str | None, *, label: str | None = None, facet: bool = False) -> None:
        if not text:
            return
        as_identifier = mapping()["fields"][field].get("identifier", False)
        value = analysis.identifier(text) if as_identifier else analysis.keyword(text)
        if value and (facet or (field, value) not in found):
            found[field, value] = (label or text, int(facet))

    for field in ("id", "pid"):
        add(field, _single(document.get(field)))
    for name in ("id", "pid", "oai_id"):
        add("identifier", _single(document.get(name)))
    for text in _values(document, ["identifiers"]):
        add("identifier", text)
    add("state", document["state"])
    for position, text in enumerate(_values(document, ["type"])):
        add("type", text, facet=position == 0)
    for text in _values(document, ["languages"]):
        add("language", text, facet=True)
        add("language", text.split("-")[0])
    for each in document.get("formats") or ():
        puid, mime = each.get("puid"), each.get("mime")
        add("format", puid, label=each.get("name") or puid, facet=True)
        add("format", mime, facet=not puid)
    return [
        {"field": field, "value": value, "label": label, "facet": facet}
        for (field, value), (label, facet) in found.items()
    ]


def _single(value: object) -> str | None:
    return value if isinstance(value, str) else None
