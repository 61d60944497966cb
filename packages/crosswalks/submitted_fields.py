"""Gathering the fields of a record from a description: each text once, in order, and only so many."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MOST = 1000
"""Entries of one field that are taken over; the file has all of them."""

LONGEST = 1 << 16
"""Characters of one text that is taken over; a longer one stays in the file."""
ALTOGETHER = 1 << 20
"""Characters that are taken over: a record of them can always be read again."""

_DATE = r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"
_PLAIN = re.compile(rf"{_DATE}(?:/{_DATE})?|{_DATE}/|/{_DATE}")
_COMPACT = re.compile(r"([0-9]{4})([01][0-9])([0-3][0-9])")
_YEAR = re.compile(r"[0-9]{4}")
_ADDRESS = re.compile(r"https?://[^\s]+")
_KINDS = {
    "text": "Text",
    "still image": "Image",
    "stillimage": "Image",
    "image": "Image",
    "moving image": "Audiovisual",
    "movingimage": "Audiovisual",
    "sound": "Sound",
    "sound recording": "Sound",
    "sound recording-musical": "Sound",
    "sound recording-nonmusical": "Sound",
    "notated music": "Text",
    "cartographic": "Image",
    "software": "Software",
    "software, multimedia": "InteractiveResource",
    "interactive resource": "InteractiveResource",
    "interactiveresource": "InteractiveResource",
    "dataset": "Dataset",
    "three dimensional object": "PhysicalObject",
    "physical object": "PhysicalObject",
    "physicalobject": "PhysicalObject",
    "collection": "Collection",
    "mixed material": "Collection",
    "event": "Event",
    "service": "Service",
}


def texts(elements: Iterable[Any]) -> list[str]:
    """Return the text of each element, everything inside it included, with single blanks; none empty.

    What is longer than `LONGEST` is left out, and not read to its end: elements that lie in each other could
    each have all that is in the innermost.
    """
    found = (" ".join(_short(each).split()) for each in elements)
    return [each for each in found if each]


def _short(element: Any) -> str:
    pieces: list[str] = []
    size = 0
    for piece in element.itertext():
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST:
            return ""
    return "".join(pieces)


def not_too_much(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as long as they have no more than `ALTOGETHER` characters.

    One that is too large is left out.
    """
    kept: dict[str, Any] = {}
    room = ALTOGETHER
    for name, value in fields.items():
        size = _weight(value)
        if size <= room:
            kept[name] = value
            room -= size
    return kept


def _weight(value: Any) -> int:
    """Return how many characters a value has, without writing it: parts of it may be the same long text."""
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    return (
        sum(map(_weight, value)) if isinstance(value, list) else len(value) if isinstance(value, str) else 1
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((name, _frozen(each)) for name, each in value.items()))
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


class Fields:
    """The fields of a record in the making; `data` holds them."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self._seen: set[Any] = set()

    def add(self, field: str, value: dict[str, Any] | str) -> None:
        """Add one entry to a field that is a list, unless it is there or the field is full."""
        listed = self.data.setdefault(field, [])
        if len(listed) < MOST and (key := (field, _frozen(value))) not in self._seen:
            self._seen.add(key)
            listed.append(value)

    def all(self, field: str, member: str, values: Iterable[str], **more: str) -> None:
        """Add an entry to a list for each of `values`, which is its `member`; `more` is the same in all."""
        for each in values:
            self.add(field, {member: each, **more})

    def titles(self, main: Sequence[str], others: Iterable[str] = ()) -> None:
        """Take the first title as the main one, if there is none yet, and the others as further ones."""
        rest = list(main)
        if rest and "title" not in self.data:
            self.data["title"] = rest.pop(0)
        for each in (*rest, *others):
            self.add("titles", {"title": each, "titleType": "AlternativeTitle"})

    def publisher(self, names: Sequence[str]) -> None:
        """Take the first publisher."""
        if names:
            self.data.setdefault("publisher", {"name": names[0]})

    def date(self, text: str, kind: str, *, year: bool | None = None) -> None:
        """Add a date that can be read (ISO 8601, or eight digits); an issue's gives the year of publication.

        `year` tells whether it does, where the kind does not.
        """
        compact = _COMPACT.fullmatch(text)
        date = "-".join(compact.groups()) if compact else text.strip("[]() ")
        if _PLAIN.fullmatch(date):
            self.add("dates", {"date": date, "dateType": kind})
        found = _YEAR.search(date)
        if found and int(found[0]) >= 1000 and (kind == "Issued" if year is None else year):
            self.data.setdefault("publicationYear", int(found[0]))

    def right(self, text: str, uri: str | None = None) -> None:
        """Add a licence or right; a text that is an address is also where it is written."""
        said = {"rights": text}
        if uri or _ADDRESS.fullmatch(text):
            said["rightsUri"] = uri or text
        self.add("rights", said)

    def language(self, text: str) -> None:
        """Add a language, where it is written as a code."""
        if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", text):
            self.add("languages", text)

    def kind(self, text: str) -> None:
        """Take what sort of thing it is, once."""
        general = _KINDS.get(text.lower(), "Other")
        self.data.setdefault("resourceType", {"resourceTypeGeneral": general, "resourceType": text})
