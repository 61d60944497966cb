"""What is indexed of a search document, the same for every backend; what is wrong with one is found here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import orjson

from packages import analysis
from packages.query import mapping
from packages.search_document import SearchDocument

MAX_TERMS = 200_000
"""Terms indexed of one field."""

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a document; `packages.search_document` keeps far below."""

CHUNK = 500
"""Documents that are stored together, at most."""

CHUNK_BYTES = 16 * 1024 * 1024
"""Bytes that are stored together, about: documents of large packages are large."""

_REQUIRED = ("id", "revision", "owner", "state", "metadata", "files", "title", "created", "updated")
_OPTIONAL = ("metadata_until", "files_until", "pid", "oai_id")

_Long = Literal["titles", "creators", "contributors", "subjects", "descriptions", "filenames"]
_LONG: tuple[_Long, ...] = get_args(_Long)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is indexed of one document.

    `columns` are its facts and ``body``, the document itself as JSON; `terms` are those of each text field, a
    text for each value, parted by blanks; `keywords` are values that are compared as a whole: field, value,
    label, and whether it counts as a facet.
    """

    id: str
    revision: str
    columns: dict[str, Any]
    terms: dict[str, list[str]]
    keywords: list[dict[str, Any]]

    @property
    def weight(self) -> int:
        """Roughly how many bytes this is."""
        return len(self.columns["body"]) + sum(len(text) for texts in self.terms.values() for text in texts)


def entries(
    documents: Iterable[SearchDocument], most_bytes: int = CHUNK_BYTES
) -> Iterator[tuple[list[Entry], list[tuple[str, str]]]]:
    """Yield entries ready to be stored, and (id, reason) of documents that cannot be, in bounded portions."""
    made: list[Entry] = []
    rejected: list[tuple[str, str]] = []
    weight = 0
    for document in documents:
        try:
            made.append(entry_of(document))
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            rejected.append((_id_of(document), str(error)))
            continue
        weight += made[-1].weight
        if len(made) >= CHUNK or weight >= most_bytes:
            yield made, rejected
            made, rejected, weight = [], [], 0
    if made or rejected:
        yield made, rejected


def newest(made: Sequence[Entry]) -> tuple[dict[str, Entry], list[str]]:
    """Return of several entries with one id the newest, and the ids of those that are not."""
    kept: dict[str, Entry] = {}
    stale = []
    for each in made:
        rival = kept.get(each.id)
        if rival is not None:
            stale.append(each.id)
        if rival is None or each.revision >= rival.revision:
            kept[each.id] = each
    return kept, stale


def smaller(entry: Entry) -> Entry | None:
    """Return `entry` without its long texts, still found by title and identifiers; None when it has none."""
    document: SearchDocument = orjson.loads(entry.columns["body"])
    if not any(document[name] for name in _LONG):
        return None
    for name in _LONG:
        document[name] = []
    document["trimmed"] = True
    return entry_of(document)


def entry_of(document: SearchDocument) -> Entry:
    """Return what is indexed of `document`; raises ValueError or TypeError with the reason if it is none."""
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
    return Entry(document["id"], document["revision"], columns, terms, _keywords(document))


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


def _terms(values: Iterable[str]) -> list[str]:
    room = MAX_TERMS
    texts = []
    for value in values:
        found = analysis.terms(value)[:room]
        room -= len(found)
        texts.append(" ".join(found))
    return texts


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


def _id_of(document: object) -> str:
    found = document.get("id") if isinstance(document, Mapping) else None
    return found if isinstance(found, str) else "?"
