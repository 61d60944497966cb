"""How a package is cited: one line of plain text in the manner of APA (7th edition)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from packages.crosswalks.identifying import link
from packages.record import full_record, title_of

_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_MOST = 20  # names; of more, the first 19 and the last are given
_BRACKETED = {  # what APA writes in brackets behind the title
    "Audiovisual": "Video",
    "ComputationalNotebook": "Computational notebook",
    "Dataset": "Data set",
    "Dissertation": "Dissertation",
    "Image": "Image",
    "Model": "Model",
    "Preprint": "Preprint",
    "Software": "Computer software",
    "Sound": "Audio",
    "Workflow": "Workflow",
}


def citation(record: Mapping[str, Any], identifiers: Sequence[str] = (), *, year: int | None = None) -> str:
    """Return the citation of a valid record: creators (year). Title (version) [kind]. Publisher. Identifier.

    What the record lacks is left out; a missing year is ``n.d.`` unless `year` stands in for it. The first of
    `identifiers` ends the line, a DOI as its address. Plain text on one line: whoever shows it escapes it.
    """
    full = full_record(record)
    known = full.get("publicationYear", year)
    dated = f"({'n.d.' if known is None else int(known)})."
    creators = [_name(each) for each in full.get("creators", ())]
    titled = _titled(full)
    start = [_ended(_joined(creators)), dated, titled] if creators else [titled, dated]
    publisher = _line(full["publisher"]["name"]) if "publisher" in full else ""
    if publisher and [publisher] != creators:  # APA: a publisher who is the author is not named twice
        start.append(_ended(publisher))
    if identifiers:
        start.append(link(identifiers[0]) or _line(identifiers[0]))
    return " ".join(filter(None, start))


def _titled(full: Mapping[str, Any]) -> str:
    title = _line(title_of(full))
    version = f" (Version {_line(full['version'])})" if "version" in full else ""
    kind = _BRACKETED.get(full.get("resourceType", {}).get("resourceTypeGeneral", ""))
    return _ended(f"{title}{version}{f' [{kind}]' if kind else ''}".lstrip())


def _name(person: Mapping[str, Any]) -> str:
    """Return a name as APA inverts it, where its parts are known; one of unknown parts stays as it is."""
    name = _line(person["name"])
    if person.get("nameType") == "Organizational":
        return name
    family, given = _line(person.get("familyName", "")), _line(person.get("givenName", ""))
    if person.get("nameType") == "Personal" and not (family and given):
        family, _, given = (part.strip() for part in name.partition(","))
    if not (family and given):
        return name
    return f"{family}, {' '.join(map(_initial, given.split()))}"


def _initial(name: str) -> str:
    """Return ``J.-L.`` for Jean-Luc."""
    return "-".join(f"{part[0].upper()}." for part in name.split("-") if part) or name


def _joined(names: Sequence[str]) -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[: _MOST - 1])}, … {names[-1]}"
    return ", & ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()
