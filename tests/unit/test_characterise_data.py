"""Technical metadata of data, mail, web archives, archives and databases, from files made here."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import mailbox
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.characterise import database, mail, packed, table, warc, xml_data
from tools.characterise.worker import read


def found(family: str, path: Path) -> dict[str, Any]:
    _, properties, error = read(family, path)
    assert error is None
    json.dumps(properties, allow_nan=False)
    return properties


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


TABLES = [
    (
        "id;name\n1;a\n2;b\n",
        {"delimiter": "semicolon", "columns": 2, "rows": 3, "ragged_rows": 0, "header": True},
    ),
    ('"a,b",c\n"d\ne",f\n1,2,3\n', {"delimiter": "comma", "columns": 2, "rows": 3, "ragged_rows": 1}),
    (
        "1|2|3\r\n4|5|6\r\n",
        {"delimiter": "bar", "columns": 3, "rows": 2, "header": False, "line_ends": "CRLF"},
    ),
    ("\ufeffa,b\n1,2\n", {"column_names": ["a", "b"], "encoding": "UTF-8", "byte_order_mark": True}),
    ("a\n1\n2\n", {"columns": 1, "rows": 3, "ragged_rows": 0}),
    ("", {}),
]


@pytest.mark.parametrize(("words", "expected"), TABLES)
def test_tables(tmp_path: Path, words: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= found("table", written(tmp_path / "a.csv", words)).items()


def test_a_long_table_is_judged_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "WHOLE", 1000)
    properties = found("table", written(tmp_path / "a.csv", "number,word\n" + "1,a\n" * 10_000))
    assert properties["judged_bytes"] == 1000
    assert (properties["rows"], properties["ragged_rows"]) == (1 + (1000 - 12) // 4, 0)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\x00\r\n";|\t,'), min_size=1)


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=2)))
def test_the_quick_count_of_columns_agrees_with_the_reader_of_csv(rows: list[list[str]]) -> None:
    words = "".join(",".join(row) + "\n" for row in rows)
    quick = table.shape(words)
    quoted = table.shape(words + '"q"' + ',"q"' * (len(rows[0]) - 1) + "\n")
    assert (quick["delimiter"], quick["columns"]) == ("comma", len(rows[0]))
    assert (quick["rows"] + 1, quick["ragged_rows"]) == (quoted["rows"], quoted["ragged_rows"])


JSONS = [
    (
        '{"$schema": "https://a.example/s", "b": 1}',
        {"well_formed": True, "json_schema": "https://a.example/s"},
    ),
    ('{"type": "FeatureCollection"}', {"json_type": "FeatureCollection", "member_names": ["type"]}),
    ("[1, 2, 3]", {"top": "array", "members": 3}),
    ('{"a": "\\ud800"}', {"well_formed": True}),  # its grammar has room for it (RFC 8259, 8.2)
    ("[NaN]", {"well_formed": False}),
    ("{'a': 1}", {"well_formed": False}),
]


@pytest.mark.parametrize(("words", "expected"), JSONS)
def test_json(tmp_path: Path, words: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= found("json", written(tmp_path / "a.json", words)).items()


def test_deep_json_is_not_called_faulty(tmp_path: Path) -> None:
    properties = found("json", written(tmp_path / "a.json", "[" * 100_000 + "]" * 100_000))
    assert "well_formed" not in properties
    assert "deep" in properties["problem"]


def test_json_lines_name_the_faulty_ones(tmp_path: Path) -> None:
    properties = found("json", written(tmp_path / "a.jsonl", '{"a":1}\n{"a":\n\n[2]\n'))
    assert (properties["lines"], properties["faulty_lines"], properties["well_formed"]) == (3, 1, False)


XMLS: list[tuple[str, dict[str, Any]]] = [
    (
        (
            '<?xml version="1.0" encoding="UTF-8"?><m:mets xmlns:m="http://www.loc.gov/METS/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:schemaLocation="http://www.loc.gov/METS/ mets.xsd"/>'
        ),
        {
            "well_formed": True,
            "root": "mets",
            "namespace": "http://www.loc.gov/METS/",
            "schema_locations": ["http://www.loc.gov/METS/", "mets.xsd"],
            "declared_encoding": "UTF-8",
        },
    ),
    (
        '<!DOCTYPE ead PUBLIC "+//ISBN 1-931666-00-8//DTD ead.dtd//EN" "http://a.example/ead.dtd"><ead/>',
        {"well_formed": True, "doctype": "ead", "system_id": "http://a.example/ead.dtd"},
    ),
    ("<a><b></a>", {"well_formed": False, "root": "a"}),
    (
        '<svg xmlns="http://www.w3.org/2000/svg" width="1cm" viewBox="0 0 1 1"><script>x</script></svg>',
        {"svg_width": "1cm", "svg_view_box": "0 0 1 1", "scripts": True},
    ),
]


@pytest.mark.parametrize(("words", "expected"), XMLS)
def test_xml(tmp_path: Path, words: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= found("xml", written(tmp_path / "a.xml", words)).items()


def test_G6_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};">'.replace("a0", "a") for n in range(1, 40)
    )
    properties = found("xml", written(tmp_path / "a.xml", bomb + "]><x>&a39;</x>"))
    assert properties["entities_declared"] is True
    assert "well_formed" not in properties
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
    assert found("xml", written(tmp_path / "b.xml", outside))["well_formed"] is True


def test_a_large_entity_many_times_is_given_up(tmp_path: Path) -> None:
    words = f'<!DOCTYPE x [<!ENTITY a "{"h" * 100_000}">]><x>{"&a;" * 100_000}</x>'
    properties = found("xml", written(tmp_path / "a.xml", words))
    assert "well_formed" not in properties
    assert "problem" in properties


def test_long_xml_is_judged_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_data, "WHOLE", 1000)
    properties = found("xml", written(tmp_path / "a.xml", "<a>" + "<b/>" * 10_000))
    assert (properties["root"], properties["judged_bytes"]) == ("a", 1000)
    assert "well_formed" not in properties


def message(number: int, *, attached: bool) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Ä Sender <a@example.org>", "b@example.org"
    made["Subject"], made["Message-ID"] = f"Grüße {number}", f"<{number}@example.org>"
    made["Date"] = f"Mon, 0{number} Jan 2024 10:00:00 +0200"
    made.set_content("From here on:\n\nFrom within the text\n")
    if attached:
        made.add_attachment(b"x", maintype="application", subtype="pdf", filename="ü.pdf")
    return made


def test_a_message(tmp_path: Path) -> None:
    properties = found("mail", written(tmp_path / "a.eml", bytes(message(1, attached=True))))
    expected = {
        "from": "Ä Sender <a@example.org>",
        "subject": "Grüße 1",
        "date": "2024-01-01T08:00:00Z",
        "message_id": "<1@example.org>",
        "attachments": 1,
        "attachment_names": ["ü.pdf"],
        "parts": 2,
    }
    assert expected.items() <= properties.items()


def test_a_long_message_tells_its_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "WHOLE", 1000)
    data = bytes(message(1, attached=False)) + b"x" * 10_000
    properties = found("mail", written(tmp_path / "a.eml", data))
    assert properties["subject"] == "Grüße 1"
    assert "attachments" not in properties


@pytest.mark.parametrize("chunk", [120, 4 << 20])
def test_a_mailbox_is_counted_as_its_library_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(mail, "CHUNK", chunk)
    box = mailbox.mbox(tmp_path / "a.mbox")
    for number in (3, 1, 2):
        box.add(message(number, attached=number > 1))
    box.close()
    properties = found("mail", tmp_path / "a.mbox")
    with contextlib.closing(mailbox.mbox(tmp_path / "a.mbox")) as judge:
        assert properties["messages"] == len(judge) == 3
    assert (properties["first_date"], properties["last_date"]) == (
        "2024-01-01T08:00:00Z",
        "2024-01-03T08:00:00Z",
    )
    assert properties["attachments"] == 2


def record(kind: str, body: bytes, day: int = 1) -> bytes:
    head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-01-0{day}T00:00:00Z\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n"


RECORDS = [
    record("warcinfo", b"software: Heritrix/3\r\nformat: WARC File Format 1.1\r\n", 2),
    record("request", b"GET / HTTP/1.1\r\n\r\n"),
    record("response", b"WARC/1.1\r\n" * 1000, 3),
    record("response", b""),
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_web_archive(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path / "a.warc", b"".join(pack(each) for each in RECORDS))
    properties = found("warc", path)
    assert properties["records_by_type"] == {"warcinfo": 1, "request": 1, "response": 2}
    expected = {
        "warc_version": "1.1",
        "records": 4,
        "software": "Heritrix/3",
        "first_date": "2024-01-01T00:00:00Z",
        "last_date": "2024-01-03T00:00:00Z",
    }
    assert expected.items() <= properties.items()
    if pack is gzip.compress:  # PRONOM calls it GZIP: whoever reads that looks inside
        assert found("packed", path)["records"] == 4


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_web_archive_that_is_cut_off_tells_what_was_whole(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = b"".join(pack(each) for each in RECORDS[:3])
    properties = found("warc", written(tmp_path / "a.warc", data[:-20]))
    assert properties["records"] >= 2
    assert "problem" in properties


def test_a_web_archive_beyond_the_bound_is_judged_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warc, "MOST_BYTES", 1000)
    properties = found("warc", written(tmp_path / "a.warc", b"".join(RECORDS * 10)))
    assert properties["records"] < 40
    assert properties["judged_bytes"] >= 1000


def tar(opened: Any) -> bytes:
    buffer = io.BytesIO()
    with opened(buffer, "wb") as outer, tarfile.open(fileobj=outer, mode="w") as archive:
        for name, size in (("a.txt", 10), ("b/c.zip", 30)):
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def test_a_small_file_gives_no_large_description(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for number in range(100):
            archive.addfile(tarfile.TarInfo(f"{number:03}" + "x" * 990))
    properties = found("packed", written(tmp_path / "a.tgz", buffer.getvalue()))
    assert len(buffer.getvalue()) < 3000
    assert (properties["files"], len(properties["contents"])) == (100, 16)


@pytest.mark.parametrize("opened", [gzip.open, bz2.open, lzma.open])
def test_a_compressed_tar_is_listed(tmp_path: Path, opened: Any) -> None:
    properties = found("packed", written(tmp_path / "a", tar(opened)))
    expected = {"archive": "tar", "files": 2, "links": 1, "unpacked_bytes": 40, "archives_inside": 1}
    assert expected.items() <= properties.items()
    assert properties["contents"][1] == {"name": "b/c.zip", "size": 30}


def test_a_zip_names_methods_and_what_is_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = "Größe".encode()
        archive.writestr("a/", b"")
        archive.writestr("a/b.txt", b"x" * 100, zipfile.ZIP_DEFLATED)
    data = path.read_bytes().replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x01\x00\x08"
    )
    properties = found("packed", written(path, data))
    expected = {"archive": "zip", "files": 1, "folders": 1, "encrypted_files": 1, "comment": "Größe"}
    assert expected.items() <= properties.items()


def test_D2_an_archive_of_very_much_is_listed_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(packed, "MOST_MEMBERS", 50)
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb") as outer, tarfile.open(fileobj=outer, mode="w") as archive:
        info = tarfile.TarInfo("large")
        info.size = 8 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
        archive.addfile(tarfile.TarInfo("behind"))
    properties = found("packed", written(tmp_path / "a.tgz", buffer.getvalue()))
    assert (properties["files"], properties["judged_bytes"]) == (1, 1 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as many:
        for number in range(60):
            many.writestr(str(number), b"")
    properties = found("packed", tmp_path / "a.zip")
    assert (properties["files"], properties["judged_members"]) == (50, 50)


@pytest.mark.parametrize("damage", [b"PK\x03\x04 and nothing else", b"\x1f\x8b and nothing else", b"7z..."])
def test_D4_a_damaged_archive_is_an_error(tmp_path: Path, damage: bytes) -> None:
    assert read("packed", written(tmp_path / "a", damage))[2]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "Größe?.sqlite"
    with sqlite3.connect(path) as opened:
        opened.executescript(
            'PRAGMA application_id=0x47504B47; CREATE TABLE "a "" b"(x, y);'
            'INSERT INTO "a "" b" VALUES (1, 2); CREATE VIEW v AS SELECT 1'
        )
    opened.close()
    yield path
    assert {each.name for each in tmp_path.iterdir()} == {path.name}, "reading it left something beside it"


def test_sqlite(sqlite: Path) -> None:
    properties = found("database", sqlite)
    expected = {"database": "SQLite", "tables": 1, "views": 1, "application_id": "GPKG", "encoding": "UTF-8"}
    assert expected.items() <= properties.items()
    assert properties["table_list"] == [{"name": 'a " b', "columns": 2, "rows": 1}]


def test_a_damaged_database_still_tells_its_header(sqlite: Path) -> None:
    sqlite.write_bytes(sqlite.read_bytes()[:100] + b"\xff" * 5000)
    properties = found("database", sqlite)
    assert properties["page_size"] == 4096
    assert "problem" in properties


def test_dbase_and_access(tmp_path: Path) -> None:
    field = b"NAME".ljust(11, b"\0") + b"C" + bytes(4) + bytes([10]) + bytes(15)
    table_file = struct.pack("<BBBBIHH20x", 3, 124, 2, 29, 7, 65, 11) + field + b"\r"
    expected = {"database": "dBase", "records": 7, "fields": 1, "last_update": "2024-02-29"}
    assert expected.items() <= found("database", written(tmp_path / "a.dbf", table_file)).items()
    access = b"\0\1\0\0Standard ACE DB\0\2" + bytes(100)
    assert (
        found("database", written(tmp_path / "a.accdb", access))["database_version"] == "ACE 12 (Access 2007)"
    )
    assert database.tool().startswith("SQLite 3.")
