"""The archivist's overview in a real browser: a morning that has brought something of every kind."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from services.administration import deletion
from services.administration.decisions import decide
from services.ingest.submission import Wanted, submit
from services.work.engine import run_due
from tests.support.browser import PROJECT, Site, Visitor, site_of
from tests.support.depositor import put
from tests.support.serving import caller_of

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
SAMPLES = PROJECT / "samples"
CURVE = (SAMPLES / "harbour" / "images" / "tide-curve.png").read_bytes()
PLAIN = {
    "Tide gauge of the west mole, 1899 to 1911": {
        f"{year}.csv": b"day,cm\n1,20\n" for year in range(1899, 1912)
    },
    "Minutes of the harbour board": {f"{number:03}.txt": b"Present: all.\n" for number in range(1, 43)},
    "Letters to the ministry, copied": {f"{number:02}.txt": b"Sir,\n" for number in range(1, 18)},
}
DOUBTFUL = "Photographs of the storm surge"
QUEUED = "Pilots' register, volume 4"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An archive where warnings wait for an archivist, and so does somebody's wish to delete."""
    settings = {"publisher": "Archive of Süderoog", "approval": "on_warning"}
    with site_of(tmp_path_factory.mktemp("site"), **settings) as made:
        house = made.house
        house.people |= {
            "owner": caller_of(house.archive, "depositor", "Harbour museum"),
            "other": caller_of(house.archive, "depositor", "Lighthouse keepers"),
            "second": caller_of(house.archive, "archivist", "Bo, archivist"),
        }
        house.packages["lighthouse"] = made.take_in("other", SAMPLES / "lighthouse-bag")
        house.packages["harbour"] = made.take_in(
            "owner", SAMPLES / "harbour", SAMPLES / "harbour.record.json"
        )
        for title, files in PLAIN.items():
            house.deposit("owner", title, title=title, files=files)
        archivist = house.people["archivist"].actor
        decide(house.archive, archivist, "approve", list(house.packages.values()))
        run_due(house.archive)
        made.take_in("other", SAMPLES / "broken-bag", title="Papers of the keeper")
        house.deposit("other", DOUBTFUL, title=DOUBTFUL, files={"surge-1.jpg": CURVE, "surge-2.png": CURVE})
        source = put(house.folder / "queued", {"volume-4.txt": b"1 March: none.\n"})
        submit(house.archive, house.people["owner"].actor, Wanted(source, title=QUEUED))
        second = house.people["second"].actor
        deletion.request(house.archive, second, [house.packages["lighthouse"]], "kept for ten years")
        yield made


def test_the_first_line_answers_the_nights_questions(visit: Visit) -> None:
    archivist = visit(viewport={"width": 1280, "height": 900})
    archivist.sign_in("archivist")
    page = archivist.open("/")
    facts = page.locator(".facts").first
    for told in (
        *("needs you 1", "deletions to decide on 1", "running 0", "queued 1", "archived 5"),
        *("copies 10/10 intact", "on the same disk", "test identifiers", "virus scan not configured"),
    ):
        expect(facts).to_contain_text(told)
    assert facts.locator("li:not(:has(a))").count() == 0, "each word is a link"
    for address in facts.locator("a").evaluate_all("all => all.map(each => each.getAttribute('href'))"):
        archivist.open(address)
        if "#" in address:
            assert page.locator(f"[id='{address.partition('#')[2]}']").count() == 1, address
    archivist.open("/")
    expect(page.locator("#needs").get_by_role("row").filter(has_text=DOUBTFUL)).to_contain_text("1 warning:")
    expect(page.locator("#needs").get_by_role("link", name="1 deletion")).to_be_visible()
    expect(page.locator("#lately")).to_contain_text("rejected")
    archivist.accessible()
    archivist.picture("overview")
