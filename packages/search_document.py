"""The search document of a package: one pure function makes it, every search backend indexes the same.

`schemas/search-mapping.json` says what each field is to a searcher. The record is deposited data: whatever
JSON it holds, a document comes out, and it is bounded in size: long texts and lists are
trimmed and ``trimmed`` says so; id, PID and title are always there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypedDict

from packages.access import access_facts
from packages.format_names import with_version
from packages.model import ORIGINALS, Access, FileEntry, Role

MAX_TEXT = 100_000
"""Characters kept of one text field, all its values together."""

MAX_VALUES = 1_000
"""Values kept of one field."""

MAX_NAMES = 10_000
"""File names kept; the catalogue knows them all."""

MAX_NAME_TEXT = 1_000_000
"""Characters kept of all file names together."""

MAX_KEYWORD = 500
"""Characters kept of one value that is compared as a whole (identifiers, languages, types)."""


class Format(TypedDict):
    """A format that occurs among the original files."""

    puid: str | None
    name: str | None
    mime: str | None


class SearchDocument(TypedDict):
    """What is indexed of one package, plain JSON throughout; the fields are those of search-mapping.json."""

    id: str
    revision: str
    owner: str
    state: str
    metadata: str
    metadata_until: str | None
    files: str
    files_until: str | None
    title: str
    titles: list[str]
    creators: list[str]
    contributors: list[str]
    subjects: list[str]
    descriptions: list[str]
    publisher: str
    type: list[str]
    year: int | None
    languages: list[str]
    formats: list[Format]
    identifiers: list[str]
    pid: str | None
    oai_id: str | None
    filenames: list[str]
    created: str
    updated: str
    version: int | None
    file_count: int
    bytes: int
    trimmed: bool


class Described(Protocol):
    """What a search document needs to know of a package; `packages.ledger.Package` is one."""

    @property
    def id(self) -> str:
        """The package's id."""
        ...

    @property
    def owner(self) -> str:
        """The id of the person it belongs to."""
        ...

    @property
    def title(self) -> str:
        """Its title."""
        ...

    @property
    def state(self) -> str:
        """Its state."""
        ...

    @property
    def access(self) -> Access:
        """Who may read it."""
        ...

    @property
    def version(self) -> int | None:
        """Its newest version."""
        ...

    @property
    def pid(self) -> str | None:
        """Its persistent identifier."""
        ...

    @property
    def oai_id(self) -> str | None:
        """Its OAI identifier."""
        ...

    @property
    def files(self) -> int:
        """How many files it has."""
        ...

    @property
    def bytes(self) -> int:
        """How large it is."""
        ...

    @property
    def created(self) -> str:
        """When it came to be."""
        ...

    @property
    def updated(self) -> str:
        """When it last changed."""
        ...


def revision_of(package: Described) -> str:
    """Return how new the package's present description is: text that grows with each change.

    Taken by the index as a guard against updates that arrive out of order. Version first,
    then the time of the last change, which also moves when only access or state changes.
    """
    return f"{package.version or 0:08d} {package.updated}"


def search_document(
    package: Described, record: Mapping[str, Any], files: Iterable[FileEntry] = ()
) -> SearchDocument:
    """Return the search document of a package.

    `files` are the entries of its newest version, in any order, read once and not kept; only originals
    count. `record` is the deposited record (record-1.0.json), or whatever is there instead.
    """
    trim = _Trim()
    names, formats = _files(files, trim)
    facts = access_facts(package.owner, package.access, package.state)
    titles = trim.texts([*_texts(record, "title", "title"), *_texts(record, "titles", "title")], MAX_TEXT)
    title = trim.texts([package.title], MAX_TEXT) or titles[:1] or [package.id]
    document: SearchDocument = {
        "id": package.id,
        "revision": revision_of(package),
        "owner": package.owner,
        "state": str(package.state),
        "metadata": facts["metadata"] or "",
        "metadata_until": facts["metadata_until"],
        "files": facts["files"] or "",
        "files_until": facts["files_until"],
        "title": title[0],
        "titles": titles,
        "creators": trim.texts(_people(record, "creators"), MAX_TEXT),
        "contributors": trim.texts(_people(record, "contributors"), MAX_TEXT),
        "subjects": trim.texts(_texts(record, "subjects", "subject"), MAX_TEXT),
        "descriptions": trim.texts(_texts(record, "descriptions", "description"), MAX_TEXT),
        "publisher": " ".join(trim.texts(_texts(record, "publisher", "name"), MAX_TEXT)),
        "type": trim.keywords(_types(record)),
        "year": _year(record),
        "languages": trim.keywords(_texts(record, "languages", "language")),
        "formats": formats,
        "identifiers": trim.keywords(_identifiers(record)),
        "pid": package.pid,
        "oai_id": package.oai_id,
        "filenames": names,
        "created": package.created,
        "updated": package.updated,
        "version": package.version,
        "file_count": package.files,
        "bytes": package.bytes,
        "trimmed": trim.happened,
    }
    return document


class _Trim:
    """Keeps texts within bounds and remembers whether anything was cut."""

    def __init__(self) -> None:
        self.happened = False

    def texts(self, values: Iterable[str], budget: int, most: int = MAX_VALUES) -> list[str]:
        """Return cleaned, non-empty, distinct values until `budget` characters or `most` values are used."""
        kept: dict[str, None] = {}
        for value in values:
            text = clean(value)
            if not text or text in kept:
                continue
            if budget <= 0 or len(kept) >= most:
                self.happened = True
                break
            if len(text) > budget:
                self.happened = True
                text = text[:budget]
            kept[text] = None
            budget -= len(text)
        return list(kept)

    def keywords(self, values: Iterable[str]) -> list[str]:
        """Return cleaned, non-empty, distinct values, each cut to `MAX_KEYWORD`."""
        kept: dict[str, None] = {}
        for value in values:
            text = clean(value)
            if len(text) > MAX_KEYWORD or len(kept) >= MAX_VALUES:
                self.happened = True
                text = text[:MAX_KEYWORD]
            if text and len(kept) < MAX_VALUES:
                kept[text] = None
        return list(kept)


def clean(text: str) -> str:
    """Return `text` fit for any index: no lone surrogates or control characters, nothing blank around it."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c >= " " and not "\x7f" <= c <= "\x9f" else " " for c in text).strip()


def _files(files: Iterable[FileEntry], trim: _Trim) -> tuple[list[str], list[Format]]:
    names: list[str] = []
    room = MAX_NAME_TEXT
    formats: dict[tuple[str | None, str | None, str | None], None] = {}
    for entry in files:
        if entry.role is not Role.ORIGINAL:
            continue
        if (entry.puid or entry.mime) and len(formats) < MAX_VALUES:
            name = with_version(entry.format_name or "", entry.format_version)
            formats[entry.puid, name or None, entry.mime] = None
        name = clean(entry.path.removeprefix(ORIGINALS))
        if len(names) < MAX_NAMES and len(name) <= room:
            names.append(name)
            room -= len(name)
        else:
            trim.happened = True
    # Order must not depend on the order of the entries: the same package gives the same document.
    ordered = sorted(formats, key=lambda each: tuple(part or "" for part in each))
    return sorted(names), [Format(puid=puid, name=name, mime=mime) for puid, name, mime in ordered]


def _items(value: object) -> Iterator[object]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value


def _texts(holder: object, key: str, inner: str) -> Iterator[str]:
    """Yield the strings at `key`, each given bare, as an object with `inner`, or in a list of either."""
    if not isinstance(holder, Mapping):
        return
    for item in _items(holder.get(key)):
        found = item.get(inner) if isinstance(item, Mapping) else item
        if isinstance(found, str):
            yield found


def _people(record: object, key: str) -> Iterator[str]:
    if not isinstance(record, Mapping):
        return
    for person in _items(record.get(key)):
        if isinstance(person, str):
            yield person
        elif isinstance(person, Mapping):
            yield from _person(person)


def _person(person: Mapping[str, Any]) -> Iterator[str]:
    name = person.get("name")
    if isinstance(name, str):
        yield name
    yield from _texts(person, "nameIdentifiers", "nameIdentifier")
    yield from _texts(person, "affiliations", "name")


def _types(record: object) -> Iterator[str]:
    """Yield the general type first: it is the facet; the free text of the type may be searched too."""
    if isinstance(record, Mapping) and isinstance(record.get("resourceType"), Mapping):
        yield from _texts(record, "resourceType", "resourceTypeGeneral")
    yield from _texts(record, "resourceType", "resourceType")


def _year(record: object) -> int | None:
    value = record.get("publicationYear") if isinstance(record, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000 else None


def _identifiers(record: object) -> Iterator[str]:
    for key, inner in (
        ("identifiers", "identifier"),
        ("relatedIdentifiers", "relatedIdentifier"),
    ):
        yield from _texts(record, key, inner)
