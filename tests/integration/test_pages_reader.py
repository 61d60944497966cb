"""The reader's pages as text: escaping, paging, pictures. `tests/e2e` sees them in a browser."""

import html
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.pages.landing import _picture_address
from api.pages.search import pieces
from packages.model import FileEntry
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.search.port import Fragment
from tests.support.depositor import put
from tests.support.deposits import make
from tests.support.serving import PICTURE, House, house_with

SCRIPT = "</script><script>alert(1)</script>\u2028<!--"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("pages")) as made:
        made.deposit("owner", "many", files={f"{n:03}.txt": f"{n}\n".encode() for n in range(230)})
        made.deposit("owner", "hostile", title=SCRIPT, descriptions=[SCRIPT], publisher=SCRIPT)
        bare = Wanted(put(made.folder / "bare", {"a.txt": b"a\n"}), record=b'{"title": "bare"}', new=True)
        job = submit(made.archive, made.people["owner"].actor, bare)
        run_job(made.archive, job.id)
        made.packages["bare"] = job.package_id
        made.deposit("owner", "small")
        made.deposit("owner", "images", files=make("image", put(made.folder / "i", {}), 1).files)
        made.deposit(
            "owner", "closed", files=make("image", put(made.folder / "j", {}), 2).files,
            access={"metadata": "open", "files": "restricted"},
        )  # fmt: skip  # fewer lines read better
        yield made


@given(st.text(), st.lists(st.integers(0, 40), max_size=8))
def test_pieces_joined_are_the_fragment(text: str, cuts: list[int]) -> None:
    cuts = sorted({each for each in cuts if each <= len(text)})
    marks = tuple(zip(cuts[::2], cuts[1::2], strict=False))
    cut = pieces(Fragment(text, marks))
    assert "".join(each.text for each in cut) == text
    assert [each.text for each in cut if each.is_match] == [text[a:b] for a, b in marks]


def test_files_are_paged_by_key_each_shown_once(house: House) -> None:
    client, address = house.client(), f"/records/{house.packages['many']}"
    names: list[str] = []
    while address:
        page = client.get(address, headers={"Accept": "text/html"}).text
        names += re.findall(r'<a class="path" href="[^"]*">([^<]*)</a>', page)
        following = re.search(r'<a rel="next" href="([^"#]*)#files">', page)
        address = html.unescape(following[1]) if following else ""
    assert names == [f"{n:03}.txt" for n in range(230)]


@pytest.mark.parametrize("token", ["x", "bnVsbA", "WyJuby1zdWNoLWZpbGUiXQ", "%00"])
def test_a_wrong_token_of_files_is_told(house: House, token: str) -> None:
    answer = house.client().get(f"/records/{house.packages['many']}?after={token}")
    assert answer.status_code == 422


def test_O6_metadata_ends_neither_a_script_nor_an_element(house: House) -> None:
    page = house.client().get(f"/records/{house.packages['hostile']}", headers={"Accept": "text/html"}).text
    assert "<script>alert" not in page
    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert not set(data[1]) & set("<>&")
    assert orjson.loads(data[1])["name"] == SCRIPT
    found = house.client().get("/search", params={"q": "alert"}, headers={"Accept": "text/html"}).text
    assert "<mark>alert</mark>" in found
    assert "<script>alert" not in found


def test_a_record_that_says_nothing_but_its_title_is_shown(house: House) -> None:
    answer = house.client().get(f"/records/{house.packages['bare']}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "None" not in answer.text


def test_pictures_are_jpeg_or_small_originals_and_only_for_those_who_may_have_the_files(house: House) -> None:
    for who, name, status in ((None, "images", 200), (None, "closed", 404), ("owner", "closed", 200)):
        client, package = house.client(who), house.packages[name]
        page = client.get(f"/records/{package}", headers={"Accept": "text/html"}).text
        shown = re.findall(r'<img class="thumbnail" src="([^"]*)"', page)
        assert bool(shown) == (status == 200)
        answer = client.get(f"/records/{package}/thumbnails/pictures/plan.bmp")
        assert answer.status_code == status
        for address in shown:
            picture = client.get(address)
            is_itself = "/thumbnails/" not in address
            assert picture.headers["content-type"] == ("image/png" if is_itself else "image/jpeg")
            assert picture.content.startswith(b"\x89PNG" if is_itself else b"\xff\xd8\xff")
    for path in ("note.txt", "..%2f..%2findex.jsonl", "%00", "x" * 3000):
        assert house.client().get(f"/records/{house.packages['images']}/thumbnails/{path}").status_code == 404


def test_a_small_image_is_its_own_picture(house: House) -> None:
    client = house.client()
    page = client.get(f"/records/{house.packages['small']}", headers={"Accept": "text/html"}).text
    (address,) = re.findall(r'<img class="thumbnail" src="([^"]*)"', page)
    picture = client.get(address)
    assert picture.content == PICTURE["pictures/dot.gif"]
    assert picture.headers["content-disposition"].startswith("inline")


@pytest.mark.parametrize("width", [None, "9", [9], 0, 2_001])
def test_an_image_of_odd_measures_is_listed_without_a_picture(width: object) -> None:
    measures = {"width": width, "height": 9}
    entry = FileEntry("data/original/a.png", "", 9, "", 0, mime="image/png", properties=measures)
    seen: Any = SimpleNamespace(are_files_open=True)
    shown: Any = SimpleNamespace(entry=entry, path="a.png", has_thumbnail=False)
    assert _picture_address(seen, shown) == ""


def test_facets_narrow_without_changing_what_was_typed(house: House) -> None:
    answer = house.client().get("/search", params={"q": "title:many OR title:bare", "type": "dataset"})
    assert answer.status_code == 200
    assert "1 record found" in answer.text
    assert 'value="title:many OR title:bare"' in answer.text
    wrong = house.client().get("/search", params={"q": "title:many) OR (title:bare", "type": "dataset"})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    "address", ["/search?sort=colour", "/search?q=%22", "/search?after=x", "/search?year=x"]
)
def test_a_wrong_search_is_a_page_with_a_remedy(house: House, address: str) -> None:
    answer = house.client().get(address, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
