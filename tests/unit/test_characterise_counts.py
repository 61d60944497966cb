"""Rows and slides are counted alike in a document and in its copies, whatever form these have."""

import os
import struct
import zipfile
from pathlib import Path

import pytest

from tools.characterise import office, rows, slides
from tools.normalise import libreoffice
from tools.normalise.libreoffice import _rows

WORKBOOK = '<workbook xmlns="urn:s"><sheets><sheet name="A"/><sheet name="B"/></sheets></workbook>'
STRINGS = '<sst xmlns="urn:s"><si><t/></si><si><r><t>word</t></r></si></sst>'
SHEET = (
    '<worksheet xmlns="urn:s"><sheetData>'
    '<row r="3"><c><v>1</v></c></row><row r="4" hidden="1"><c/><c><v>0</v></c></row>'
    '<row r="5"><c t="s"><v>0</v></c></row><row r="6"><c t="s"><v>1</v></c></row>'
    '<row r="7"><c t="str"><f>""</f><v></v></c></row><row r="8"><c s="1"/></row><row r="9"/>'
    '<row r="10"><c t="inlineStr"><is><t> </t></is></c></row>'
    '<row r="11"><c t="inlineStr"><is><t/></is></c></row>'
    "</sheetData></worksheet>"
)
CONTENT = (
    '<o:document-content xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:t="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:x="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><o:body><o:spreadsheet>'
    '<t:table t:name="A"><t:table-row t:number-rows-repeated="2"><t:table-cell/></t:table-row>'
    '<t:table-row t:number-rows-repeated="3"><t:table-cell o:value-type="float" o:value="1"/></t:table-row>'
    '<t:table-row-group><t:table-row><t:table-cell o:value-type="string"><x:p/></t:table-cell></t:table-row>'
    "<t:table-row><t:table-cell/><t:covered-table-cell><x:p><x:s/></x:p></t:covered-table-cell></t:table-row>"
    '</t:table-row-group></t:table><o:forms><t:table-row><t:table-cell o:value-type="float"/></t:table-row>'
    "</o:forms></o:spreadsheet></o:body></o:document-content>"
)


def package(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def test_rows_of_a_workbook_are_those_with_a_value(tmp_path: Path) -> None:
    parts = {"xl/workbook.xml": WORKBOOK, "xl/sharedStrings.xml": STRINGS}
    sheets = {f"xl/worksheets/sheet{number}.xml": SHEET for number in (1, 2)}
    found = office.read(package(tmp_path / "a.xlsx", {**parts, **sheets}))
    assert (found["sheets"], found["rows"]) == (2, 2 * 4)
    without = office.read(package(tmp_path / "b.xlsx", {**parts, **sheets, "xl/worksheets/x.xml": "<a"}))
    assert (without["sheets"], without.get("rows")) == (2, None)  # what cannot be read is not known


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("<c><v>1</v></c><c><f>A1</f></c>", 1),
        ("<c><f>A1</f></c>", None),  # nobody has calculated it; a copy will have a value
        ("<c><f>A1</f><v/></c>", None),
        ('<c t="str"><f>A1</f><v/></c>', 0),
    ],
)
def test_rows_of_formulas_without_results_are_not_known(
    tmp_path: Path, cells: str, expected: int | None
) -> None:
    sheet = f'<worksheet xmlns="urn:s"><sheetData><row>{cells}</row></sheetData></worksheet>'
    parts = {"xl/workbook.xml": WORKBOOK, "xl/worksheets/sheet1.xml": sheet}
    assert office.read(package(tmp_path / "a.xlsx", parts)).get("rows") == expected


@pytest.mark.parametrize("more", ["xl/worksheets/old.xml", "xl/macrosheets/sheet1.xml"])
def test_rows_of_what_may_be_no_sheet_are_not_known(tmp_path: Path, more: str) -> None:
    sheets = {f"xl/worksheets/sheet{number}.xml": SHEET for number in (1, 2)}
    found = office.read(package(tmp_path / "a.xlsx", {"xl/workbook.xml": WORKBOOK, **sheets, more: SHEET}))
    assert (found["sheets"], found.get("rows")) == (2, None)


def test_a_sheet_that_is_damaged_costs_nothing_but_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", WORKBOOK)
        archive.writestr(info := zipfile.ZipInfo("xl/worksheets/sheet1.xml"), SHEET, zipfile.ZIP_DEFLATED)
        begin = info.header_offset + 30 + len(info.filename)
    content = bytearray(path.read_bytes())
    content[begin : begin + 8] = b"\xff" * 8  # a block of a kind that Deflate does not have
    path.write_bytes(content)
    found = office.read(path)
    assert (found["sheets"], found.get("rows")) == (2, None)


def test_rows_of_open_document_count_as_often_as_they_stand_there(tmp_path: Path) -> None:
    assert office.read(package(tmp_path / "a.ods", {"content.xml": CONTENT}))["rows"] == 4


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('<t:table-cell o:value-type="string" o:string-value="x"/>', 5),
        ('<t:table-cell o:value-type="string"><x:p/><x:p/></t:table-cell>', 5),
        ('<t:table-cell t:formula="of:=[.A1]"><x:p/></t:table-cell>', 4),
        ('<t:table-cell t:formula="of:=[.A1]"/>', None),
    ],
)
def test_rows_of_open_document_hold_what_another_program_finds_in_them(
    tmp_path: Path, cell: str, expected: int | None
) -> None:
    """In the second table, kept of another file, a value is none of this workbook."""
    row = f"<t:table-row>{cell}</t:table-row>"
    filled = '<t:table-row><t:table-cell o:value-type="float"/></t:table-row>'
    kept = f"<t:table t:name=\"'file:///b.ods'#B\">{filled}</t:table>"
    content = CONTENT.replace("</t:table><o:forms>", f"{row}</t:table>{kept}<o:forms>")
    found = office.read(package(tmp_path / "a.ods", {"content.xml": content}))
    assert (found["sheet_names"], found.get("rows")) == (["A"], expected)


def test_rows_of_open_document_are_counted_where_its_sheets_are_too_many_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "MOST", 100)
    kinds = {"ods": "application/vnd.oasis.opendocument.spreadsheet", "odt": "text"}
    for suffix, kind in kinds.items():
        package(tmp_path / f"a.{suffix}", {"mimetype": kind, "content.xml": CONTENT})
    found = {suffix: office.read(tmp_path / f"a.{suffix}") for suffix in kinds}
    assert [("sheets" in each, each.get("rows")) for each in found.values()] == [(False, 4), (False, None)]


def test_a_workbook_too_large_to_count_says_no_number(tmp_path: Path) -> None:
    path = package(tmp_path / "a.ods", {"content.xml": CONTENT})
    with zipfile.ZipFile(path) as archive:
        [member] = archive.infolist()
        member.file_size = rows.MOST + 1
        assert rows.in_package(archive, {"content.xml": member}) is None


def test_rows_of_the_excel_97_format() -> None:
    """The globals and a chart have none; a blank cell is no value, nor is a formula whose text is empty."""
    empty = struct.pack("<HHH", 9, 0, 0) + b"\x03" + bytes(5) + b"\xff\xff"
    sheet = record(0x0809, struct.pack("<HH", 0x600, 0x10))
    cells = [
        (0x0203, struct.pack("<HHHd", 4, 0, 0, 1.5)),
        (0x00FD, struct.pack("<HHHI", 4, 1, 0, 0)),
        (0x0201, struct.pack("<HHH", 5, 0, 0)),
        (0x0006, empty),
        (0x0006, struct.pack("<HHHd", 10, 0, 0, 0.0) + bytes(4)),
        (0x00BD, struct.pack("<HH", 7, 0)),
    ]
    chart = record(0x0809, struct.pack("<HH", 0x600, 0x20)) + record(0x0203, bytes(14)) + record(0x0A, b"")
    whole = sheet + b"".join(record(*each) for each in cells) + record(0x0A, b"")
    assert rows.in_stream(record(0x0809, struct.pack("<HH", 0x600, 5)) + record(0x0A, b"") + chart) == 0
    assert rows.in_stream(whole + chart + whole) == 2 * 3
    assert rows.in_stream(whole[:-20]) in range(4)
    assert rows.in_stream(whole + record(0x0809, struct.pack("<HH", 0x600, 0x40))) is None


def test_rows_of_the_excel_97_format_hold_no_text_without_a_character() -> None:
    """The texts are in several records: one goes on in the next, which says anew how wide it is."""
    wide = struct.pack("<HBHI", 3, 1 | 4 | 8, 1, 5) + "a".encode("utf-16-le")
    table = [
        struct.pack("<IIHB", 4, 4, 0, 0) + struct.pack("<HB", 1, 0) + b"x" + wide,
        b"\x00bc" + bytes(4 + 2),  # two characters of a byte, how they look, and half of what is more
        bytes(3),
        struct.pack("<HB", 0, 0),
    ]
    texts = record(0x00FC, table[0]) + b"".join(record(0x003C, each) for each in table[1:])
    shared = b"".join(record(0x00FD, struct.pack("<HHHI", each, 0, 0, each)) for each in range(4))
    labels = record(0x0204, struct.pack("<HHHHB", 8, 0, 0, 0, 0)) + record(0x0204, bytes(6) + b"\x01\0\0x")
    sheet = record(0x0809, struct.pack("<HH", 0x600, 0x10))
    assert rows.in_stream(texts + sheet + shared) == 2
    assert rows.in_stream(texts + sheet + labels) == 1
    with pytest.raises(ValueError, match="cut"):
        rows.in_stream(record(0x00FC, table[0]) + sheet + shared)


def test_rows_of_csv_files_together(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b',\n1,"two\nlines"\n,,\n" ",\n')
    (tmp_path / "2.csv").write_bytes(b"\n\nx\n")
    assert _rows([tmp_path / "1.csv", tmp_path / "2.csv"]) == 3
    (tmp_path / "3.csv").write_bytes(b"\xff\n")
    assert _rows([tmp_path / "1.csv", tmp_path / "3.csv"]) is None


def test_rows_are_counted_in_no_file_that_a_converter_left_as_a_link_or_without_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1.csv").write_bytes(b"x\n")
    (tmp_path / "2.csv").symlink_to("1.csv")
    os.mkfifo(tmp_path / "3.csv")
    (tmp_path / "4.csv").write_bytes(b"x" * 9)
    monkeypatch.setattr(libreoffice, "LONGEST_LINE", 8)
    assert [_rows([tmp_path / f"{number}.csv"]) for number in (1, 2, 3, 4)] == [1, None, None, None]


def atom(kind: int, body: bytes, instance: int = 0) -> bytes:
    return struct.pack("<HHI", instance << 4, kind, len(body)) + body


def test_slides_of_powerpoint_are_those_of_the_last_edit() -> None:
    """The first edit had one slide; the second wrote the document anew, with two, and kept the masters."""
    stream = bytearray()

    def put(data: bytes) -> int:
        stream.extend(data)
        return len(stream) - len(data)

    def edit(slide_count: int, before: int) -> int:
        some = b"".join(atom(0x03F3, bytes(20)) + atom(0x0F9F, bytes(4)) for _ in range(slide_count))
        masters = atom(0x0FF0, atom(0x03F3, bytes(20)), instance=1)
        place = put(atom(0x03E8, atom(0x03E9, bytes(40)) + masters + atom(0x0FF0, some)))
        directory = put(
            atom(0x1772, struct.pack("<3I", 7 | 1 << 20, 0, 1 | 1 << 20) + struct.pack("<I", place))
        )
        return put(atom(0x0FF5, struct.pack("<IIIII", 0, 0, before, directory, 1) + bytes(8)))

    first = edit(1, 0)
    second = edit(2, first)
    unchanged = put(atom(0x1772, b""))
    third = put(atom(0x0FF5, struct.pack("<IIIII", 0, 0, second, unchanged, 1) + bytes(8)))
    for place, expected in ((first, 1), (second, 2), (third, 2), (0, None), (len(stream), None)):
        user = atom(0x0FF6, struct.pack("<III", 20, 0xE391C05F, place))
        assert slides.count(user, bytes(stream)) == expected
    hidden = atom(0x0FF6, struct.pack("<III", 20, 0xF3D1C4DF, third))
    assert slides.count(hidden, bytes(stream)) is None
    loop = atom(0x0FF5, struct.pack("<IIIII", 0, 0, 1, 29, 1)) + b""
    assert slides.count(atom(0x0FF6, struct.pack("<III", 20, 0xE391C05F, 0)), loop) is None
