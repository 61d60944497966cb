"""The deposit page: what its form sends, what a script sends for it, and what comes of it."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from packages.ledger import PackageState
from services.work.engine import run_due
from tests.support.browsing import HERE, PAGE, Browser, browser_of, text_of, tree_of
from tests.support.serving import House, house_of


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("deposit")) as made:
        yield made


@pytest.fixture
def owner(house: House) -> Browser:
    return browser_of(house, "owner")


def token(browser: Browser, address: str = "/deposit") -> str:
    return str(form_of(browser.open(address)).xpath('.//input[@name="form_token"]/@value')[0])


def form_of(page: Any) -> Any:
    [form] = page.xpath("//form[@data-upload]")
    assert form.get("enctype") == "multipart/form-data"
    assert form.get("method") == "post"
    return form


def zipped(files: dict[str, bytes]) -> bytes:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bundle.getvalue()


def send(browser: Browser, files: list[tuple[str, bytes]], **fields: str) -> Any:
    """Send the form as a browser does: a record that was not chosen is a file without a name."""
    data = {"form_token": token(browser), "title": "", **fields}
    sent = [("files", (name, content)) for name, content in files]
    return browser.client.post(
        "/deposit",
        data=data,
        files=[*sent, ("record", ("", b"", "application/octet-stream"))],
        headers={**PAGE, **HERE},
    )


def test_files_of_a_form_are_deposited_and_the_verdict_follows(house: House, owner: Browser) -> None:
    done = send(owner, [("a.txt", b"one"), ("b.txt", b"two")], title="Two letters <b>")
    assert done.status_code == 303
    address, _, query = done.headers["location"].partition("?")
    assert query == "done=received"
    page = owner.open(done.headers["location"])
    assert "Received, and on disk here." in text_of(page)
    assert text_of(page.xpath("//h1")[0]) == "Two letters <b>"
    run_due(house.archive)
    page = owner.open(address)
    assert text_of(page.xpath('//*[@id="verdict"]//*[@role="status"]')[0]).startswith(
        "Archived and published."
    )
    names = {text_of(each) for each in page.xpath('//*[@id="files"]//tbody//a')}
    assert {"a.txt", "b.txt"} <= names


def test_one_archive_is_taken_for_what_is_in_it(house: House, owner: Browser) -> None:
    done = send(owner, [("papers.zip", zipped({"letters/1.txt": b"1", "letters/2.txt": b"2"}))])
    run_due(house.archive)
    page = owner.open(done.headers["location"].partition("?")[0])
    names = {text_of(each) for each in page.xpath('//*[@id="files"]//tbody//a')}
    assert {"1.txt", "2.txt"} <= {name.rpartition("/")[2] for name in names}
    assert "papers.zip" in text_of(page)


def test_the_script_sends_to_the_api_with_the_session_and_the_forms_token(owner: Browser) -> None:
    body: dict[str, Any] = {
        "files": [("files", ("folder/a.txt", b"from a folder"))],
        "data": {"title": "Dropped"},
    }
    refused = owner.client.post("/api/deposits", **body)
    assert refused.status_code == 403
    headers = {"X-Form-Token": token(owner), "Accept": "application/json"}
    taken = owner.client.post("/api/deposits", **body, headers=headers)
    assert taken.status_code == 202
    assert taken.json()["title"] == "Dropped"
    owner.open(f"/packages/{taken.json()['id']}?done=received")


@pytest.mark.parametrize("wrong", ["", "0" * 64])
def test_a_form_of_another_site_deposits_nothing(house: House, owner: Browser, wrong: str) -> None:
    with house.archive.catalogue.read() as view:
        before = len(list(view.iter_packages()))
    answer = send(owner, [("a.txt", b"forged")], form_token=wrong)
    assert answer.status_code == 403
    tree_of(answer)
    anonymous = browser_of(house).client.post("/deposit", files=[("files", ("a.txt", b"x"))], headers=PAGE)
    assert anonymous.status_code == 303
    with house.archive.catalogue.read() as view:
        assert len(list(view.iter_packages())) == before


def test_an_empty_form_is_said_on_a_page(owner: Browser) -> None:
    parts = (
        ("form_token", "", token(owner)),
        ("files", '; filename=""\r\nContent-Type: application/octet-stream', ""),  # as every browser sends it
        ("title", "", "Nothing"),
    )
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
        for name, more, value in parts
    )
    headers = {**PAGE, **HERE, "Content-Type": "multipart/form-data; boundary=x"}
    answer = owner.client.post("/deposit", content=f"{body}--x--\r\n".encode(), headers=headers)
    assert answer.status_code == 422
    assert "nothing was sent" in text_of(tree_of(answer))


def test_a_rejected_package_is_corrected_and_sent_again(house: House, owner: Browser) -> None:
    rejected = house.packages["rejected"]
    [onward] = owner.open(f"/packages/{rejected}").xpath('//a[starts-with(@href, "/deposit?")]/@href')
    page = owner.open(onward)
    assert page.xpath('//details[@id="was-wrong"]//li'), "what was wrong stands beside the form"
    form = form_of(page)
    assert form.xpath('.//input[@name="corrects"]/@value') == [rejected]
    assert f"corrects={rejected}" in text_of(page.xpath('//*[@id="command-curl"]')[0])
    done = send(owner, [("letter.txt", b"mended")], corrects=rejected)
    address = done.headers["location"].partition("?")[0]
    assert owner.open(address).xpath(f'//a[@href="/packages/{rejected}"]')
    run_due(house.archive)
    with house.archive.catalogue.read() as view:
        package = view.package(address.rpartition("/")[2])
    assert (package.state, package.predecessor) == (PackageState.PUBLISHED, rejected)


def test_only_ones_own_rejected_packages_are_corrected(house: House, owner: Browser) -> None:
    owner.open(f"/deposit?corrects={house.packages['published']}", 404)
    owner.open(f"/deposit?corrects={house.packages['other']}", 404)
    browser_of(house, "other").open(f"/deposit?corrects={house.packages['rejected']}", 404)


def test_the_same_content_twice_leads_to_the_package_that_has_it(house: House, owner: Browser) -> None:
    first = send(owner, [("same.txt", b"the same")]).headers["location"].partition("?")[0]
    run_due(house.archive)
    second = send(owner, [("same.txt", b"the same")]).headers["location"].partition("?")[0]
    run_due(house.archive)
    page = owner.open(second)
    assert page.xpath(f'//*[@id="verdict"]//a[@href="{first}"]')
    kept = send(owner, [("same.txt", b"the same")], new="true").headers["location"].partition("?")[0]
    run_due(house.archive)
    assert "Archived and published." in text_of(owner.open(kept))


def test_the_commands_to_copy_are_whole(house: House, owner: Browser) -> None:
    page = owner.open("/deposit")
    told = text_of(page.xpath('//*[@id="command-curl"]')[0])
    assert told.startswith("curl ")
    assert house.archive.settings.base_url + "/api/deposits" in told
    assert house.people["owner"].secret not in text_of(page)
    assert page.xpath('//button[@data-copy="command-cli"]')
