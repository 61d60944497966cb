"""MODS 3 as fields of a record."""

from typing import Any

from lxml import etree

from packages.crosswalks.submitted_fields import Fields, texts

NAMESPACE = "http://www.loc.gov/mods/v3"
_M = f"{{{NAMESPACE}}}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_CREATORS = frozenset(
    ("creator", "author", "cre", "aut", "artist", "art", "composer", "cmp", "photographer", "pht")
)
_TITLES = {
    "alternative": "AlternativeTitle",
    "abbreviated": "AlternativeTitle",
    "translated": "TranslatedTitle",
}
_DATES = (
    *(("dateIssued", "Issued"), ("dateCreated", "Created"), ("copyrightDate", "Copyrighted")),
    *(("dateCaptured", "Collected"), ("dateModified", "Updated"), ("dateValid", "Valid")),
    ("dateOther", "Other"),
)
_ABOUT = frozenset(
    ("topic", "geographic", "temporal", "name", "titleInfo", "occupation", "genre", "hierarchicalGeographic")
)
_TEXTS = (("abstract", "Abstract"), ("tableOfContents", "TableOfContents"), ("note", "Other"))


def is_mods(namespace: str, name: str) -> bool:
    """Tell whether an element is MODS, one of them or several."""
    return namespace == NAMESPACE and name in {"mods", "modsCollection"}


def read_mods(root: Any) -> dict[str, Any]:
    """Return what a ``mods`` says, or the first one of a ``modsCollection``."""
    if etree.QName(root).localname == "modsCollection":
        root = next(root.iterchildren(f"{_M}mods"), root)
    found = Fields()
    _titles(root, found)
    for each in root.iterchildren(f"{_M}name"):
        _name(each, found)
    for origin in root.iterchildren(f"{_M}originInfo"):
        found.publisher(texts(origin.iterchildren(f"{_M}publisher")))
        for element, kind in _DATES:
            _dates(origin, element, kind, found)
    for subject in root.iterchildren(f"{_M}subject"):
        _subject(subject, found)
    for element, kind in _TEXTS:
        said = texts(root.iterchildren(f"{_M}{element}"))
        found.all("descriptions", "description", said, descriptionType=kind)
    _about_itself(root, found)
    return found.data


def _about_itself(root: Any, found: Fields) -> None:
    """Add rights, languages, identifiers and the kind of thing."""
    for each in root.iterchildren(f"{_M}accessCondition"):
        for text in filter(None, texts([each]) or [each.get(_HREF)]):
            found.right(text, each.get(_HREF))
    for text in texts(root.iterfind(f"{_M}language/{_M}languageTerm")):
        found.language(text)
    for each in root.iterchildren(f"{_M}identifier"):
        found.all("identifiers", "identifier", texts([each]), identifierType=each.get("type") or "local")
    for text in texts(root.iterchildren(f"{_M}typeOfResource"))[:1]:
        found.kind(text)


def _titles(root: Any, found: Fields) -> None:
    for info in root.iterchildren(f"{_M}titleInfo"):
        parts = texts(
            each
            for name in ("nonSort", "title", "partNumber", "partName")
            for each in info.iterchildren(f"{_M}{name}")
        )
        title, subtitles = " ".join(parts), texts(info.iterchildren(f"{_M}subTitle"))
        if not title:
            continue
        if info.get("type") or "title" in found.data:
            kind = _TITLES.get(info.get("type") or "alternative", "Other")
            found.add("titles", {"title": title, "titleType": kind})
            continue
        found.data["title"] = title
        for each in subtitles:
            found.add("titles", {"title": each, "titleType": "Subtitle"})


def _name(element: Any, found: Fields) -> None:
    parts: dict[str, list[str]] = {}
    for each in element.iterchildren(f"{_M}namePart"):
        parts.setdefault(each.get("type") or "", []).extend(texts([each]))
    family, given = " ".join(parts.get("family", [])), " ".join(parts.get("given", []))
    whole = " ".join(parts.get("", [])) or ", ".join(filter(None, (family, given)))
    if not whole:
        return
    said: dict[str, Any] = {"name": whole}
    if element.get("type") in {"personal", "corporate"}:
        said["nameType"] = "Personal" if element.get("type") == "personal" else "Organizational"
    if family and given:
        said |= {"familyName": family, "givenName": given}
    numbers = [
        {"nameIdentifier": text, "nameIdentifierScheme": (each.get("type") or "local")}
        for each in element.iterchildren(f"{_M}nameIdentifier")
        for text in texts([each])
    ]
    if numbers:
        said["nameIdentifiers"] = numbers
    roles = {text.lower() for text in texts(element.iterfind(f"{_M}role/{_M}roleTerm"))}
    if not roles or roles & _CREATORS:
        found.add("creators", said)
    else:
        found.add("contributors", said | {"contributorType": "Other"})


def _dates(origin: Any, element: str, kind: str, found: Fields) -> None:
    """Add the dates of one sort; a beginning and an end are one range."""
    listed = list(origin.iterchildren(f"{_M}{element}"))
    ends = {each.get("point"): text for each in listed for text in texts([each]) if each.get("point")}
    if ends.get("start") and ends.get("end"):
        found.date(f"{ends['start']}/{ends['end']}", kind)
    for each in listed:
        if not each.get("point") or len(ends) == 1:
            for text in texts([each]):
                found.date(text, kind)


def _subject(element: Any, found: Fields) -> None:
    scheme = element.get("authority")
    for each in element:
        name = etree.QName(each).localname
        if name not in _ABOUT:
            continue
        for text in texts([each]):
            said = {"subject": text}
            if authority := each.get("authority") or scheme:
                said["subjectScheme"] = authority
            if uri := each.get("valueURI") or element.get("valueURI"):
                said["valueUri"] = uri
            found.add("subjects", said)
