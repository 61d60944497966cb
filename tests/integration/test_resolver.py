"""Identifiers: every spelling of an ARK leads to the landing page, and nothing else does."""

from collections.abc import Iterator

import pytest

from packages.pids.ark import BETANUMERIC
from services.administration.holding import withdraw
from tests.support.serving import House, house_of


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("resolver")) as made:
        yield made


def pid_of(house: House, name: str) -> str:
    with house.archive.catalogue.read() as view:
        pid = view.package(house.packages[name]).pid
    assert pid is not None
    return pid


def test_every_spelling_leads_to_the_landing_page(house: House) -> None:
    pid = pid_of(house, "published")
    for spelling in (
        pid,
        pid.replace("ark:", "ark:/"),
        pid.replace("ark:", "ARK:").replace("ARK:", "ark:"),
        f"{pid[:13]}-{pid[13:16]}-{pid[16:]}",
        f"{pid[:14]}\u2010{pid[14:]}",
        f"{pid}/",
        f"{pid}.",
    ):
        answer = house.client().get(f"/{spelling}")
        assert answer.status_code == 302, spelling
        assert answer.headers["location"] == f"/records/{house.packages['published']}"
        assert house.client().head(f"/{spelling}").status_code == 302


def test_a_mistyped_identifier_is_told_so(house: House) -> None:
    pid = pid_of(house, "published")
    wrong = pid[:-1] + BETANUMERIC[(BETANUMERIC.index(pid[-1]) + 1) % 29]
    answer = house.client().get(f"/{wrong}")
    assert answer.status_code == 404
    assert "check character" in answer.json()["hint"]


@pytest.mark.parametrize(
    "address",
    ["/ark:", "/ark:/", "/ark:99999", "/ark:99999/", "/ark:99999/hf1nothere", "/ark:../../etc/passwd",
     "/ark:99999/%00", "/ark:99999/a%0Ab", "/doi/10.1234/x", "/doi/%00", "/hdl/1/2", "/hdl/"],
)  # fmt: skip  # a table
def test_what_nobody_bears_is_not_found(house: House, address: str) -> None:
    answer = house.client().get(address)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_part_is_not_taken_for_the_whole(house: House) -> None:
    assert house.client().get(f"/{pid_of(house, 'published')}/letter.txt").status_code == 404


@pytest.mark.parametrize("inflection", ["?info", "??", "?info="])
def test_info_tells_who_what_when_where_and_what_is_promised(house: House, inflection: str) -> None:
    answer = house.client().get(f"/{pid_of(house, 'published')}{inflection}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(
        "erc:\nwho: Ada Lovelace\nwhat: Title of published\nwhen: 1911\nwhere: http"
    )
    assert "erc-support:" in answer.text
    assert "test identifier" in answer.text


def test_what_may_not_be_seen_is_not_resolved(house: House) -> None:
    for suffix in ("", "?info"):
        address = f"/{pid_of(house, 'restricted')}{suffix}"
        assert house.client().get(address).status_code == 404
        assert house.client("other").get(address).status_code == 404
        assert house.client("owner").get(address).status_code in {200, 302}


def test_K1_the_identifier_of_what_is_gone_leads_to_its_tombstone(house: House) -> None:
    house.deposit("owner", "gone", title="Gone tides")
    withdraw(house.archive, house.people["admin"].actor, house.packages["gone"], "asked for by the family")
    address = f"/{pid_of(house, 'gone')}"
    page = house.client().get(address, headers={"Accept": "text/html"})
    assert page.status_code == 410
    assert "Gone tides" in page.text
    assert house.client().get(address).json()["status"] == 410
    told = house.client().get(f"{address}?info")
    assert told.status_code == 200
    assert "what: (:gone) Gone tides" in told.text
    assert "Ada" not in told.text
