"""The archivist's overview, lists of packages for each role, and decisions with a preview."""

from collections.abc import Iterator
from typing import Any

import pytest

from packages.ledger import JobState, PackageState
from services.administration.people import local_actor
from services.archival_storage.fixity import audit
from services.data_management import overview
from tests.support.browsing import HERE, PAGE, Browser, browser_of, text_of, tree_of
from tests.support.serving import House, house_of, house_with

HOSTILE = '<script>alert(1)</script>" onmouseover="x \u202egnp.exe'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("lists")) as made:
        made.deposit("other", "hostile", title=HOSTILE)
        yield made


@pytest.fixture(autouse=True)
def _as_it_was(house: House) -> None:
    """What tests decide on is queued again before each of them: none leans on another."""
    with house.archive.catalogue.write() as unit:
        unit.update_package(house.packages["queued"], state=PackageState.SUBMITTED)
    queue(house, "queued")


@pytest.fixture
def archivist(house: House) -> Browser:
    return browser_of(house, "archivist")


@pytest.fixture
def owner(house: House) -> Browser:
    return browser_of(house, "owner")


def facts(page: Any) -> dict[str, str]:
    """Return the words of the first line, with where each leads."""
    return {text_of(each): each.get("href") for each in page.xpath('//ul[@class="facts"]//a')}


def titles(page: Any) -> list[str]:
    return [
        text_of(each)
        for each in page.xpath('//main//*[self::th or self::h2]/a[starts-with(@href, "/packages/")]')
    ]


def fail(house: House, name: str, reason: str = "no space left") -> None:
    with house.archive.catalogue.write() as unit:
        job = unit.latest_job(house.packages[name])
        assert job is not None
        unit.set_job(job.id, state=JobState.FAILED, reason=reason, not_before=None)


def queue(house: House, name: str) -> None:
    with house.archive.catalogue.write() as unit:
        job = unit.latest_job(house.packages[name])
        assert job is not None
        unit.set_job(job.id, state=JobState.QUEUED, reason="")


def test_the_first_line_answers_the_nights_questions_and_each_word_leads_on(
    house: House, archivist: Browser
) -> None:
    list(audit(house.archive, local_actor(house.archive), [house.packages["published"]]))
    page = archivist.open("/")
    line = facts(page)
    copies = 2 * 7
    for word in (
        "needs you 0",
        "running 0",
        "queued 1",
        "archived 7",
        f"copies {copies}/{copies} intact",
        "on the same disk",
        "test identifiers",
        "virus scan not configured",
    ):
        assert word in line, line
    assert any(word.startswith("checked ") for word in line)
    for target in line.values():
        path, _, anchor = target.partition("#")
        led = archivist.open(path or "/")
        assert not anchor or led.xpath(f'//*[@id="{anchor}"]'), target


def test_work_that_nobody_takes_up_is_said(archivist: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "UNATTENDED_SECONDS", 3600.0)
    assert "no worker" not in facts(archivist.open("/")), "it came just now"
    monkeypatch.setattr(overview, "UNATTENDED_SECONDS", 0.0)
    page = archivist.open("/")
    assert facts(page)["no worker"] == "#needs-you"
    assert "holdfast worker" in text_of(page.xpath('//*[@id="unattended"]')[0])


def test_what_needs_a_person_comes_first_with_its_reason(house: House, archivist: Browser) -> None:
    fail(house, "queued", "no space left in /archive <b>")
    page = archivist.open("/")
    assert "needs you 1" in facts(page)
    [needs] = page.xpath('//*[@id="needs"]//tbody/tr')
    assert "Title of queued" in text_of(needs) or "queued" in text_of(needs)
    assert "no space left in /archive <b>" in text_of(needs)
    assert needs.xpath('.//*[contains(@class, "chip")]')[0].text == "failed"
    assert "The owner" in text_of(needs)


def test_depositors_are_led_to_their_deposits_and_strangers_to_the_search(
    house: House, owner: Browser
) -> None:
    assert owner.client.get("/").headers["location"] == "/packages"
    assert browser_of(house).client.get("/").headers["location"] == "/search"


def test_O3_a_depositor_sees_their_own_packages_only(house: House, owner: Browser) -> None:
    found = titles(owner.open("/packages"))
    assert len(found) == 6
    assert not any("other" in each for each in found)
    assert not owner.open("/packages").xpath('//input[@name="ids"]')
    with house.archive.catalogue.read() as view:
        assert len(titles(browser_of(house, "archivist").open("/packages"))) == len(
            list(view.iter_packages())
        )


@pytest.mark.parametrize(
    "path", ["/packages", "/fixity", "/deposit", "/packages/1234", "/packages?state=failed"]
)
def test_nobody_is_asked_to_sign_in_and_comes_back(house: House, path: str) -> None:
    answer = browser_of(house).client.get(path, headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")
    signed = browser_of(house).client
    sent = signed.post(
        "/sign-in",
        data={
            "token": house.people["archivist"].secret,
            "next": tree_of(signed.get(answer.headers["location"])).xpath('//input[@name="next"]/@value')[0],
        },
        headers=HERE,
    )
    assert sent.headers["location"] == path


@pytest.mark.parametrize("path", ["/fixity"])
def test_archivists_pages_are_theirs(owner: Browser, path: str) -> None:
    page = owner.open(path, 403)
    assert "no archivist" in text_of(page)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=rejected", {"rejected"}),
        (
            "state=published&step=publish",
            {"published", "restricted_files", "restricted", "embargoed", "other", "other_hidden", "hostile"},
        ),
        (
            "state=kept",
            {"published", "restricted_files", "restricted", "embargoed", "other", "other_hidden", "hostile"},
        ),
        ("state=failed&reason=NO+SPACE", {"queued"}),
        ("reason=%25", set()),
        ("state=withdrawn", set()),
    ],
)
def test_packages_are_filtered_as_on_the_command_line(
    house: House, archivist: Browser, query: str, expected: set[str]
) -> None:
    fail(house, "queued", "there is no space left")
    page = archivist.open(f"/packages?{query}")
    shown = {each.get("value") for each in page.xpath('//input[@name="ids"]')}
    assert shown == {house.packages[each] for each in expected}


@pytest.mark.parametrize("query", ["state=lost", "step=dance", "after=x", "after=WyJhIl0"])
def test_a_filter_that_means_nothing_is_said(archivist: Browser, query: str) -> None:
    archivist.open(f"/packages?{query}", 422)


def test_O7_lists_are_paged_by_key(house: House, archivist: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.pages.overview.PAGE", 4)
    seen: list[str] = []
    address = "/packages"
    for _ in range(10):
        page = archivist.open(address)
        seen += page.xpath('//input[@name="ids"]/@value')
        following = page.xpath('//a[@rel="next"]/@href')
        if not following:
            break
        address = following[0]
    assert sorted(seen) == sorted(house.packages.values())
    assert len(seen) == len(set(seen))


def test_O6_a_title_with_html_and_hidden_marks_is_shown_as_it_is(archivist: Browser) -> None:
    page = archivist.open("/packages")
    assert '<script>alert(1)</script>" onmouseover="x \\u202egnp.exe' in titles(page)


def test_decisions_are_shown_before_they_are_taken(house: House, archivist: Browser) -> None:
    fail(house, "queued")
    page = archivist.open("/")
    [form] = page.xpath('//form[@id="decide"]')
    fields = {"verb": "retry", "ids": [house.packages["queued"]]}
    preview = tree_of(archivist.send(form, **fields))
    assert text_of(preview.xpath("//h1")[0]) == "Try again 1 package?"
    with house.archive.catalogue.read() as view:
        job = view.latest_job(house.packages["queued"])
    assert job is not None
    assert job.state is JobState.FAILED, "a preview changes nothing"
    [confirm] = preview.xpath('//form[@id="confirm"]')
    done = archivist.send(confirm)
    assert done.status_code == 303
    assert done.headers["location"] == "/?done=retry&n=1"
    assert "1 set going again." in text_of(archivist.open(done.headers["location"]))
    with house.archive.catalogue.read() as view:
        after = view.job(job.id)
    assert after.state is JobState.QUEUED


def test_a_filter_decides_on_all_that_it_finds_and_on_no_more_than_was_shown(
    house: House, archivist: Browser
) -> None:
    fail(house, "queued", "the disk is full")
    page = archivist.open("/packages?state=failed&reason=disk")
    [form] = page.xpath('//form[@id="decide"]')
    preview = tree_of(archivist.send(form, verb="retry", everything="1"))
    assert text_of(preview.xpath("//h1")[0]) == "Try again 1 package?"
    [confirm] = preview.xpath('//form[@id="confirm"]')
    queue(house, "queued")  # meanwhile somebody else did it
    refused = archivist.send(confirm)
    assert refused.status_code == 409
    assert "a preview showed 1 package" in refused.text
    fail(house, "queued", "the disk is full")
    assert (
        archivist.send(confirm)
        .headers["location"]
        .startswith("/packages?state=failed&reason=disk&done=retry")
    )


def test_a_rejection_needs_a_reason(house: House, archivist: Browser) -> None:
    page = archivist.open("/packages")
    [form] = page.xpath('//form[@id="decide"]')
    preview = tree_of(archivist.send(form, verb="reject", ids=[house.packages["queued"]]))
    [confirm] = preview.xpath('//form[@id="confirm"]')
    again = archivist.send(confirm, reason="  ")
    assert again.status_code == 422
    assert "needs a reason" in text_of(tree_of(again))


def test_what_could_not_be_decided_is_said_for_each_package(house: House, archivist: Browser) -> None:
    fail(house, "queued")
    page = archivist.open("/packages")
    [form] = page.xpath('//form[@id="decide"]')
    ids = [house.packages["queued"], house.packages["published"], "no-such-package"]
    answer = archivist.client.post(
        "/decisions",
        data={"form_token": form.xpath('.//input[@name="form_token"]/@value'), "verb": "cancel", "ids": ids},
        headers={**PAGE, **HERE},
    )
    assert answer.status_code == 409
    told = text_of(tree_of(answer))
    assert "1 package of 3 went as you said" in told
    assert "nothing to cancel" in told
    with house.archive.catalogue.read() as view:
        assert view.package(house.packages["queued"]).state is PackageState.CANCELLED


@pytest.mark.parametrize("path", ["/decisions", "/decisions/preview"])
@pytest.mark.parametrize("token", ["", "0" * 64])
def test_forms_of_other_sites_do_nothing(house: House, archivist: Browser, path: str, token: str) -> None:
    data = {"form_token": token, "verb": "cancel", "ids": house.packages["queued"], "reason": "x"}
    answer = archivist.client.post(path, data=data, headers=PAGE)
    assert answer.status_code == 403
    assert "did not come from a page of ours" in answer.text
    assert browser_of(house).client.post(path, data=data, headers=PAGE).status_code == 401


def test_a_decision_never_leads_to_another_site(house: House, archivist: Browser) -> None:
    [form] = archivist.open("/packages").xpath('//form[@id="decide"]')
    answer = archivist.send(form, verb="retry", ids=[house.packages["published"]], back="//evil.example/")
    assert "evil" not in answer.text


def test_an_empty_archive_says_how_to_begin(tmp_path_factory: pytest.TempPathFactory) -> None:
    with house_with(tmp_path_factory.mktemp("empty")) as house:
        page = browser_of(house, "archivist").open("/")
        assert "needs you 0" in facts(page)
        assert page.xpath('//main//a[@href="/deposit"]')
        assert "deposited nothing yet" in text_of(browser_of(house, "owner").open("/packages"))
        assert "no copies yet" in text_of(browser_of(house, "archivist").open("/fixity"))
