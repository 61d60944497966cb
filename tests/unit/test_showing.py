"""Words that pages show."""

import hashlib

import pytest

from api.presenting import load, make_templates
from api.showing import brief


def test_a_sentence_has_as_much_of_a_digest_as_people_compare() -> None:
    digest = hashlib.sha512(b"a").hexdigest()
    md5 = hashlib.md5(b"a", usedforsecurity=False).hexdigest()
    assert brief(f"its sha512 is {digest}, not {md5}.") == f"its sha512 is {digest[:16]}…, not {md5[:16]}…."
    name = "7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47 and deadbeefdeadbeef.bin"
    assert brief(name) == name


def test_no_page_is_compiled_while_somebody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    templates = make_templates()
    load(templates)
    monkeypatch.delattr(type(templates.env), "compile")
    assert [templates.get_template(name).name for name in ("landing.html", "search.html")]
