"""People who come with a browser: signed in by a cookie, reading pages, sending the forms that pages have."""

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response
from lxml import html

from tests.support.serving import House, client_as

HERE = {"Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html"}


@dataclass
class Browser:
    """A browser with a session of its own, or none."""

    client: TestClient

    def open(self, address: str, status: int = 200) -> Any:
        """Open a page, prove its status, and return its tree."""
        answer = self.client.get(address, headers=PAGE)
        assert answer.status_code == status, answer.text[:2000]
        assert answer.headers["content-type"].startswith("text/html")
        return tree_of(answer)

    def send(self, form: Any, *, button: str = "", **fields: Any) -> Response:
        """Send a form as it stands on the page, with `fields` filled in (None takes one away)."""
        filled: dict[str, Any] = {}
        for name, value in form.form_values():
            filled.setdefault(name, []).append(value)
        if button:
            [pressed] = form.xpath(f'.//button[@value="{button}"]')
            filled[pressed.get("name")] = [button]
        filled |= fields
        body = {name: value for name, value in filled.items() if value is not None}
        return self.client.post(form.get("action"), data=body, headers={**PAGE, **HERE})


def tree_of(answer: Response) -> Any:
    """Return the tree of a page, having proved what every page must hold to."""
    tree = html.document_fromstring(answer.text)
    assert not tree.xpath("//script[not(@src)] | //style | //*[@style]"), "inline scripts and styles"
    assert not [
        name for each in tree.xpath("//*[@*]") for name in each.attrib if name.lower().startswith("on")
    ], "inline handlers"
    assert len(tree.xpath("//h1")) == 1
    assert len(tree.xpath("//main")) == 1
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids)), "an id occurs twice"
    for each in tree.xpath("//label[@for]"):
        assert each.get("for") in ids
    for each in tree.xpath("//input[not(@type='hidden')] | //select | //textarea"):
        labels = tree.xpath(f'//label[@for="{each.get("id")}"]') or each.xpath("ancestor::label")
        assert labels or each.get("aria-label"), f"{each.get('name')} has no label"
    for each in tree.xpath("//form[@method='post']"):
        is_open = each.get("action") == "/sign-in"
        assert is_open or each.xpath(".//input[@name='form_token' and string-length(@value)=64]")
    return tree


def text_of(node: Any) -> str:
    """Return the text of a node with single spaces."""
    return " ".join(node.text_content().split())


def browser_of(house: House, who: str | None = None) -> Browser:
    """Return a browser in which `who` has signed in with a token."""
    client = client_as(house.app)
    if who is not None:
        answer = client.post("/sign-in", data={"token": house.people[who].secret}, headers=HERE)
        assert answer.status_code == 303, answer.text
    return Browser(client)
