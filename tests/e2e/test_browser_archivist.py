"""The archivist's journey in a real browser: the night at a glance, many decisions, proof of copies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from services.administration.decisions import decide
from services.archival_storage.fixity import audit
from services.work.engine import run_due
from tests.support.browser import NARROW, PROJECT, Site, Visitor, site_of

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
SAMPLES = PROJECT / "samples"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(4)'/>"
WEEKS = tuple(range(1, 10))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An archive where everything waits for an archivist, but for two packages that were let in."""
    with site_of(tmp_path_factory.mktemp("site"), publisher="Archive of Süderoog", approval="always") as made:
        house = made.house
        house.packages["harbour"] = made.take_in(
            "owner", SAMPLES / "harbour", SAMPLES / "harbour.record.json"
        )
        house.packages["lighthouse"] = made.take_in("other", SAMPLES / "lighthouse-bag")
        approved(made, "harbour", "lighthouse")
        house.packages["broken"] = made.take_in("other", SAMPLES / "broken-bag")
        for week in WEEKS:
            house.deposit(
                "owner",
                f"week-{week}",
                title=f"Gauge readings, week {week}",
                files={"readings.csv": f"day,cm\n{week},20\n".encode()},
            )
        house.deposit(
            "other",
            "hostile",
            title="<script>document.title='taken over';alert(1)</script><img src=x onerror=alert(2)>",
            files={
                "<svg onload=alert(3)>.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(4)'/>"
            },
        )
        yield made


def approved(site: Site, *names: str) -> None:
    house = site.house
    decide(
        house.archive, house.people["archivist"].actor, "approve", [house.packages[each] for each in names]
    )
    run_due(house.archive)


def row(page: Page, title: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=title, exact=True))


def test_many_are_decided_on_with_a_preview(visit: Visit, site: Site) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open("/packages?state=waiting")
    for week in (1, 2):
        row(page, f"Gauge readings, week {week}").get_by_role("checkbox").check()
    expect(page.locator("[data-counts]")).to_have_text("2 chosen")
    archivist.accessible()
    page.get_by_role("button", name="Approve …").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve 2 packages?")
    expect(page.get_by_role("table")).to_contain_text("Gauge readings, week 2")
    archivist.accessible()
    page.get_by_role("button", name="Approve 2 packages").click()
    expect(page.get_by_role("main")).to_contain_text("2 approved")
    run_due(site.house.archive)
    page = archivist.open(f"/packages/{site.house.packages['week-1']}")
    expect(page.locator("#verdict [role=status]")).to_contain_text("Archived and published.")

    archivist.open("/packages?state=waiting")
    row(page, "Gauge readings, week 3").get_by_role("checkbox").check()
    page.get_by_role("button", name="Reject …").click()
    page.get_by_role("textbox", name="Reason").fill("The year is missing.")
    page.get_by_role("button", name="Reject 1 package").click()
    run_due(site.house.archive)
    page = archivist.open(f"/packages/{site.house.packages['week-3']}")
    expect(page.locator("#verdict")).to_contain_text("The year is missing.")

    archivist.open("/packages?state=waiting")
    row(page, "Gauge readings, week 4").get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_role("link", name="Go back").click()  # thought better of it
    expect(row(page, "Gauge readings, week 4")).to_be_visible()
    row(page, "Gauge readings, week 4").get_by_role("checkbox").check()
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_role("button", name="Cancel 1 package").click()
    page = archivist.open(f"/packages/{site.house.packages['week-4']}")
    expect(page.locator("#verdict [role=status]")).to_contain_text("Cancelled.")


def test_a_list_is_filtered_by_state_step_and_reason(visit: Visit) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open("/packages")
    page.get_by_label("State").select_option("rejected")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("table")).to_contain_text("broken-bag")
    expect(page.get_by_role("table")).not_to_contain_text("week 8")
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("Step").select_option("approve")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("table")).to_contain_text("week 8")
    expect(page.get_by_role("table")).not_to_contain_text("broken-bag")


def test_an_archivist_needs_no_mouse(visit: Visit, site: Site) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open("/packages?state=waiting")
    box = row(page, "Gauge readings, week 5").get_by_role("checkbox")
    until(page, box)
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    until(page, page.get_by_role("button", name="Approve …"))
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Approve 1 package")
    expect(button).to_be_visible()
    until(page, button)
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("1 approved")
    run_due(site.house.archive)


def until(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus, which must be seen."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if wanted.evaluate("each => each === document.activeElement"):
            break
    expect(wanted).to_be_focused()
    assert wanted.evaluate("each => getComputedStyle(each).outlineStyle") != "none", "focus cannot be seen"


def test_a_page_shows_what_happens_without_being_asked(visit: Visit, site: Site) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open(f"/packages/{site.house.packages['week-6']}")
    expect(page.locator("#verdict [role=status]")).to_contain_text("Waiting for an archivist")
    approved(site, "week-6")  # by somebody else, elsewhere
    expect(page.locator("#verdict [role=status]")).to_contain_text("Archived and published.")


def test_a_package_page_tells_all_and_fixity_proves_it(visit: Visit, site: Site) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open(f"/packages/{site.house.packages['harbour']}")
    for heading in ("Files", "What happened", "Facts", "Copies", "Versions", "Steps"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.locator("#events")).to_contain_text("virus check")
    archivist.accessible()
    archivist.picture("package")
    page.locator('#files a[href*="pilot-cutter.bmp"][href*="/file?path="]').first.click()
    expect(page.get_by_role("heading", name="What it is", exact=True)).to_be_visible()
    expect(page.locator("#made")).to_contain_text("images/pilot-cutter.bmp/pilot-cutter.bmp.png")
    archivist.accessible()
    archivist.picture("file")
    page.go_back()
    copies = Path(site.house.archive.home, "stores", "copy")
    damaged = next(copies.rglob("original/**/letter-to-the-ministry.docx"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    list(audit(site.house.archive, site.house.people["admin"].actor, [site.house.packages["harbour"]]))
    page = archivist.open("/fixity")
    expect(page.locator("#damaged")).to_contain_text("Harbour office of Süderoog")
    expect(page.locator("#damaged")).to_contain_text("holdfast repair")
    archivist.accessible()
    archivist.picture("copies")
    page = archivist.open("/")
    expect(page.locator(".facts").first).to_contain_text("1 damaged")
    page = archivist.open(f"/packages/{site.house.packages['harbour']}")
    page.get_by_role("button", name="Mend").click()
    expect(page.locator("#aside")).to_contain_text("Read back now")
    expect(page.get_by_role("button", name="Mend")).to_have_count(0)


def test_the_format_policy_can_be_read(visit: Visit) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    page = archivist.open("/")
    page.get_by_role("link", name="Policy").click()
    expect(page.get_by_role("heading", name="Format policy", exact=True)).to_be_visible()
    row = page.get_by_role("row").filter(has_text="uncommon rasters")
    expect(row).to_contain_text("the same in both: pixels, frames, pixels hash")
    row.locator("summary").click()
    expect(row.get_by_role("link", name="Windows Bitmap 3.0", exact=True)).to_be_visible()
    archivist.accessible()
    row.locator("summary").click()
    page.evaluate("scrollTo(0, 0)")
    archivist.picture("policy")


def test_an_administrator_lets_somebody_in_and_out_again(visit: Visit, site: Site) -> None:
    administrator = visit()
    administrator.sign_in("admin")
    page = administrator.open("/")
    page.get_by_role("link", name="People").click()
    page.get_by_label("Name").fill("Museum of the island")
    page.get_by_label("Role").select_option("depositor")
    page.get_by_label("Ends").fill("90d")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("#made-token").inner_text()
    administrator.accessible()
    administrator.picture("people")
    asked = {"Authorization": f"Bearer {secret}"}
    assert page.request.get(f"{site.url}/api/packages", headers=asked).status == 200
    page.get_by_role("button", name="Revoke the token of Museum of the island").click()
    expect(page.get_by_role("main")).to_contain_text("that token lets nobody in any more")
    assert page.request.get(f"{site.url}/api/packages", headers=asked).status == 401


def test_an_owner_edits_the_record_on_a_narrow_screen(visit: Visit, site: Site) -> None:
    owner = visit(viewport=NARROW)
    owner.sign_in("other")
    page = owner.open(f"/packages/{site.house.packages['lighthouse']}/record")
    owner.fits()
    owner.accessible()
    page.get_by_label("What you changed, and why").fill("Nothing, to be seen")
    page.get_by_role("button", name="Make a new version").click()
    expect(page.get_by_role("main")).to_contain_text("The record says the same as before")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_narrow_screen(visit: Visit, site: Site, scheme: str) -> None:
    archivist = visit(viewport=NARROW, color_scheme=scheme)
    archivist.sign_in("archivist")
    for path in ("/", "/packages", f"/packages/{site.house.packages['harbour']}", "/fixity", "/policy"):
        archivist.open(path)
        archivist.fits()
        archivist.accessible()
        if path == "/" and scheme == "light":
            archivist.picture("overview-narrow")


def test_dark_mode_can_be_read(visit: Visit, site: Site) -> None:
    archivist = visit(color_scheme="dark")
    archivist.sign_in("archivist")
    for name, path in (("overview", "/"), ("package", f"/packages/{site.house.packages['harbour']}")):
        archivist.open(path)
        archivist.accessible()
        archivist.picture(f"{name}-dark")


def test_everything_works_without_javascript(visit: Visit, site: Site) -> None:
    archivist = visit(java_script_enabled=False)
    archivist.sign_in("archivist")
    page = archivist.open("/packages?state=waiting")
    row(page, "Gauge readings, week 7").get_by_role("checkbox").check()
    page.get_by_role("button", name="Approve …").click()
    page.get_by_role("button", name="Approve 1 package").click()
    expect(page.get_by_role("main")).to_contain_text("1 approved")
    run_due(site.house.archive)
    page = archivist.open(f"/packages/{site.house.packages['week-7']}")
    expect(page.locator("#verdict [role=status]")).to_contain_text("Archived and published.")


def test_O6_hostile_metadata_is_text(visit: Visit, site: Site) -> None:
    archivist = visit()
    archivist.sign_in("archivist")
    for path in ("/", "/packages?state=waiting", f"/packages/{site.house.packages['hostile']}"):
        page = archivist.open(path)
        expect(page.get_by_role("main")).to_contain_text("<script>document.title=")
        assert page.locator("main script, main img, main svg").count() == 0
        assert "taken over" not in page.title() or "<script>" in page.title()


def test_a_depositor_is_no_archivist(visit: Visit) -> None:
    depositor = visit()
    depositor.sign_in("owner")
    depositor.open("/fixity", 403)
