"""The depositor's journey in a real browser: drop, see the verdict and its remedy, mend, get a receipt."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import NARROW, PROJECT, Site, Visitor, site_of

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
SAMPLES = PROJECT / "samples"
HEADLINE = "#verdict [role=status]"
LONG = 30_000  # milliseconds until a small deposit has its verdict; CI's two cores are shared


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An empty archive with a worker at work."""
    with site_of(tmp_path_factory.mktemp("site"), publisher="Archive of Süderoog") as made:
        made.working.set()
        yield made


def zipped(folder: Path, place: Path) -> Path:
    with zipfile.ZipFile(place, "w") as bundle:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                bundle.write(each, each.relative_to(folder.parent))
    return place


def letters(place: Path, text: str) -> Path:
    with zipfile.ZipFile(place, "w") as bundle:
        bundle.writestr("letter.txt", text)
    return place


def dropped(page: Page, target: str, *paths: Path) -> None:
    """Drop files and folders from outside the browser, as the desktop does."""
    place = page.locator(target).bounding_box()
    assert place is not None
    at = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
    data = {"items": [], "files": [str(each) for each in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})
    session.detach()


def test_a_depositor_drops_a_broken_bag_mends_it_and_gets_a_receipt(visit: Visit, tmp_path: Path) -> None:
    depositor = visit(accept_downloads=True)
    depositor.sign_in("owner")
    page = depositor.open("/deposit")
    depositor.accessible()
    depositor.picture("deposit")
    bag = tmp_path / "papers of the lamp"
    shutil.copytree(SAMPLES / "broken-bag", bag)
    dropped(page, ".drop", bag)
    expect(page.locator("#chosen")).to_contain_text("papers of the lamp/")
    page.get_by_role("button", name="Deposit").click()
    expect(page.locator(HEADLINE)).to_contain_text("Rejected:", timeout=LONG)
    error = page.locator(".findings .error").first
    expect(error.locator(".path")).not_to_be_empty()
    expect(error.locator(".hint")).not_to_be_empty()
    expect(page.locator("#findings")).to_contain_text("data/minutes.txt")
    depositor.accessible()
    depositor.picture("verdict")
    page.get_by_role("link", name="Correct and send again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Correct and send again")
    page.get_by_label("Files, or one archive").set_input_files(
        zipped(SAMPLES / "lighthouse-bag", tmp_path / "mended.zip")
    )
    page.get_by_role("button", name="Deposit").click()
    expect(page.locator(HEADLINE)).to_contain_text("Archived and published.", timeout=LONG)
    expect(page.get_by_role("complementary")).to_contain_text("Corrects")
    depositor.accessible()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Receipt", exact=True).click()
    receipt = json.loads(Path(taken.value.path()).read_bytes())
    assert page.url.partition("/packages/")[2].startswith(receipt["id"])
    page.reload()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="My deposits").click()
    expect(page.locator(".list")).to_contain_text("published")
    expect(page.locator(".list")).to_contain_text("rejected")
    depositor.accessible()


def test_a_zip_that_is_chosen_is_taken_in(visit: Visit, tmp_path: Path) -> None:
    depositor = visit()
    depositor.sign_in("owner")
    page = depositor.open("/deposit")
    page.get_by_label("Files, or one archive").set_input_files(letters(tmp_path / "one.zip", "one\n"))
    page.get_by_label("Title").fill("A letter & <b>nothing else</b>")
    page.get_by_role("button", name="Deposit").click()
    expect(page.locator(HEADLINE)).to_contain_text("Archived and published.", timeout=LONG)
    expect(page.get_by_role("heading", level=1)).to_have_text("A letter & <b>nothing else</b>")
    page.get_by_role("link", name="ark:").click()
    expect(page.get_by_text("in 2 places")).to_be_visible()


def test_a_depositor_needs_no_mouse(visit: Visit, tmp_path: Path) -> None:
    depositor = visit()
    depositor.sign_in("owner")
    page = depositor.open("/deposit")
    page.get_by_label("Files, or one archive").set_input_files(letters(tmp_path / "keys.zip", "keys\n"))
    page.get_by_label("Files, or one archive").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.get_by_label("Title").evaluate("each => each === document.activeElement"):
            break
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.type("By keys alone")
    page.keyboard.press("Enter")
    expect(page.locator(HEADLINE)).to_contain_text("Archived and published.", timeout=LONG)
    expect(page.get_by_role("heading", level=1)).to_have_text("By keys alone")


def test_everything_works_without_javascript(visit: Visit, tmp_path: Path) -> None:
    depositor = visit(java_script_enabled=False)
    depositor.sign_in("owner")
    page = depositor.open("/deposit")
    page.get_by_label("Files, or one archive").set_input_files(letters(tmp_path / "plain.zip", "plain\n"))
    page.get_by_label("Title").fill("Without a script")
    page.get_by_role("button", name="Deposit").click()
    # The page comes anew by itself, every few seconds, until there is a verdict.
    expect(page.locator(HEADLINE)).to_contain_text("Archived and published.", timeout=LONG)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_narrow_screen(visit: Visit, site: Site, scheme: str) -> None:
    broken = site.take_in("other", SAMPLES / "broken-bag")
    depositor = visit(viewport=NARROW, color_scheme=scheme)
    depositor.open("/sign-in")
    depositor.fits()
    depositor.accessible()
    depositor.sign_in("other")
    for path in ("/deposit", f"/deposit?corrects={broken}", "/packages", f"/packages/{broken}"):
        depositor.open(path)
        depositor.fits()
        depositor.accessible()
    if scheme == "light":
        depositor.picture("verdict-narrow")


def test_O6_hostile_names_are_text_in_the_verdict(visit: Visit, site: Site, tmp_path: Path) -> None:
    script = "<img src=x onerror=alert(1)>"
    bag = tmp_path / "bag"
    shutil.copytree(SAMPLES / "broken-bag", bag)
    (bag / "data" / f"{script}.txt").write_text("extra\n")
    package = site.take_in("owner", bag, title=f"</title><script>alert(2)</script>{script}")
    depositor = visit()
    depositor.sign_in("owner")
    page = depositor.open(f"/packages/{package}")
    expect(page.locator("#findings")).to_contain_text(script)
    expect(page.get_by_role("heading", level=1)).to_contain_text(script)
    assert page.locator("main script, main img").count() == 0
    depositor.open("/packages")
    expect(page.locator(".list")).to_contain_text(script)


def test_O3_another_depositors_package_is_not_there(visit: Visit, site: Site) -> None:
    theirs = site.take_in("owner", SAMPLES / "lighthouse-bag")
    depositor = visit()
    depositor.sign_in("other")
    page = depositor.open(f"/packages/{theirs}", 404)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
