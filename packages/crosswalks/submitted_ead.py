"""EAD 2002 and EAD 3 as fields of a record: what is said of the whole of the material described."""

from typing import Any

from lxml import etree

from packages.crosswalks.submitted_fields import Fields, texts

NAMESPACES = ("urn:isbn:1-931666-22-9", "http://ead3.archivists.org/schema/")
_NAMES = ("persname", "corpname", "famname", "name")
_SUBJECTS = ("subject", "geogname", "persname", "corpname", "famname", "genreform", "occupation", "function")


def is_ead(namespace: str, name: str) -> bool:
    """Tell whether an element is a finding aid; documents by the DTD of EAD 2002 have no namespace."""
    return name == "ead" and (namespace in NAMESPACES or not namespace)


def read_ead(root: Any) -> dict[str, Any]:
    """Return what ``archdesc`` says of the whole; components are for the finding aid itself."""
    found = Fields()
    described = root.find("{*}archdesc")
    did = described.find("{*}did") if described is not None else None
    if described is None or did is None:
        return found.data
    found.titles(texts(did.iterchildren("{*}unittitle")))
    for maker in did.iterchildren("{*}origination"):
        _origination(maker, found)
    for each in (*did.iterchildren("{*}unitdate"), *did.iterfind("{*}unittitle/{*}unitdate")):
        for text in filter(None, (each.get("normal"), *texts([each]))):
            found.date(text, "Created", year=True)
    found.publisher(texts(did.iterfind("{*}repository")))
    for elements, kind in (
        (did.iterchildren("{*}abstract"), "Abstract"),
        (described.iterfind("{*}scopecontent/{*}p"), "Other"),
    ):
        found.all("descriptions", "description", texts(elements), descriptionType=kind)
    found.all("identifiers", "identifier", texts(did.iterchildren("{*}unitid")), identifierType="unitid")
    for each in did.iterfind(".//{*}language"):
        found.language(each.get("langcode") or "")
    _about(described, found)
    found.data["resourceType"] = {"resourceTypeGeneral": "Collection"}
    return found.data


def _about(described: Any, found: Fields) -> None:
    """Add subjects, and what may be done with it."""
    for each in described.iterfind("{*}controlaccess//*"):
        if etree.QName(each).localname in _SUBJECTS:
            scheme = {"subjectScheme": each.get("source")} if each.get("source") else {}
            found.all("subjects", "subject", texts([each]), **scheme)
    for name in ("accessrestrict", "userestrict"):
        for text in texts(described.iterfind(f"{{*}}{name}/{{*}}p")):
            found.right(text)


def _origination(maker: Any, found: Fields) -> None:
    inside = [each for each in maker if etree.QName(each).localname in _NAMES]
    for each in inside or [maker]:
        kind = etree.QName(each).localname
        for text in texts([each]):
            said = {"name": text}
            if kind in {"persname", "corpname"}:
                said["nameType"] = "Personal" if kind == "persname" else "Organizational"
            found.add("creators", said)
