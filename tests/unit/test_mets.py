"""METS: valid, lossless, deterministic, flat in memory."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from packages.errors import Corrupt
from packages.mets import PART_LIMIT, part_name, write_files_mets, write_root_mets
from packages.mets_reading import read_directories, read_files_mets
from packages.model import FileEntry, Role
from packages.packing import as_file
from tests.support.descriptions import (
    CREATED,
    PACKAGE,
    entries,
    entry,
    mets_with_premis,
    packed_entries,
    schema,
)

ODD_NAMES = [
    "a b.txt",
    "100%25 & <more> \"quotes\" 'n' `ticks`.txt",
    "line\nfeed\rreturn\ttab.txt",
    "%0A.txt",
    "\x03control\x1f.txt",
    "noncharacter\ufffe\uffff.txt",
    "e\u0301 NFD, \u00e9 NFC",
    "\u202eright-to-left \U0001f600 \u200b",
    "CON",
    "~/x",
    "C:\\x",
    "a#b?c=d&e;f+g*h|i",
    " lead and trail. ",
    "漢" * 73,
]
RECORD = {"title": "Mixed \x03 & <title>", "creators": ["Lovelace, Ada"], "publicationYear": 2026}


def part(listed: list[FileEntry], number: int = 1) -> bytes:
    stream = io.BytesIO()
    write_files_mets(stream, PACKAGE, 1, number, listed, created=CREATED)
    return stream.getvalue()


def root(documents: list[FileEntry], directories: tuple[str, ...] = ()) -> bytes:
    stream = io.BytesIO()
    write_root_mets(
        stream,
        PACKAGE,
        2,
        created=CREATED,
        record=RECORD,
        identifiers=("ark:99999/hf1x",),
        documents=documents,
        directories=directories,
    )
    return stream.getvalue()


def by_role(listed: list[FileEntry]) -> list[FileEntry]:
    return sorted(listed, key=lambda each: each.role)


@given(st.lists(entries(), max_size=4))
def test_what_is_written_reads_back_equal(listed: list[FileEntry]) -> None:
    assert list(read_files_mets(io.BytesIO(part(listed)), lambda _: "")) == by_role(listed)


@given(st.lists(packed_entries(), max_size=4), st.lists(entries(), max_size=2))
def test_packed_files_read_back_equal(inside: list[FileEntry], loose: list[FileEntry]) -> None:
    packs = [as_file(f"data/packed/{number:04d}.zip", "", 9, "ab" * 64, 7) for number in (1, 2)]
    packs = [each._replace(location=f"v1/content/{each.path}") for each in packs]
    listed = [each._replace(location=f"v1/content/{each.path}") for each in loose]
    written = part([*packs, *inside, *listed])
    back = list(read_files_mets(io.BytesIO(written), lambda path: f"v1/content/{path}"))

    def order(each: FileEntry) -> tuple[str, ...]:
        return (each.path, each.location, str(each.packed_offset), each.sha512, str(each))

    assert sorted(back, key=order) == sorted([*packs, *inside, *listed], key=order)
    first = packs[0].location
    assert [each for each in back if each.location == first][:-1] == [
        each for each in inside if each.location == first
    ]


@pytest.mark.shared
def test_a_packed_file_is_described_as_the_schema_wants(shared: Path) -> None:
    pack = as_file("data/packed/0001.zip", "v1/content/data/packed/0001.zip", 400, "ab" * 64, 7)
    names = [f"data/original/{name}" for name in ODD_NAMES]
    inside = [entry(name, location=pack.location, packed_offset=at, size=at) for at, name in enumerate(names)]
    written = part([pack, *inside])
    tree = etree.fromstring(written)
    assert mets_with_premis(shared).validate(tree), mets_with_premis(shared).error_log
    (outer,) = tree.iterfind(".//{*}fileGrp/{*}file")
    assert outer.find("{*}FLocat").get("{http://www.w3.org/1999/xlink}href") == "../../data/packed/0001.zip"
    assert [each.get("BEGIN") for each in outer.iterfind("{*}file")] == [str(at) for at in range(len(names))]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_A5_A6_A11_names_survive_in_links(name: str) -> None:
    written = part([entry(f"data/original/{name}")])
    (back,) = read_files_mets(io.BytesIO(written), lambda path: f"v1/content/{path}")
    assert back.path == f"data/original/{name}"
    assert back.location == f"v1/content/data/original/{name}"
    tree = etree.fromstring(written)
    link = tree.find(".//{*}FLocat").attrib["{http://www.w3.org/1999/xlink}href"]
    assert link.startswith("../../data/original/")
    assert link.isascii()
    assert not set(link) & set(' "<>\\^`{|}\n\t#?')


def test_A5_line_ends_in_names_are_not_normalised_away() -> None:
    tree = etree.fromstring(part([entry("data/original/a\r\nb\tc")]))
    assert tree.findtext(".//{*}originalName") == "a\r\nb\tc"


@pytest.mark.shared
def test_G2_a_part_with_odd_names_is_valid(shared: Path) -> None:
    full = entry(
        "data/preservation/a.bmp.png",
        role=Role.PRESERVATION,
        derived_from="data/original/a.bmp",
        modified="1969-12-31T23:59:59.5Z",
        digests={"md5": "00" * 16, "blake2b": "11" * 64},
        puid="fmt/11",
        format_name="Portable \x0c Network Graphics",
        format_version="1.0",
        mime="image/png",
        basis="byte match at 0, 16",
        warning="odd \x00",
        properties={
            "width": 3,
            "title": "a\x03\ufffe",
            "dpi": 72.5,
            "none": None,
            "pages": [1, 2],
            "conversion_event": "6f1d1c0e-0c1b-5a53-9d6c-0c0f9a0b7c11",
        },
    )
    written = part([*(entry(f"data/original/{name}") for name in ODD_NAMES), full])
    document = etree.fromstring(written)
    mets_with_premis(shared).assertValid(document)
    premis = schema(shared, "premis-v3-0.xsd")
    objects = document.findall(".//{*}xmlData/{*}object")
    assert len(objects) == len(ODD_NAMES) + 1
    for each in objects:
        premis.assertValid(etree.ElementTree(etree.fromstring(etree.tostring(each))))


@pytest.mark.shared
@pytest.mark.parametrize("count", [0, 1])
def test_the_root_and_an_empty_part_are_valid(shared: Path, count: int) -> None:
    mets = schema(shared, "mets-1.12.1.xsd")
    mets.assertValid(etree.fromstring(part([])))
    documents = [
        entry("metadata/record.json", mime="application/json"),
        entry(part_name(1, 1)),
        entry("metadata/premis/events-v1.xml"),
        entry("metadata/submission/bag info \x03.txt"),
    ]
    written = root(documents * count, ("kept \x03/empty %",))
    mets.assertValid(etree.fromstring(written))


@pytest.mark.shared
def test_rights_of_the_record_are_premis_and_hang_on_the_package(shared: Path) -> None:
    record = RECORD | {
        "rights": [
            "All rights \x03 <reserved>",
            {"rights": "CC BY 4.0", "rightsUri": "https://example.org/by", "rightsIdentifier": "CC-BY-4.0"},
        ],
        "access": {"metadata": "open", "files": "embargoed", "filesUntil": "2031-01-01"},
    }
    stream = io.BytesIO()
    write_root_mets(stream, PACKAGE, 1, created=CREATED, record=record, documents=[])
    tree = etree.fromstring(stream.getvalue())
    mets_with_premis(shared).assertValid(tree)
    premis = schema(shared, "premis-v3-0.xsd")
    statements = tree.findall(".//{*}rightsMD/{*}mdWrap/{*}xmlData/{*}rights")
    for each in statements:
        premis.assertValid(etree.ElementTree(etree.fromstring(etree.tostring(each))))
    assert tree.find(".//{*}structMap/{*}div").attrib["ADMID"] == "rights1 rights2 rights3"
    assert [each.findtext(".//{*}licenseTerms") for each in statements] == [
        "All rights \ufffd <reserved>",
        "CC BY 4.0",
        None,
    ]
    told = [each.text for each in statements[2].iter("{*}act", "{*}restriction", "{*}endDate")]
    assert told == ["disseminate metadata", "disseminate files", "embargoed", "2031-01-01"]


def test_the_root_points_to_every_document_with_its_digest() -> None:
    documents = [
        entry("metadata/record.json", sha512="01" * 64),
        entry("metadata/files/v1-0001.xml"),
        entry("metadata/files/v2-0001.xml"),
        entry("metadata/premis/events-v1.xml", sha512="02" * 64),
        entry("metadata/submission/bag info.txt", sha512="03" * 64),
        entry("bagit.txt", sha512="04" * 64),
    ]
    tree = etree.fromstring(root(documents))
    href = "{http://www.w3.org/1999/xlink}href"
    for kind in ("LOGICAL", "PHYSICAL"):
        found = tree.iterfind(f'{{*}}structMap[@TYPE="{kind}"]//{{*}}mptr')
        assert [each.attrib[href] for each in found] == ["files/v1-0001.xml", "files/v2-0001.xml"]
    assert {each.attrib[href]: each.attrib["CHECKSUM"][:2] for each in tree.iterfind(".//{*}mdRef")} == {
        "record.json": "01",
        "premis/events-v1.xml": "02",
        "submission/bag%20info.txt": "03",
        "../bagit.txt": "04",
    }
    assert tree.findtext(".//{http://purl.org/dc/elements/1.1/}title") == "Mixed \ufffd & <title>"


def test_the_root_stays_small_however_many_files_come_beside_the_payload() -> None:
    many = [entry(f"metadata/submission/{number:05d}") for number in reversed(range(5000))]
    tree = etree.fromstring(root([entry("metadata/record.json"), *many]))
    links = [each.attrib["{http://www.w3.org/1999/xlink}href"] for each in tree.iterfind(".//{*}mdRef")]
    assert links == ["record.json", *(f"submission/{number:05d}" for number in range(1000))]


def test_A14_empty_directories_are_kept() -> None:
    directories = ("empty", "deep/er", "odd \n%20\x03 name")
    assert read_directories(io.BytesIO(root([], directories))) == directories


def test_the_same_arguments_give_the_same_bytes() -> None:
    listed = [entry("data/original/a", properties={"b": 1, "a": 2}, digests={"sha1": "0", "md5": "1"})]
    turned = [entry("data/original/a", properties={"a": 2, "b": 1}, digests={"md5": "1", "sha1": "0"})]
    assert part(listed) == part(turned)


def test_a_part_has_a_limit() -> None:
    with pytest.raises(ValueError, match="at most"):
        write_files_mets(
            io.BytesIO(), PACKAGE, 1, 1, (entry("a") for _ in range(PART_LIMIT + 1)), created=CREATED
        )


@pytest.mark.parametrize(
    "damage",
    [
        lambda written: written[: len(written) // 2],
        lambda _: b"",
        lambda written: written.replace(b"<size>3<", b"<size>three<"),
        lambda written: written.replace(b"SHA-512</messageDigestAlgorithm>", b"MD2</messageDigestAlgorithm>"),
        lambda written: written.replace(b'ADMID="t1"', b'ADMID="t9"'),
        lambda written: written.replace(b'USE="original"', b'USE="other"'),
    ],
)
def test_a_damaged_part_is_corrupt(damage: object) -> None:
    with pytest.raises(Corrupt):
        list(read_files_mets(io.BytesIO(damage(part([entry("data/original/a")])))))


def test_G6_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    written = part([entry("data/original/name")]).replace(b"?>\n", b"?>\n" + bomb, 1)
    written = written.replace(b"<size>3</size>", b"<size>&x;</size>")
    with pytest.raises(Corrupt):
        list(read_files_mets(io.BytesIO(written)))


WRITE_MANY = """
from packages.mets import PART_LIMIT, write_files_mets
from tests.support.descriptions import CREATED, PACKAGE, entry
with open("/dev/null", "wb") as stream:
    for part in (1, 2):
        listed = (entry(f"data/original/folder {i % 9}/{i}.txt", size=i) for i in range(PART_LIMIT))
        write_files_mets(stream, PACKAGE, 1, part, listed, created=CREATED)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])
"""


@pytest.mark.slow
def test_G4_100000_files_within_300_MB() -> None:
    project = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", WRITE_MANY], check=True, capture_output=True, text=True, cwd=project
    )
    # VmHWM is this program's own peak; getrusage also counts what its parent had when it forked.
    assert 10e6 < int(done.stdout) * 1024 < 300e6
