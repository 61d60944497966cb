"""What becomes open, or never was: seen by harvesters at the next list, and by nobody earlier."""

from pathlib import Path

import pytest
from lxml import etree

from packages.ledger import PackageState, PidState
from packages.model import Access, Openness
from services.administration.embargoes import lift_embargoes
from tests.support.depositor import depositor_of
from tests.support.depositor import put as put_files
from tests.support.harvest import NS, Harvester
from tests.support.serving import client_of

pytestmark = pytest.mark.shared


def record(title: str, **access: str) -> bytes:
    import json

    from packages.record import CURRENT

    return json.dumps({"$schema": CURRENT, "title": title, "access": access}).encode()


def test_M4_an_embargo_is_a_deleted_record_until_it_ends(home: Path, schema: etree.XMLSchema) -> None:
    with depositor_of(home, home.parent / "out") as depositor, client_of(depositor.archive) as client:
        archive, harvester = depositor.archive, Harvester(depositor.archive, client, schema)
        source = put_files(home.parent / "later", {"a.txt": b"a"})
        said = record("Later", metadata="embargoed", metadataUntil="2999-01-01")
        made = depositor.accepted(source, record=said)
        (page,) = harvester.pages()
        told = page.findtext("o:responseDate", namespaces=NS) or ""
        assert harvester.listed() == [f"-{made.id}"]
        with archive.catalogue.write() as unit:  # the day has come: its datestamp is of the day before
            access = Access(metadata=Openness.EMBARGOED, metadata_until="2026-01-02")
            unit.update_package(made.id, access=access, oai_datestamp="2026-01-01T00:00:00.000000Z")
        assert lift_embargoes(archive, depositor.actor) == [made.id]
        assert harvester.listed(from_=told) == [made.id]
        with archive.catalogue.read() as view:
            assert view.package(made.id).oai_datestamp == view.last_datestamp()


def test_an_embargo_that_is_over_at_publication_is_none(home: Path, schema: etree.XMLSchema) -> None:
    with depositor_of(home, home.parent / "out") as depositor, client_of(depositor.archive) as client:
        archive, harvester = depositor.archive, Harvester(depositor.archive, client, schema)
        source = put_files(home.parent / "over", {"a.txt": b"a"})
        said = record("Over", metadata="embargoed", metadataUntil="2001-01-01")
        made = depositor.accepted(source, record=said)
        assert made.status["state"] == PackageState.PUBLISHED
        assert harvester.listed() == [made.id]
        with archive.catalogue.read() as view:
            assert [each.state for each in view.pids_of(made.id)] == [PidState.REGISTERED]
        assert lift_embargoes(archive, depositor.actor) == []
