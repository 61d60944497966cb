"""A package's page: the verdict for its depositor, all of it for archivists, hostile text shown as it is."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from packages.ledger import CopyRecord, CopyState, JobState, PackageState
from packages.model import now
from services.ingest.submission import Wanted, submit
from services.prefect_home import address_file
from services.work.engine import run_job
from tests.support.browsing import HERE, PAGE, Browser, browser_of, text_of, tree_of
from tests.support.depositor import put
from tests.support.serving import House, house_of, house_with

NAMES = (
    "\u202egnp.exe",
    "<img src=x onerror=alert(1)>.txt",
    "a\nb.txt",
    "n" * 240 + ".txt",
    "100% [done]?#.txt",
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("package")) as made:
        files = dict.fromkeys(NAMES, b"x") | {"x.svg": SVG, "page.html": b"<script>alert(1)</script>"}
        made.deposit(
            "owner",
            "hostile",
            files=files,
            title="<b>bold</b> \u202etxt.exe",
            creators=["<script>alert(1)</script>"],
        )
        yield made


@pytest.fixture
def archivist(house: House) -> Browser:
    return browser_of(house, "archivist")


@pytest.fixture
def owner(house: House) -> Browser:
    return browser_of(house, "owner")


def verdict(page: Any) -> str:
    return text_of(page.xpath('//*[@id="verdict"]//*[@role="status"]')[0])


def buttons(page: Any) -> set[str]:
    return set(page.xpath('//*[@id="actions"]//button/@value'))


def form_with(page: Any, verb: str) -> Any:
    [form] = page.xpath(f'//*[@id="actions"]//form[.//button[@value="{verb}"]]')
    return form


def test_the_verdict_of_a_rejected_package_has_each_finding_with_path_and_remedy(
    house: House, owner: Browser
) -> None:
    page = owner.open(f"/packages/{house.packages['rejected']}")
    assert verdict(page).startswith("Rejected: ")
    with house.archive.catalogue.read() as view:
        job = view.latest_job(house.packages["rejected"])
        assert job is not None
        findings = view.findings(job.id)
    shown = page.xpath('//*[@id="findings"]//li')
    assert len(shown) == len(findings) > 0
    for item, finding in zip(shown, findings, strict=True):
        told = text_of(item)
        assert item.get("class") == finding.severity
        assert finding.severity in told, "the severity is a word, not only a colour"
        assert finding.message in told
        assert finding.hint in told
        assert not finding.path or finding.path in told
    [onward] = page.xpath('//a[starts-with(@href, "/deposit?corrects=")]/@href')
    assert onward.endswith(house.packages["rejected"])


def test_a_published_package_shows_everything_an_archivist_asks(house: House, archivist: Browser) -> None:
    package_id = house.packages["published"]
    page = archivist.open(f"/packages/{package_id}")
    assert verdict(page) == "Archived and published. 2 copies, each read back and found intact."
    told = text_of(page.xpath("//main")[0])
    for each in ("letter.txt", "pictures/dot.gif", "Version 1", "The owner", "virus scan", "last verified"):
        assert each in told
    events = page.xpath('//*[@id="events"]//li')
    with house.archive.catalogue.read() as view:
        recorded = list(view.events(package_id))
    assert len(events) == len(recorded)
    assert recorded[-1].type in text_of(events[0]), "the latest is first"
    links = set(page.xpath("//aside//a/@href"))
    base = f"/api/packages/{package_id}"
    assert {f"{base}/receipt", f"{base}/dip", f"{base}/aip"} <= links
    for link in (f"{base}/receipt", f"{base}/dip", f"{base}/aip"):
        assert archivist.client.get(link).status_code == 200
    for each in page.xpath('//*[@id="files"]//tbody//a/@href'):
        assert archivist.client.get(each).status_code == 200, each


def test_the_time_line_says_who_in_which_version_did_what_in_which_step(
    house: House, archivist: Browser
) -> None:
    page = archivist.open(f"/packages/{house.packages['published']}")
    with house.archive.catalogue.read() as view:
        recorded = list(view.events(house.packages["published"]))
    days = [each.text_content() for each in page.xpath('//*[@id="events"]/h3')]
    assert days == sorted({each.at[:10] for each in recorded}, reverse=True)
    told = [text_of(each) for each in page.xpath('//*[@id="events"]//li')]
    for event, said in zip(reversed(recorded), told, strict=True):
        assert event.type.replace("_", " ") in said
        for agent in event.agents:
            assert f"{agent.name} {agent.version or ''}".strip() in said
            assert f"({agent.kind})" in said


def test_a_file_has_a_page_with_what_is_known_of_it_and_what_was_made_of_it(
    house: House, archivist: Browser, owner: Browser
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (3, 2)).save(picture, "BMP")
    house.deposit("owner", "derived", files={"dot.bmp": picture.getvalue()}, title="Derived")
    package_id = house.packages["derived"]
    links = [
        each
        for each in archivist.open(f"/packages/{package_id}").xpath('//*[@id="files"]//a/@href')
        if "/file?path=" in each
    ]
    with house.archive.catalogue.read() as view:
        files = list(view.iter_files(package_id, 1))
    assert len(links) == len(files)
    made = next(each for each in files if each.derived_from)
    address = f"/packages/{package_id}/file?path="
    page = owner.open(address + made.derived_from.replace("/", "%2F"))
    told = text_of(page.xpath("//main")[0])
    original = next(each for each in files if each.path == made.derived_from)
    for each in (original.sha512, f"{original.crc32:08x}", original.format_name, original.puid):
        assert str(each) in told
    for name in original.properties:
        assert name.replace("_", " ") in told
    (link,) = page.xpath('//*[@id="made"]//a/@href')
    back = owner.open(link).xpath('//*[@id="made"]//li[starts-with(., "Made from")]//a')
    assert [text_of(each) for each in back] == [made.derived_from.removeprefix("data/original/")]
    assert archivist.client.get(address + "data%2Foriginal%2Fnone").status_code == 404


def test_O6_properties_of_hostile_files_are_shown_and_never_active(house: House, archivist: Browser) -> None:
    package_id = house.packages["hostile"]
    for link in archivist.open(f"/packages/{package_id}").xpath('//*[@id="files"]//a/@href'):
        if "/file?path=" in link:
            page = archivist.open(link)
            assert page.xpath("//main//script | //main//img") == []
            assert "\u202e" not in page.text_content()


def test_owners_see_no_aip_and_strangers_nothing_at_all(house: House, owner: Browser) -> None:
    package_id = house.packages["published"]
    page = owner.open(f"/packages/{package_id}")
    assert not page.xpath('//a[contains(@href, "/aip")]')
    links = page.xpath('//*[@id="files"]//tbody//a/@href')
    assert [each for each in links if owner.client.get(each).status_code != 200] == []
    assert "metadata/mets.xml" in text_of(page.xpath('//*[@id="files"]')[0]), "named, and not linked"
    other = browser_of(house, "other").client.get(f"/packages/{package_id}", headers=PAGE)
    unknown = browser_of(house, "other").client.get(
        "/packages/00000000-0000-4000-8000-000000000000", headers=PAGE
    )
    assert other.status_code == unknown.status_code == 404
    assert (
        other.text.replace(package_id, "X").split("<main")[1].split("request")[0]
        == unknown.text.replace("00000000-0000-4000-8000-000000000000", "X")
        .split("<main")[1]
        .split("request")[0]
    )


def test_a_package_is_found_by_the_beginning_of_its_id_and_by_its_pid(house: House, owner: Browser) -> None:
    package_id = house.packages["published"]
    with house.archive.catalogue.read() as view:
        pid = view.package(package_id).pid
    for reference in (package_id[:8], pid):
        answer = owner.client.get(f"/packages/{reference}", headers=PAGE)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/packages/{package_id}"


def test_O6_hostile_text_and_names_are_shown_and_never_active(house: House, archivist: Browser) -> None:
    package_id = house.packages["hostile"]
    answer = archivist.client.get(f"/packages/{package_id}", headers=PAGE)
    page = tree_of(answer)
    assert "\u202e" not in answer.text
    assert not page.xpath("//main//img | //main//script | //main//b[text()='bold']")
    names = {text_of(each) for each in page.xpath('//*[@id="files"]//tbody//a')}
    for name in ("\\u202egnp.exe", "<img src=x onerror=alert(1)>.txt", "a\\nb.txt", "100% [done]?#.txt"):
        assert name in names
    assert text_of(page.xpath("//h1")[0]) == "<b>bold</b> \\u202etxt.exe"
    for name in (*NAMES, "x.svg", "page.html"):
        [link] = [
            each
            for each in page.xpath('//*[@id="files"]//tbody//a/@href')
            if "/api/" in each and each.endswith(_address(name))
        ]
        served = archivist.client.get(link)
        assert served.status_code == 200, name
        if name in {"x.svg", "page.html"}:
            assert served.headers["content-disposition"].startswith("attachment")
            assert "html" not in served.headers["content-type"]
            assert "svg" not in served.headers["content-type"]


def _address(name: str) -> str:
    from urllib.parse import quote

    return quote(name)


def test_files_are_paged(house: House, archivist: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.pages.package.FILES", 4)
    seen: list[str] = []
    address = f"/packages/{house.packages['hostile']}"
    for _ in range(20):
        page = archivist.open(address)
        seen += page.xpath('//*[@id="files"]//tbody//a/@href')
        following = page.xpath('//*[@id="files"]//a[@rel="next"]/@href')
        if not following:
            break
        address = following[0].partition("#")[0]
    monkeypatch.undo()
    whole = archivist.open(f"/packages/{house.packages['hostile']}").xpath('//*[@id="files"]//tbody//a/@href')
    assert seen == whole


@pytest.mark.parametrize("query", ["version=9", "version=0", "version=x", "after=x", "after=WyJhIl0"])
def test_pages_that_are_not_there_are_said(house: House, archivist: Browser, query: str) -> None:
    answer = archivist.client.get(f"/packages/{house.packages['published']}?{query}", headers=PAGE)
    assert answer.status_code in {404, 422}
    tree_of(answer)


def test_work_is_shown_with_its_step_and_what_is_still_to_come(house: House, owner: Browser) -> None:
    page = owner.open(f"/packages/{house.packages['queued']}")
    assert verdict(page) == "Received, and at work. Step 2 of 13: validate."
    assert page.xpath('//*[@id="verdict"]//progress/@value') == ["1"]
    assert page.xpath('//noscript/meta[@http-equiv="refresh"]'), "without JavaScript it reloads by itself"
    assert page.xpath("//*[@data-watch]/@data-watch") == [house.packages["queued"]]
    assert len(page.xpath('//ol[@class="steps"]/li[@class="pending"]')) == 12
    assert buttons(page) == {"cancel"}


def test_each_may_do_what_the_state_allows(house: House, archivist: Browser, owner: Browser) -> None:
    published, rejected = house.packages["published"], house.packages["rejected"]
    assert buttons(archivist.open(f"/packages/{published}")) == {"withdraw", "hold"}
    assert buttons(owner.open(f"/packages/{published}")) == set()
    assert buttons(archivist.open(f"/packages/{rejected}")) == set()


def test_hold_release_and_withdraw_with_a_reason(house: House, archivist: Browser) -> None:
    package_id = house.packages["embargoed"]
    address = f"/packages/{package_id}"
    form = form_with(archivist.open(address), "hold")
    assert archivist.send(form, button="hold", reason=" ").status_code == 403, "it needs a reason"
    done = archivist.send(form, button="hold", reason="Court order 12/26")
    assert done.headers["location"] == f"{address}?done=hold"
    page = archivist.open(done.headers["location"])
    assert "Court order 12/26" in text_of(page)
    assert "Under legal hold" in text_of(page.xpath('//*[@role="status"]')[0])
    archivist.send(form_with(page, "release"), button="release", reason="It is over")
    done = archivist.send(
        form_with(archivist.open(address), "withdraw"), button="withdraw", reason="Rights withdrawn"
    )
    assert done.status_code == 303
    assert verdict(archivist.open(address)).startswith("Withdrawn from sight.")
    with house.archive.catalogue.read() as view:
        assert view.package(package_id).state is PackageState.WITHDRAWN


@pytest.mark.parametrize("verb", ["withdraw", "hold", "release", "approve", "reject"])
def test_owners_cannot_do_an_archivists_work(house: House, owner: Browser, verb: str) -> None:
    form = owner.open(f"/packages/{house.packages['queued']}").xpath('//*[@id="actions"]//form')[0]
    answer = owner.send(form, verb=verb, reason="because")
    assert answer.status_code in {403, 409}
    other = browser_of(house, "other")
    token = other.open("/deposit").xpath('//form[@data-upload]//input[@name="form_token"]/@value')[0]
    answer = other.client.post(
        f"/packages/{house.packages['queued']}/decision",
        data={"form_token": token, "verb": verb, "reason": "because"},
        headers={**PAGE, **HERE},
    )
    assert answer.status_code in {403, 404}


def test_a_decision_needs_the_form(house: House, owner: Browser) -> None:
    address = f"/packages/{house.packages['queued']}/decision"
    answer = owner.client.post(address, data={"verb": "cancel"}, headers=PAGE)
    assert answer.status_code == 403
    form = form_with(owner.open(f"/packages/{house.packages['queued']}"), "cancel")
    assert owner.send(form, verb="explode").status_code == 422


def test_our_own_failure_is_no_fault_of_the_depositor(house: House, owner: Browser) -> None:
    package_id = house.deposit("owner", "unlucky", until="receive")
    with house.archive.catalogue.write() as unit:
        job = unit.latest_job(package_id)
        assert job is not None
        unit.set_job(job.id, state=JobState.FAILED, reason="no space left <b>", not_before=None)
    page = owner.open(f"/packages/{package_id}")
    assert verdict(page).startswith("Something here has failed. The fault is on our side")
    assert "no space left <b>" in verdict(page)
    done = owner.send(form_with(page, "retry"), button="retry")
    assert done.headers["location"].endswith("?done=retry")
    done = owner.send(form_with(owner.open(f"/packages/{package_id}"), "cancel"), button="cancel")
    assert done.status_code == 303
    assert verdict(owner.open(f"/packages/{package_id}")).startswith("Cancelled.")


def test_a_damaged_copy_comes_first_with_the_command_that_mends_it(house: House, archivist: Browser) -> None:
    package_id = house.packages["other"]
    bad = CopyRecord(package_id, "copy", 1, CopyState.CORRUPT, now(), "v1/content/\u202e<b>: corrupt")
    with house.archive.catalogue.write() as unit:
        [before] = [each for each in unit.copies_of([package_id])[package_id] if each.store == "copy"]
        unit.set_copy(bad)
    page = archivist.open("/fixity")
    [row] = page.xpath('//*[@id="damaged"]//tbody/tr')
    assert f"holdfast repair {package_id}" in text_of(row)
    assert "corrupt" in text_of(row)
    assert "\\u202e<b>" in text_of(row)
    headings = [text_of(each) for each in page.xpath("//h2")]
    assert headings.index("Damaged") < headings.index("Stores")
    assert "on the same disk" in text_of(page).lower()
    overview = archivist.open("/")
    assert overview.xpath('//ul[@class="facts"]//a[@href="/fixity#damaged"]')
    assert overview.xpath('//div[@id="needs"]//a[@href="/fixity#damaged"]')  # not “Nothing”
    assert "1 of 2 copies found intact." in verdict(archivist.open(f"/packages/{package_id}"))
    with house.archive.catalogue.write() as unit:
        unit.set_copy(before)
    assert not archivist.open("/fixity").xpath('//*[@id="damaged"]')


def test_an_archivist_approves_or_rejects_what_waits_and_the_depositor_reads_why(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with house_with(tmp_path_factory.mktemp("waiting"), approval="always") as house:
        archivist, owner = browser_of(house, "archivist"), browser_of(house, "owner")
        addresses = []
        for name in ("first", "second"):
            source = put(house.folder / name, {"a.txt": name.encode()})
            job = submit(house.archive, house.people["owner"].actor, Wanted(source=source))
            run_job(house.archive, job.id)
            addresses.append((f"/packages/{job.package_id}", job.id))
        (first, first_job), (second, second_job) = addresses
        assert verdict(owner.open(first)).startswith("Waiting for an archivist")
        assert buttons(owner.open(first)) == {"cancel"}
        page = archivist.open(first)
        assert buttons(page) == {"approve", "reject", "cancel"}
        archivist.send(form_with(page, "approve"), button="approve")
        run_job(house.archive, first_job)
        assert verdict(owner.open(first)).startswith("Archived and published.")
        archivist.send(form_with(archivist.open(second), "reject"), button="reject", reason="Not ours <i>")
        run_job(house.archive, second_job)
        assert "Not ours <i>" in verdict(owner.open(second))
        assert json.loads(owner.client.get(f"/api{second}").text)["state"] == "rejected"


def test_the_pages_of_the_homes_own_prefect_are_linked_for_archivists(house: House) -> None:
    package_id = house.packages["published"]
    link = '//a[contains(., "in Prefect")]/@href'
    assert not browser_of(house, "archivist").open(f"/packages/{package_id}").xpath(link)
    address = address_file(house.archive.home)
    address.parent.mkdir(exist_ok=True)
    address.write_text("http://127.0.0.1:4299/api", encoding="ascii")
    expected = [f"http://127.0.0.1:4299/runs?tag=package:{package_id}"]
    assert browser_of(house, "archivist").open(f"/packages/{package_id}").xpath(link) == expected
    assert browser_of(house, "archivist").open("/").xpath(link) == ["http://127.0.0.1:4299/runs"]
    assert not browser_of(house, "owner").open(f"/packages/{package_id}").xpath(link)
    address.write_text("javascript:alert(1)", encoding="ascii")
    assert not browser_of(house, "archivist").open("/").xpath(link)
