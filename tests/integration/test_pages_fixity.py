"""Pages of audits: alarms first, the list of audits, a report that can be read, printed and taken away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair, repair_store
from tests.support.browsing import Browser, browser_of, text_of
from tests.support.serving import House, house_with


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An archive with one package, whose copy and whose store's root are damaged."""
    with house_with(tmp_path) as made:
        made.deposit("owner", "one")
        letter = next((tmp_path / "home/stores/copy").rglob("letter.txt"))
        letter.chmod(0o644)
        letter.write_bytes(b"not what it was")
        (tmp_path / "home/stores/copy/0=ocfl_1.1").unlink()
        yield made


def facts(page: Any) -> list[str]:
    return [text_of(each) for each in page.xpath('//*[@id="facts"]//li')]


def test_alarms_stand_first_until_they_are_mended(house: House) -> None:
    archivist = browser_of(house, "archivist")
    actor = house.people["archivist"].actor
    assert not [each for each in facts(archivist.open("/")) if "alarms" in each]
    list(audit(house.archive, actor))
    assert facts(archivist.open("/"))[0] == "alarms 2"
    page = archivist.open("/fixity")
    [root] = page.xpath('//*[@id="alarm-list"]//tbody/tr')
    assert "the storage root itself" in text_of(root)
    assert "0=ocfl_1.1: missing" in text_of(root)
    [copy] = page.xpath('//*[@id="damaged-list"]//tbody/tr')
    assert "letter.txt: corrupt" in text_of(copy)
    [report] = copy.xpath('.//a[starts-with(@href, "/fixity/audits/")]/@href')
    assert "letter.txt" in text_of(archivist.open(report))
    repair_store(house.archive, actor, "copy")
    repair(house.archive, actor, _package(house))
    assert not [each for each in facts(archivist.open("/")) if "alarms" in each]
    assert not archivist.open("/fixity").xpath('//*[@id="alarms"] | //*[@id="damaged"]')


def test_an_audit_has_a_page_that_leads_to_its_report(house: House) -> None:
    archivist = browser_of(house, "archivist")
    assert "No audit has been made yet" in text_of(archivist.open("/fixity/audits"))
    list(audit(house.archive, house.people["archivist"].actor, budget=10**9))
    [row] = archivist.open("/fixity/audits").xpath("//tbody/tr")
    assert "done" in text_of(row)
    [address] = row.xpath(".//th/a/@href")
    page = archivist.open(address)
    assert len(page.xpath("//tbody/tr")) == 2, "the root and the damaged copy"
    assert "expected sha512:" in text_of(page)
    every = archivist.open(f"{address}?all=true")
    assert len(every.xpath("//tbody/tr")) == 3
    for link in page.xpath("//a[@download]/@href"):
        assert archivist.client.get(link).status_code == 200
    archivist.open("/fixity/audits/none", 404)


def test_audits_are_for_archivists(house: House) -> None:
    owner: Browser = browser_of(house, "owner")
    for path in ("/fixity/audits", "/fixity/audits/none"):
        owner.open(path, 403)


def _package(house: House) -> str:
    with house.archive.catalogue.read() as view:
        return view.packages()[0].id
