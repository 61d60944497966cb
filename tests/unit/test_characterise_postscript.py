"""PostScript and EPS by the comments of their structure; what is put off to the end, and what lies within."""

import struct
from pathlib import Path
from typing import Any

import pytest

from tools.characterise.worker import read

PS = (
    b"\x04%!PS-Adobe-3.0\r\n%%Title: (Gr\xfc\xdfe)\r\n%%Creator: a tool\r\n%%LanguageLevel: 2\r\n"
    b"%%Pages: (atend)\r\n%%BoundingBox: (atend)\r\n%%EndComments\r\n%%For: nobody\r\n"
    b"%%BeginDocument: in.eps\r\n"
    b"%%Trailer\r\n%%Pages: 99\r\n%%EOF\r\n%%EndDocument\r\n%%Page: 1 1\r\nshowpage\r\n"
    b"%%Trailer\r\n%%Pages: 3\r\n%%BoundingBox: 0 -1 20 10\r\n%%EOF\r\n"
)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 1\n%%Pages: x\n%%EndComments\nshowpage\n"


def described(path: Path, content: bytes) -> dict[str, Any]:
    path.write_bytes(content)
    _, properties, error = read("postscript", path)
    assert error is None
    return properties


def test_comments_are_told_those_at_the_end_too(tmp_path: Path) -> None:
    assert described(tmp_path / "a.ps", PS) == {
        "title": "Grüße",
        "creating_program": "a tool",
        "conforms_to": "PS-Adobe-3.0",
        "language_level": 2,
        "pages": 3,
        "bounding_box": [0, -1, 20, 10],
    }


@pytest.mark.parametrize("preview", ["WMF", "TIFF", ""])
def test_an_eps_of_dos_is_read_behind_its_header(tmp_path: Path, preview: str) -> None:
    picture = {"WMF": (0, 0, 30, 9, 0, 0), "TIFF": (0, 0, 0, 0, 30, 9)}.get(preview, (0,) * 6)
    begin = 30 + 9
    head = b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", begin, len(EPS), *picture[2:]) + b"\xff\xff"
    told = {"conforms_to": "PS-Adobe-3.0 EPSF-3.0", "bounding_box": [0, 0, 2, 1]}
    expected = told | ({"preview": preview} if preview else {})
    assert described(tmp_path / "a.eps", head + b"a picture" + EPS + b"%%Pages: 5\n") == expected


def test_what_states_nothing_says_nothing(tmp_path: Path) -> None:
    assert described(tmp_path / "a.ps", b"%!\nshowpage\n") == {}
    (tmp_path / "b.ps").write_bytes(b"not so")
    assert read("postscript", tmp_path / "b.ps")[2] == "ValueError: it does not begin as PostScript does"
