"""Records among harvesters: rows of a catalogue, and answers that are valid or the test fails."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from lxml import etree

from packages.ledger import Package
from packages.oai_pmh_xml import OAI
from packages.record import CURRENT
from services.archive import Archive
from storage.catalogue.port import WriteSession
from tests.support.catalogues import make_package

NS = {"o": OAI}
BASE_URL = "http://127.0.0.1:8000/oai"
PAIRS = Iterable[tuple[str, str]]


def put(
    unit: WriteSession, number: int, datestamp: str | None = None, kind: str | None = "Dataset", **fields: Any
) -> Package:
    """Add a published package, dated now unless a datestamp is given."""
    record: dict[str, Any] = {
        "$schema": CURRENT,
        "title": f"Record {number}",
        "creators": ["Lovelace, Ada"],
        "publicationYear": 1843,
    }
    if kind is not None:
        record["resourceType"] = {"resourceTypeGeneral": kind}
    said = {
        "record": record,
        "state": "published",
        "pid": f"ark:99999/hf1{number:09}",
        "oai_id": f"oai:archive.localhost:{number}",
        "oai_datestamp": datestamp or unit.datestamp(),
    }
    package = make_package(number, **said | fields)
    unit.add_package(package)
    return package


def schema_of_answers(shared: Path) -> etree.XMLSchema:
    """OAI-PMH with all that may stand in it, each part strict."""
    folder = shared.resolve().as_uri() + "/xsd/"
    parts = {
        OAI: "OAI-PMH.xsd",
        "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
        "http://schema.datacite.org/oai/oai-1.1/": "oai-datacite-1.1.xsd",
        "http://datacite.org/schema/kernel-4": "kernel-4.6/metadata.xsd",
        "http://www.openarchives.org/OAI/2.0/oai-identifier": "oai-identifier.xsd",
    }
    imports = "".join(
        f'<import namespace="{name}" schemaLocation="{folder}{file}"/>' for name, file in parts.items()
    )
    driver = f'<schema xmlns="http://www.w3.org/2001/XMLSchema">{imports}</schema>'
    return etree.XMLSchema(etree.fromstring(driver, etree.XMLParser(no_network=True)))


@dataclass
class Harvester:
    """Asks like a harvester, by GET or POST, and takes nothing that is not valid."""

    archive: Archive
    client: TestClient
    schema: etree.XMLSchema
    answers: list[etree._Element] = field(default_factory=list)

    def ask(self, pairs: PAIRS | None = None, *, post: bool = False, **arguments: str) -> etree._Element:
        """Return the answer; ``from_`` stands for ``from``."""
        given = list(pairs or ()) + [(name.rstrip("_"), value) for name, value in arguments.items()]
        if post:
            answer = self.client.post("/oai", data=_form(given))
        else:
            answer = self.client.get("/oai", params=given)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        document = etree.fromstring(answer.content, etree.XMLParser(huge_tree=True))
        self.schema.assertValid(document)
        assert document.findtext("o:request", namespaces=NS) == BASE_URL
        self.answers.append(document)
        return document

    def error(self, pairs: PAIRS | None = None, **arguments: Any) -> str:
        """Return the code of the one error that is answered."""
        document = self.ask(pairs, **arguments)
        (found,) = document.findall("o:error", NS)
        assert found.text
        code = str(found.get("code"))
        said = document.find("o:request", NS)
        assert said is not None
        assert bool(said.attrib) == (code not in {"badVerb", "badArgument"})
        return code

    def pages(
        self, verb: str = "ListRecords", *, post: bool = False, **arguments: str
    ) -> Iterator[etree._Element]:
        """Yield answer after answer, as long as there is a token."""
        given = arguments if "resumptionToken" in arguments else {"metadataPrefix": "oai_dc", **arguments}
        while True:
            page = self.ask(verb=verb, post=post, **given)
            yield page
            token = page.findtext(".//o:resumptionToken", namespaces=NS)
            if not token:
                return
            given = {"resumptionToken": token}

    def listed(self, verb: str = "ListRecords", **arguments: str) -> list[str]:
        """Return the last part of each identifier of the whole list, deleted ones with a minus before it."""
        found: list[str] = []
        for page in self.pages(verb, **arguments):
            if page.find("o:error", NS) is not None:
                assert page.find("o:error", NS).get("code") == "noRecordsMatch"
                return found
            found += headers_of(page)
        return found


def headers_of(document: etree._Element) -> list[str]:
    """Return the last part of each identifier, deleted ones with a minus before it."""
    return [
        ("-" if header.get("status") == "deleted" else "")
        + (header.findtext("o:identifier", namespaces=NS) or "").rpartition(":")[2]
        for header in document.iterfind(".//o:header", NS)
    ]


def fill(harvester: Harvester, count: int, first: int = 1, datestamp: str | None = None) -> list[str]:
    """Add published packages, and return their numbers."""
    with harvester.archive.catalogue.write() as unit:
        for number in range(first, first + count):
            put(unit, number, datestamp)
    return [str(number) for number in range(first, first + count)]


def tokens(harvester: Harvester) -> list[str | None]:
    """Return the token of each answer so far, None where there was no such element."""
    return [each.findtext(".//o:resumptionToken", namespaces=NS) for each in harvester.answers]


def _form(pairs: PAIRS) -> Mapping[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
