"""The reader's journey in a real browser: search, narrow, read, take away; and nothing hostile is active."""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser import NARROW, PROJECT, Site, Visitor, site_of

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
SCRIPT = "<script>document.title='taken over';alert(1)</script><img src=x onerror=alert(2)>"
HOSTILE = {
    "title": f"Hostile harbour {SCRIPT}",
    "creators": [
        {
            "name": f"Mallory {SCRIPT}",
            "nameIdentifiers": [
                {"nameIdentifier": "https://orcid.org/javascript:alert(3)", "nameIdentifierScheme": "ORCID"}
            ],
        }
    ],
    "descriptions": [f"</script></dl>{SCRIPT}"],
    "subjects": [f'"><svg onload=alert(4)> {SCRIPT}'],
    "rights": [{"rights": "click", "rightsUri": "javascript:alert(5)"}],
    "relatedIdentifiers": [
        {"relatedIdentifier": "javascript:alert(6)", "relatedIdentifierType": "URL", "relationType": "Cites"}
    ],
    "identifiers": [{"identifier": "data:text/html,<script>alert(7)</script>", "identifierType": "URL"}],
}
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(8)">'
    b"<script>document.title='taken over';alert(9)</script></svg>"
)
PAGE = b"<!doctype html><title>deposit</title><script>document.title='taken over';alert(10)</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An archive with the samples, some neighbours and one hostile deposit, all published."""
    folder = tmp_path_factory.mktemp("site")
    with site_of(folder, publisher="Archive of Süderoog") as made:
        samples = PROJECT / "samples"
        house = made.house
        house.packages["harbour"] = made.take_in(
            "owner", samples / "harbour", samples / "harbour.record.json"
        )
        house.packages["lighthouse"] = made.take_in("owner", samples / "lighthouse-bag")
        for number in range(1, 25):
            house.deposit(
                "owner",
                f"gauge-{number:02}",
                title=f"Gauge readings of the harbour, week {number}",
                publicationYear=1911 + number % 3,
                files={"readings.csv": f"day,cm\n{number},20\n".encode()},
            )
        house.deposit(
            "other",
            "hostile",
            files={"drawing.svg": SVG, "page.html": PAGE, "<img src=x onerror=alert(11)>.txt": b"a name\n"},
            **HOSTILE,
        )
        yield made


def test_a_reader_finds_reads_and_takes_away(visit: Visit, tmp_path: Path) -> None:
    reader = visit(accept_downloads=True)
    page = reader.open("/search")
    page.get_by_label("What to look for").fill("tide gauges")
    page.get_by_role("main").get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("1 record found")
    expect(page.locator("mark").first).to_be_visible()
    reader.accessible()
    page.get_by_role("link", name="Harbour office of Süderoog").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour office of Süderoog, March 1911")
    expect(page.get_by_text("in 2 places")).to_be_visible()
    expect(page.get_by_text("test identifier").first).to_be_visible()
    reader.accessible()
    reader.picture("landing")
    original = PROJECT / "samples" / "harbour"
    with page.expect_download() as taken:
        page.get_by_role("link", name="letter-to-the-ministry.docx").click()
    letter = "reports/letter-to-the-ministry.docx"
    assert taken.value.suggested_filename == "letter-to-the-ministry.docx"
    assert Path(taken.value.path()).read_bytes() == (original / letter).read_bytes()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download everything").click()
    taken.value.save_as(tmp_path / "dip.zip")
    with zipfile.ZipFile(tmp_path / "dip.zip") as bundle:
        assert bundle.testzip() is None
        (name,) = [each for each in bundle.namelist() if each.endswith(f"data/original/{letter}")]
        assert bundle.read(name) == (original / letter).read_bytes()
    page.get_by_role("link", name="logbook/1911-03.txt").click()  # a text is shown
    expect(page.locator("body")).to_contain_text((original / "logbook/1911-03.txt").read_text()[:60].strip())


def test_a_citation_is_copied_by_a_button(visit: Visit, site: Site) -> None:
    reader = visit(permissions=["clipboard-read", "clipboard-write"])
    page = reader.open(f"/records/{site.house.packages['harbour']}")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#citation").inner_text()


def test_an_identifier_leads_to_the_landing_page(visit: Visit, site: Site) -> None:
    reader = visit()
    page = reader.open(f"/records/{site.house.packages['harbour']}")
    pid = page.locator("a.id", has_text="ark:").inner_text()
    for spelling in (pid, pid.replace("ark:", "ark:/"), f"{pid[:15]}-{pid[15:]}"):
        reader.open(f"/{spelling}")
        assert page.url == f"{site.url}/records/{site.house.packages['harbour']}"
    reader.open(f"/{pid}?info")
    expect(page.locator("body")).to_contain_text("who: Harbour office of Süderoog")


def test_facets_narrow_and_pages_go_both_ways(visit: Visit) -> None:
    reader = visit()
    page = reader.open("/search?q=gauge&sort=title")
    reader.picture("search")
    expect(page.get_by_role("status")).to_contain_text("25 records found")
    first = page.locator(".list h2").all_inner_texts()
    assert len(first) == 20
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.locator(".list h2")).to_have_count(5)
    page.get_by_role("link", name="Previous", exact=True).click()
    assert page.locator(".list h2").all_inner_texts() == first
    page.get_by_role("complementary").get_by_role("link", name="1912").click()
    expect(page.get_by_role("status")).to_contain_text("8 records found")
    expect(page.get_by_role("complementary").locator("[aria-current]")).to_contain_text("1912")
    page.get_by_role("link", name="Do not narrow to 1912").click()
    expect(page.get_by_role("status")).to_contain_text("25 records found")


def test_the_reader_needs_no_mouse(visit: Visit) -> None:
    reader = visit()
    page = reader.open("/search")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("What to look for")).to_be_focused()
    page.keyboard.type("lighthouse OR tide gauges")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("found")
    hit = page.locator(".list h2 a").first
    for _ in range(60):
        page.keyboard.press("Tab")
        if hit.evaluate("each => each === document.activeElement"):
            break
    expect(hit).to_be_focused()
    assert hit.evaluate("each => getComputedStyle(each).outlineStyle") != "none", "focus cannot be seen"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Identifier")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_narrow_screen(visit: Visit, site: Site, scheme: str) -> None:
    reader = visit(viewport=NARROW, color_scheme=scheme)
    for name, path in (
        ("search", "/search?q=gauge&sort=title"),
        ("landing", f"/records/{site.house.packages['harbour']}"),
        ("hostile", f"/records/{site.house.packages['hostile']}"),
        ("nothing", "/search?q=nothingatall"),
    ):
        reader.open(path)
        reader.fits()
        reader.accessible()
        if name in {"search", "landing"} and scheme == "light":
            reader.picture(f"{name}-narrow")


def test_dark_mode_is_dark_and_can_be_read(visit: Visit, site: Site) -> None:
    reader = visit(color_scheme="dark")
    pages = {"search": "/search?q=gauge&sort=title", "landing": f"/records/{site.house.packages['harbour']}"}
    for name, path in pages.items():
        page = reader.open(path)
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert max(map(int, re.findall(r"\d+", ground)[:3])) < 80
        reader.accessible()
        reader.picture(f"{name}-dark")


def test_everything_works_without_javascript(visit: Visit) -> None:
    page = visit(java_script_enabled=False).open("/search")
    page.get_by_label("What to look for").fill("gauge")
    page.get_by_label("Order", exact=True).select_option("title")
    page.get_by_role("main").get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_contain_text("25 records found")
    page.locator(".list h2 a").first.click()
    expect(page.get_by_role("heading", name="Identifier")).to_be_visible()
    expect(page.get_by_role("link", name="readings.csv")).to_be_visible()


def test_a_wrong_query_says_what_is_wrong(visit: Visit) -> None:
    reader = visit()
    page = reader.open("/search?q=nosuchfield%3Ax", 422)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("What to look for")).to_have_value("nosuchfield:x")
    reader.accessible()
    reader.open("/search?q=zzzznothing")
    expect(page.get_by_text("Nothing was found")).to_be_visible()
    reader.accessible()


def test_O6_hostile_metadata_is_text(visit: Visit, site: Site) -> None:
    reader = visit()
    hostile = site.house.packages["hostile"]
    page = reader.open("/search?q=hostile")
    expect(page.locator(".list h2 a")).to_contain_text(SCRIPT)
    page = reader.open(f"/records/{hostile}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE["title"])
    assert page.title().startswith("Hostile harbour <script>")
    addresses = page.eval_on_selector_all("a[href]", "all => all.map(each => each.getAttribute('href'))")
    assert [each for each in addresses if not each.startswith(("/", "#", "http://127.0.0.1"))] == []
    assert page.locator("main script, main img[onerror], main svg").count() == 0
    data = page.locator("script[type='application/ld+json']").evaluate("each => JSON.parse(each.textContent)")
    assert data["name"] == HOSTILE["title"]
    for path in ("drawing.svg", "page.html"):
        with page.expect_download() as taken:
            page.get_by_role("link", name=path).click()
        assert taken.value.suggested_filename == path
    reader.open(f"/search?{'q=' + 'hostile&type=%3Cscript%3Ealert(12)%3C/script%3E'}")
    reader.open("/records/%3Cscript%3Ealert(13)%3C%2Fscript%3E", 404)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    reader.calm()
