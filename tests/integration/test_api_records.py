"""Records over HTTP: search, negotiation, and who may see what."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import orjson
import pytest

from services.access.forms import FORMS
from services.administration.holding import withdraw
from tests.support.serving import FAR, House, house_of

HIDDEN = ("restricted", "other_hidden", "rejected", "queued")
KINDS = {"published", "restricted_files", "embargoed", "other", *HIDDEN}
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("records")) as made:
        yield made


# --- search -------------------------------------------------------------------


def test_search_is_paged_by_key_and_linked(house: House) -> None:
    client = house.client()
    found, address = [], "/api/records?q=harbour&sort=title&size=1"
    while address:
        answer = client.get(address)
        assert answer.status_code == 200
        body = answer.json()
        assert body["total"] == 4
        found += [each["id"] for each in body["hits"]]
        address = answer.links["next"]["url"] if "next" in answer.links else None
        assert (body["next"] is None) == (address is None)
    assert found == [house.packages[name] for name in ("embargoed", "other", "published", "restricted_files")]


def test_search_finds_what_the_asker_may_read_and_no_trace_of_the_rest(house: House) -> None:
    names = {package_id: name for name, package_id in house.packages.items()}
    askers = (None, "owner", "archivist")
    found = {}
    for who in askers:
        hits = house.client(who).get("/api/records?q=title:title&size=100").json()["hits"]
        found[who] = {names[each["id"]] for each in hits} & KINDS  # other tests have packages of their own
    # The index has what was published; an owner finds their own in any access, an archivist everything.
    everybody = {"published", "restricted_files", "embargoed", "other"}
    assert found == {
        None: everybody,
        "owner": everybody | {"restricted"},
        "archivist": everybody | {"restricted", "other_hidden"},
    }
    assert house.client().get("/api/records", params={"q": "title:restricted"}).json()["total"] == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"q": "nosuchfield:x"},
        {"q": '"'},
        {"q": "(a"},
        {"q": "year:[2001 TO"},
        {"sort": "colour"},
        {"size": "0"},
        {"size": "1001"},
        {"after": "nonsense"},
        {"q": "a" * 2_001},
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(house: House, parameters: dict[str, str]) -> None:
    answer = house.client().get("/api/records", params=parameters)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["hint"] or answer.json()["type"].endswith(":request")


# --- forms --------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_each_form_is_given_by_name_and_by_accept(house: House, name: str) -> None:
    client, address = house.client(), f"/records/{house.packages['published']}"
    by_name = client.get(address, params={"format": name})
    by_accept = client.get(address, headers={"Accept": FORMS[name].media_type})
    assert by_name.status_code == 200
    assert by_name.headers["content-type"].partition(";")[0] == FORMS[name].media_type
    assert by_name.content == by_accept.content
    assert by_accept.headers["vary"] == "Accept, Authorization, Cookie"
    if FORMS[name].general:
        broader = client.get(address, headers={"Accept": FORMS[name].general})
        assert broader.headers["content-type"] == FORMS[name].general
        assert broader.content == by_name.content
    if "json" in FORMS[name].media_type:
        orjson.loads(by_name.content)
    elif "xml" in FORMS[name].media_type:
        ET.fromstring(by_name.content)
    assert b"Title of published" in by_name.content


def test_a_browser_gets_the_page_and_a_picky_client_the_list(house: House) -> None:
    client, address = house.client(), f"/records/{house.packages['published']}"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert client.get(address, headers={"Accept": browser}).headers["content-type"].startswith("text/html")
    assert client.get(address).headers["content-type"].startswith("text/html")
    for answer in (
        client.get(address, headers={"Accept": "image/png"}),
        client.get(address, params={"format": "docx"}),
    ):
        assert answer.status_code == 406
        assert all(form.media_type in answer.json()["hint"] for form in FORMS.values())


def test_json_says_the_facts_and_not_who_deposited(house: House) -> None:
    answer = house.client().get(f"/records/{house.packages['published']}", params={"format": "json"})
    said = answer.json()
    assert said["copies"] == {"intact": 2, "all": 2, "verified": said["copies"]["verified"]}
    assert said["copies"]["verified"]
    assert said["files"] == 2
    assert said["record"]["title"] == said["title"] == "Title of published"
    assert house.people["owner"].actor.id not in answer.text
    assert house.people["owner"].actor.name not in answer.text


def test_machines_are_led_on_by_links(house: House) -> None:
    client = house.client()
    answer = client.get(f"/records/{house.packages['published']}", headers=PAGE)
    told = answer.headers["link"]
    pid = client.get(f"/records/{house.packages['published']}?format=json").json()["pid"]
    assert f'/{pid}>; rel="cite-as"' in told
    assert told.count('rel="describedby"') == len(FORMS)
    assert '<https://schema.org/Dataset>; rel="type"' in told
    items = [each for each in told.split(", ") if 'rel="item"' in each]
    assert len(items) == 2
    for each in items:
        address = each[1:].partition(">")[0]
        assert client.get(address).status_code == 200
    closed = client.get(f"/records/{house.packages['restricted_files']}", headers=PAGE).headers["link"]
    assert 'rel="item"' not in closed


def test_O6_a_hostile_record_adds_no_header_and_no_link(house: House) -> None:
    hostile = '>; rel="item", <https://evil.example/\r\nSet-Cookie: a=b'
    package = house.deposit(
        "owner",
        "headers",
        creators=[
            {"name": "M", "nameIdentifiers": [{"nameIdentifier": hostile, "nameIdentifierScheme": "x"}]}
        ],
        rights=[{"rights": "r", "rightsUri": f"https://ok.example/{hostile}"}],
        access={"metadata": "restricted", "files": "restricted"},  # out of the others' searches
    )
    for name in (*FORMS, "html"):
        answer = house.client("owner").get(f"/records/{package}", params={"format": name})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "<https://evil.example/" not in answer.headers["link"]


def test_links_to_many_long_names_give_way_to_one(house: House) -> None:
    files = {f"{number}{'ü' * 100}.txt": b"%d" % number for number in range(10)}
    package = house.deposit("owner", "long names", files=files)
    link = house.client().get(f"/records/{package}", headers={"Accept": "text/html"}).headers["link"]
    assert len(link) < 4096
    assert re.findall(r'<([^>]*)>; rel="item"', link) == [f"/api/packages/{package}/dip"]
    withdraw(house.archive, house.people["admin"].actor, package, "out of the others' searches")


# --- who may see what ----------------------------------------------------------


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_not_public_is_not_there(house: House, name: str) -> None:
    address = f"/records/{house.packages[name]}"
    nobody = house.client().get(address, headers=PAGE)
    never = house.client().get("/records/00000000-0000-4000-8000-000000000000", headers=PAGE)
    assert nobody.status_code == never.status_code == 404
    assert house.packages[name] in nobody.text  # as it was asked for; nothing else differs
    neutral = nobody.text.replace(house.packages[name], "ID")
    assert neutral == never.text.replace("00000000-0000-4000-8000-000000000000", "ID")
    for form in FORMS:
        assert house.client("other" if name != "other_hidden" else "owner").get(
            address, params={"format": form}
        ).status_code == 404  # fmt: skip  # fewer lines read better


def test_a_beginning_of_an_id_is_not_completed(house: House) -> None:
    for reference in (house.packages["published"][:8], house.packages["restricted"][:8], "%00", "x" * 500):
        assert house.client("archivist").get(f"/records/{reference}").status_code == 404


def test_an_owner_and_an_archivist_see_what_is_closed(house: House) -> None:
    for who in ("owner", "archivist"):
        answer = house.client(who).get(f"/records/{house.packages['restricted']}", headers=PAGE)
        assert answer.status_code == 200
        assert "description restricted" in answer.text
    assert house.client("owner").get(f"/records/{house.packages['queued']}").status_code == 404


def test_closed_files_are_named_but_neither_linked_nor_pictured(house: House) -> None:
    for name, told in (("restricted_files", "files closed"), ("embargoed", f"files closed until {FAR}")):
        package = house.packages[name]
        answer = house.client().get(f"/records/{package}", headers=PAGE)
        assert answer.status_code == 200
        assert told in answer.text
        assert "letter.txt" in answer.text
        assert f"/api/packages/{package}/files" not in answer.text
        assert f"/api/packages/{package}/dip" not in answer.text
        owner = house.client("owner").get(f"/records/{package}", headers=PAGE)
        assert f"/api/packages/{package}/dip" in owner.text


def test_K1_what_is_withdrawn_leaves_a_tombstone_to_those_who_could_see_it(house: House) -> None:
    admin = house.people["admin"].actor
    seen = house.deposit("owner", "gone")
    hidden = house.deposit("owner", "gone-hidden", access={"metadata": "restricted", "files": "restricted"})
    for package in (seen, hidden):
        withdraw(house.archive, admin, package, "deposited by mistake")
    for who in (None, "other", "owner", "archivist"):
        page = house.client(who).get(f"/records/{seen}", headers=PAGE)
        assert page.status_code == 410
        assert "Title of gone" in page.text
        assert "deposited by mistake" in page.text
        problem = house.client(who).get(f"/records/{seen}", headers={"Accept": "application/json"})
        assert problem.status_code == 410
        assert problem.headers["content-type"] == "application/problem+json"
        assert "deposited by mistake" in problem.json()["detail"]
    assert house.client().get(f"/records/{hidden}", headers=PAGE).status_code == 404
    assert house.client("owner").get(f"/records/{hidden}", headers=PAGE).status_code == 410
    assert house.client().get("/api/records", params={"q": "title:gone"}).json()["total"] == 0
