"""Group G of the edge cases: records and XML, through the whole pipeline and back."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from packages.record import CURRENT
from services.data_management.views import events, versions
from services.ingest.revision import update_record
from services.work.engine import run_job
from tests.support.bags import lines, make_bag, originals
from tests.support.depositor import Deposit, Depositor, put, zipped_bag
from tests.support.descriptions import mets_with_premis, schema

GOOD: dict[str, Any] = {"$schema": CURRENT, "title": "Harbour log"}


def record(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def plain(tmp_path: Path, **files: bytes) -> Path:
    return put(
        tmp_path / "source", {"a.txt": b"a"} | {name.replace("_", "."): data for name, data in files.items()}
    )


BROKEN = {
    "title": "",
    "publicationYear": "soon",
    "creators": [{"name": "Ada"}, {"nome": "x"}],
    "access": {"files": "secret"},
    "unheard of/~": 1,
}
POINTERS = {"/title", "/publicationYear", "/creators/1", "/access/files", "/"}


@pytest.mark.parametrize("where", ["beside", "inside", "in a bag"])
def test_G1_every_violation_of_the_schema_is_listed_with_its_pointer(
    shared_depositor: Depositor, tmp_path: Path, where: str
) -> None:
    data = record(**BROKEN)
    if where == "beside":
        made = shared_depositor.rejected(plain(tmp_path), record=data)
    elif where == "inside":
        made = shared_depositor.rejected(plain(tmp_path, record_json=data))
    else:
        made = shared_depositor.rejected(make_bag(tmp_path / "bag", extra={"metadata/record.json": data}))
    found = [each for each in made.status["findings"] if each["code"] == "record.schema"]
    for pointer in POINTERS:
        assert any(f"at {pointer}:" in each["message"] for each in found), (pointer, found)
    path = {"beside": None, "inside": "record.json", "in a bag": "metadata/record.json"}[where]
    assert {each["path"] for each in found} == {path}


def xml_files(depositor: Depositor, made: Deposit) -> list[etree._ElementTree]:
    """Parse every XML file of the exported AIP and DIP with a strict parser."""
    trees = []
    for kind in ("aip", "dip"):
        folder = depositor.give_back(made, kind)
        places = sorted((folder / "metadata").rglob("*.xml"))
        assert places
        trees += [etree.parse(place, etree.XMLParser(resolve_entities=False)) for place in places]
    return trees


@pytest.mark.shared
def test_G2_characters_that_xml_forbids_and_a_title_of_a_megabyte(
    shared_depositor: Depositor, shared: Path, tmp_path: Path
) -> None:
    bad = "bell\u0007 etx\u0003 \ufffe ]]> & < \u202e 😀"
    title = f"{bad} " + "long " * 200_000
    data = record(
        title=title,
        descriptions=[bad],
        creators=[bad],
        subjects=[bad],
        access={"metadata": "open", "files": "open"},
    )
    made = shared_depositor.accepted(plain(tmp_path), record=data)
    assert made.status["title"] == title
    validators = [mets_with_premis(shared), schema(shared, "premis-v3-0.xsd")]
    for each in xml_files(shared_depositor, made):
        tag = etree.QName(each.getroot())
        if tag.localname in {"mets", "premis"}:
            validator = validators[tag.localname == "premis"]
            assert validator.validate(each), validator.error_log
    aip = shared_depositor.give_back(made, "aip")
    assert json.loads((aip / "metadata/record.json").read_bytes())["title"] == title, "data stays exact"


def test_G2_half_a_character_is_refused_by_its_pointer(shared_depositor: Depositor, tmp_path: Path) -> None:
    data = b'{"$schema": "%s", "title": "half \\ud800"}' % CURRENT.encode()
    made = shared_depositor.rejected(plain(tmp_path), record=data)
    assert "/title" in made.found("record.lone-surrogate")[None]["message"]


def test_G2_a_bag_info_with_control_characters_becomes_a_valid_record(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    info = "Source-Organization: Bell\u0007 & Sons\nExternal-Description: \u0003<b>\n"
    made = shared_depositor.accepted(make_bag(tmp_path / "bag", info=info))
    assert len(xml_files(shared_depositor, made)) >= 4


def test_G3_a_record_that_names_a_file_that_is_absent_is_refused(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    files = [{"path": "a.txt"}, {"path": "lost.txt"}, {"path": "lost/too.txt"}]
    made = shared_depositor.rejected(plain(tmp_path), record=record(files=files))
    told = [each["message"] for each in made.status["findings"] if each["code"] == "record.file-missing"]
    assert sorted(each.rpartition(" ")[2] for each in told) == ["lost.txt.", "lost/too.txt."]


def test_G3_files_that_the_record_does_not_name_are_nothing_unusual(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """Better than WARN: a record need not list files at all, and thousands of warnings would hide others."""
    made = shared_depositor.accepted(plain(tmp_path, b_txt=b"b"), record=record(files=[{"path": "a.txt"}]))
    assert not [each for each in made.status["findings"] if each["code"].startswith("record.file")]
    shared_depositor.prove_identical(made, {"a.txt": b"a", "b.txt": b"b"})
    source = make_bag(tmp_path / "bag", extra={"metadata/record.json": record(files=[{"path": "sub/b.txt"}])})
    shared_depositor.accepted(source)


def test_G4_many_files_have_compact_descriptions(shared_depositor: Depositor, tmp_path: Path) -> None:
    """2,000 files through the pipeline; tests/unit/test_mets.py measures memory with 100,000."""
    files = {f"{number:04}.txt": b"%d" % number for number in range(2_000)}
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    with zipfile.ZipFile(shared_depositor.give_back(made, "aip", zipped=True)) as bundle:
        members = zipped_bag(bundle)
        described = [info for path, info in members.items() if path.startswith("metadata/files/")]
        premis = next(info for path, info in members.items() if "premis/events" in path)
        count = len(etree.parse(io.BytesIO(bundle.read(premis))).findall("{*}event"))
    assert sum(info.file_size for info in described) < 2_500 * len(files)
    assert count < 20, "events are about the package, not 14 for each file"


def test_G5_two_updates_are_both_there_and_the_history_is_kept(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(plain(tmp_path), record=record())
    archive, actor = shared_depositor.archive, shared_depositor.actor
    for change in ({"title": "Second title"}, {"title": "Second title", "subjects": ["harbours"]}):
        job = update_record(archive, actor, made.id, record(**change), message=f"changed {sorted(change)}")
        assert job is not None
        made = shared_depositor.again(run_job(archive, job.id))
        shared_depositor.prove_accepted(made)
    titles = []
    for number in (1, 2, 3):
        aip = shared_depositor.give_back(made, "aip", version=number)
        held = json.loads((aip / "metadata/record.json").read_bytes())
        titles.append((held["title"], held.get("subjects")))
    subjects = [{"subject": "harbours"}]
    assert titles == [("Harbour log", None), ("Second title", None), ("Second title", subjects)]
    assert [each["version"] for each in versions(archive, actor, made.id)] == [1, 2, 3]
    changes = [each for each in events(archive, actor, made.id) if each["type"] == "metadata modification"]
    assert len(changes) == 2


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a0 "lol">%s]><lolz>&a9;</lolz>""" % b"".join(
    b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)
EXTERNAL = b"""<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY n SYSTEM "http://127.0.0.1:1/x">]>
<svg xmlns="http://www.w3.org/2000/svg"><text>&e;&n;</text></svg>"""


def office(core: bytes) -> bytes:
    """Return a word-processor file whose properties are hostile XML."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        )
        bundle.writestr("word/document.xml", "<w/>")
        bundle.writestr("docProps/core.xml", core)
    return buffer.getvalue()


def test_a_deposit_without_a_record_is_described_by_its_own_metadata(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    mods = (
        b'<?xml version="1.0"?><mods xmlns="http://www.loc.gov/mods/v3">'
        b"<titleInfo><title>Harbour survey</title></titleInfo>"
        b"<name><namePart>Lovelace, Ada</namePart></name>"
        b"<accessCondition>CC BY 4.0</accessCondition></mods>"
    )
    premis = (
        b'<?xml version="1.0"?><premis xmlns="http://www.loc.gov/premis/v3" version="3.0" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="http://www.loc.gov/premis/v3 http://x.invalid/premis.xsd"/>'
    )
    bag = make_bag(tmp_path / "bag", extra={"metadata/mods.xml": mods, "premis.xml": premis})
    made = shared_depositor.accepted(bag)
    assert made.status["title"] == "Harbour survey"
    assert set(made.found("record.taken-over")) == {"metadata/mods.xml"}
    with shared_depositor.archive.catalogue.read() as view:
        judged = [
            each.detail for each in view.events(made.id) if "libxml2" in {agent.name for agent in each.agents}
        ]
    assert [each.partition(";")[0] for each in judged] == ["XML: could not check 1"]
    assert set(made.found("validity.unchecked")) == {"premis.xml"}
    aip = shared_depositor.prove_identical(made, originals())
    assert (aip / "metadata/submission/metadata/mods.xml").read_bytes() == mods
    root = etree.parse(aip / "metadata/mets.xml")
    assert root.findtext(".//{*}rightsMD//{*}licenseTerms") == "CC BY 4.0"
    assert root.findtext(".//{http://purl.org/dc/elements/1.1/}creator") == "Lovelace, Ada"
    head, _, rest = mods.partition(b"?>")
    hostile = put(tmp_path / "hostile", {"mods.xml": head + b"?><!DOCTYPE m>" + rest[:90], "a": b"a"})
    assert "record.description-unreadable" in shared_depositor.accepted(hostile).codes


def test_G6_hostile_xml_is_kept_as_it_is_and_never_resolved(
    shared_depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("an address was asked")

    monkeypatch.setattr("socket.socket.connect", never)
    monkeypatch.setattr("socket.getaddrinfo", never)
    files = {
        "laughs.xml": LAUGHS,
        "external.svg": EXTERNAL,
        "laughs.docx": office(LAUGHS),
        "external.docx": office(EXTERNAL),
    }
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    aip = shared_depositor.prove_identical(made, files)
    described = b"".join(each.read_bytes() for each in sorted((aip / "metadata").rglob("*.xml")))
    assert b"root:" not in described
    assert b"lollol" not in described
    bag = make_bag(tmp_path / "bag", extra={"metadata/evil.xml": LAUGHS})
    shared_depositor.accepted(bag)


@pytest.mark.parametrize(
    "data",
    [
        b'{"$schema": "http://127.0.0.1:1/evil.json", "title": "x"}',
        b'{"$schema": {"$ref": "http://127.0.0.1:1/x"}, "title": "x"}',
    ],
)
def test_G6_a_remote_schema_is_refused_and_not_fetched(
    shared_depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("an address was asked")

    monkeypatch.setattr("socket.getaddrinfo", never)
    monkeypatch.setattr("socket.socket.connect", never)
    assert "record.schema-unknown" in shared_depositor.rejected(plain(tmp_path), record=data).codes


STRICT = {
    "NaN": (b'{"$schema": "%s", "title": "x", "publicationYear": NaN}', "record.number"),
    "Infinity": (b'{"$schema": "%s", "title": "x", "publicationYear": -Infinity}', "record.number"),
    "overflow": (b'{"$schema": "%s", "title": "x", "publicationYear": 1e999}', "record.number"),
    "twice": (b'{"$schema": "%s", "title": "x", "title": "y"}', "record.duplicate-name"),
    "nested": (b'{"$schema": "%s", "title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "record.too-deep"),
    "array": (b'["%s"]', "record.not-an-object"),
    "cut": (b'{"$schema": "%s", "title": "x"', "record.not-json"),
    "not utf-8": (b'{"$schema": "%s", "title": "\xe9"}', "record.not-json"),
    "not json": (b"<record>%s</record>", "record.not-json"),
    "ten megabytes": (b'{"$schema": "%s", "title": "' + b"x" * 10_000_000 + b'"}', "record.too-large"),
}


@pytest.mark.parametrize("where", ["beside", "in a bag"])
@pytest.mark.parametrize("case", STRICT)
def test_G7_what_is_not_strict_json_is_refused_and_nothing_crashes(
    shared_depositor: Depositor, tmp_path: Path, case: str, where: str
) -> None:
    template, code = STRICT[case]
    data = template.replace(b"%s", CURRENT.encode())
    if where == "beside":
        made = shared_depositor.rejected(plain(tmp_path), record=data)
    else:
        listed = lines({"metadata/record.json": data}).encode()
        extra = {"metadata/record.json": data, "tagmanifest-sha512.txt": listed}
        made = shared_depositor.rejected(make_bag(tmp_path / "bag", extra=extra))
    assert code in made.codes


def test_a_record_json_of_somebody_elses_is_a_file_like_any_other(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    theirs = b'{"band": "The Beatles", "rpm": 33}'
    made = shared_depositor.accepted(plain(tmp_path, record_json=theirs))
    shared_depositor.prove_identical(made, {"a.txt": b"a", "record.json": theirs})
