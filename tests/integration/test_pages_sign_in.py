"""The sign-in page: links and tokens open sessions, for nobody but the person, and lead nowhere else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.administration.people import local_actor
from services.administration.sign_in import form_token, link_secret
from tests.support.browsing import HERE, browser_of
from tests.support.serving import BASE, House, client_as, house_with


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_with(tmp_path_factory.mktemp("signing")) as made:
        yield made


def test_a_link_is_not_used_up_by_looking_at_it_and_opens_once(house: House) -> None:
    secret = link_secret(house.archive, local_actor(house.archive))
    client = client_as(house.app)
    for _ in range(2):
        shown = client.get("/sign-in", params={"link": secret})
        assert shown.status_code == 200
        assert secret in shown.text
        assert "set-cookie" not in shown.headers
    opened = client.post("/sign-in", data={"link": secret, "next": "/fixity?x=1"}, headers=HERE)
    assert opened.status_code == 303
    assert opened.headers["location"] == "/fixity?x=1"
    again = client_as(house.app).post("/sign-in", data={"link": secret}, headers=HERE)
    assert again.status_code == 403
    assert "has been used" in again.text


def test_the_cookie_is_for_this_site_and_no_script(house: House) -> None:
    answer = client_as(house.app).post("/sign-in", data={"token": house.people["owner"].secret}, headers=HERE)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("holdfast_session=")
    for attribute in ("HttpOnly", "SameSite=strict", "Path=/", "expires="):
        assert attribute in cookie
    assert "Secure" not in cookie, "the base URL is plain HTTP on loopback"


@pytest.mark.parametrize("token", ["", "hft_wrong", "hft_" + "x" * 5000, "\u202e<script>"])
def test_a_wrong_token_opens_nothing_and_says_so(house: House, token: str) -> None:
    answer = client_as(house.app).post("/sign-in", data={"token": token}, headers=HERE)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/a b",
        "/x\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_nobody_is_sent_to_another_site(house: House, elsewhere: str) -> None:
    client = client_as(house.app)
    answer = client.post(
        "/sign-in", data={"token": house.people["owner"].secret, "next": elsewhere}, headers=HERE
    )
    assert answer.headers["location"] == "/"
    shown = client.get("/sign-in", params={"next": elsewhere})
    assert "evil" not in shown.text
    assert "javascript:" not in shown.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": BASE}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({}, 303),
    ],
)
def test_another_site_cannot_sign_somebody_in(house: House, headers: dict[str, str], status: int) -> None:
    answer = client_as(house.app).post(
        "/sign-in", data={"token": house.people["owner"].secret}, headers=headers
    )
    assert answer.status_code == status


def test_signing_out_ends_the_session_and_needs_the_form(house: House) -> None:
    client = browser_of(house, "owner").client
    secret = client.cookies["holdfast_session"]
    assert "The owner" in client.get("/sign-in").text
    assert client.post("/sign-out").status_code == 403
    assert client.post("/sign-out", data={"form_token": "0" * 64}).status_code == 403
    answer = client.post("/sign-out", data={"form_token": form_token(secret)})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?done=signed-out"
    client.cookies.set("holdfast_session", secret)
    assert "The owner" not in client.get("/sign-in").text, "the session itself has ended, not only the cookie"
    assert client.post("/sign-out").status_code == 303, "again is no matter"


def test_coming_from_another_site_the_cookie_is_fetched_by_going_on(house: House) -> None:
    """A link in a mail leads here without the strict cookie; the page's own step brings it."""
    arrived = client_as(house.app).get(
        "/sign-in", params={"next": "/packages/1"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert '<meta http-equiv="refresh" content="0;url=/packages/1">' in arrived.text
    back = client_as(house.app).get("/sign-in", params={"next": "/packages/1"}, headers=HERE)
    assert "http-equiv" not in back.text, "it does not go round in circles"


def test_a_secure_site_has_a_secure_cookie(tmp_path: Path) -> None:
    with house_with(tmp_path, base_url="https://archive.example") as house:
        answer = client_as(house.app).post("/sign-in", data={"token": house.people["owner"].secret})
        assert "Secure" in answer.headers["set-cookie"]
