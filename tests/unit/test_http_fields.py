"""HTTP's fields: what clients send is read as the RFCs allow, what depositors wrote cannot break out."""

import re
import time
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http_fields import (
    INLINE,
    Unsatisfiable,
    byte_range,
    digests,
    disposition,
    disposition_parameters,
    file_name,
    preferred_wait,
    safe_type,
)

SHA = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@given(st.text(max_size=60))
def test_A11_no_name_breaks_out_of_its_field(name: str) -> None:
    field = disposition("attachment", name)
    assert re.fullmatch(r"attachment; filename=\"[^\"%/\\]+\"; filename\*=UTF-8''[!-~]+", field)
    assert field.isascii()
    assert field.isprintable()


@given(st.text(st.characters(categories=("L", "N", "S", "P"), exclude_characters="/\\."), min_size=1))
def test_an_ordinary_name_comes_through_exactly(name: str) -> None:
    assert unquote(disposition("inline", name).partition("UTF-8''")[2]) == name


@given(st.text(max_size=60))
def test_names_in_forms_are_read_as_browsers_write_them(name: str) -> None:
    name = name.encode("utf-8", "ignore").decode()
    for escaped in ("%22", "%0D", "%0A"):
        name = name.replace(escaped, "")
    name = name.replace("\\", "")
    written = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    field = f'form-data; name="f"; filename="{written}"'.encode()
    assert disposition_parameters(field) == {"name": "f", "filename": name}


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('attachment; filename="a \\"b\\".zip"', 'a "b".zip'),
        ("attachment; filename=plain.zip", "plain.zip"),
        ("attachment; filename=\"x\"; filename*=UTF-8''H%C3%A4fen.zip", "Häfen.zip"),
        ("attachment", ""),
        (None, ""),
    ],
)
def test_a_name_given_with_a_body(field: str | None, name: str) -> None:
    assert file_name(field) == name


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,5}-\d{0,5}", fullmatch=True), st.integers(0, 2000))
def test_a_range_lies_inside(field: str, size: int) -> None:
    try:
        found = byte_range(field, size)
    except Unsatisfiable:
        return
    if found is not None:
        start, stop = found
        assert 0 <= start < stop <= size


@pytest.mark.parametrize(
    "field", ["sha-256", "sha-256=:", "sha-256=:x:", "sha-512=:AAAA:", f"sha-256={SHA}", "=:AAAA:", "a b=:A:"]
)
def test_what_is_no_digest(field: str) -> None:
    with pytest.raises(ValueError, match=r"digest|base64|sha-512"):
        digests([field])


def test_digests_are_found_among_others() -> None:
    assert list(digests([f"md5=:AAAA:, sha-256=:{SHA}:;q=1", f"sha-256=:{SHA}:"])) == ["sha-256"]
    assert digests([]) == {}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [(["wait=30"], 30), (["respond-async, wait=5"], 5), (["a=1", "WAIT=9"], 9), (["wait=999"], 60)],
)
def test_preferences(fields: list[str], seconds: int) -> None:
    assert preferred_wait(fields, 60) == seconds


@pytest.mark.parametrize("field", ["", "wait", "wait=x", "await=3", "wait=-1"])
def test_no_preference(field: str) -> None:
    assert preferred_wait([field], 60) is None


@pytest.mark.parametrize(
    "mime", ["text/html", "image/svg+xml", "application/xml", "text/javascript", None, "x"]
)
def test_O6_active_types_are_named_to_nobody(mime: str | None) -> None:
    assert safe_type(mime) == ("application/octet-stream", "attachment")
    assert safe_type("Text/Plain; charset=utf-8") == ("text/plain", "inline")
    assert not any(each.endswith(("xml", "html", "script")) for each in INLINE)


@pytest.mark.parametrize(
    "field",
    [
        b';a="' + b"\\" * 60_001,
        b';a="' + b'\\"' * 30_000,
        b';a="\\' * 15_000,
        b";" + b" " * 60_000 + b"a" + b" " * 60_000,
    ],
)
def test_no_name_of_a_depositor_is_slow_to_read(field: bytes) -> None:
    """A row of backslashes without an end had two readings for each: thirty of them stopped the server."""
    began = time.process_time()
    disposition_parameters(field)
    assert time.process_time() - began < 2


def test_a_name_may_end_in_a_backslash() -> None:
    assert disposition_parameters(b'form-data; name="files"; filename="a\\"') == {
        "name": "files",
        "filename": "a\\",
    }
