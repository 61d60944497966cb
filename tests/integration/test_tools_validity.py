"""Validation of formats: the table, batches of a tool that misbehaves, and XML held to schemas offline."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from packages.content_paths import content_path
from packages.errors import Invalid
from packages.format_policy import Action, Kind, default_policy
from services.preservation_planning.conformity import Conformity
from services.preservation_planning.derivatives import _refused
from tests.conftest import PROJECT
from tools.crew_child import Work
from tools.ports import Identification
from tools.sandbox import isolation
from tools.validity import Check, Outcome, Subject, Table, Validator, Validity, load_table
from tools.validity.ports import LONGEST_MESSAGE, MOST_MESSAGES
from tools.validity.table import table_of
from tools.validity.xml_schemas import XmlSchemas

JPEG = Check("JPEG", "jhove", frozenset({"fmt/43"}), module="JPEG-hul", suffix=".jpg", seconds=60)
QUICK = replace(JPEG, seconds=3)
ALWAYS = 3600


@pytest.fixture
def jhove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Validator]:
    """A validator whose JHOVE is a small program that does what is written in each file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(PROJECT / "tests/support/fake_jhove.sh", folder / "jhove")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    with_fake = Validator(Table("test", 1000, ALWAYS, (JPEG,)))
    yield with_fake
    with_fake.close()


def judged(validator: Validator, folder: Path, *contents: str, check: Check = JPEG) -> list[Validity]:
    files = folder / "files"
    files.mkdir(exist_ok=True)
    subjects = []
    for number, content in enumerate(contents):
        file = files / f"{number}.bin"
        file.write_text(content)
        subjects.append(Subject(f"data/{number}", file, len(content)))
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    found = validator.judge({check: subjects}, scratch=scratch, root=files)[check]
    assert not any(scratch.iterdir()), "a private folder was left behind"
    return found


def test_the_table_is_whole() -> None:
    table = load_table()
    assert table.by_puid()["fmt/354"].tool == "verapdf"
    assert table.by_puid()["fmt/353"].module == "TIFF-hul"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"checks": [{"name": "A", "tool": "jhove", "puids": ["fmt/1"]}]}, "module"),
        ({"checks": [{"name": "A", "tool": "guess", "puids": ["fmt/1"]}]}, "guess"),
        (
            {"checks": [{"name": n, "tool": "verapdf", "puids": ["fmt/1"]} for n in "ab"]},
            "two checks for fmt/1",
        ),
        ({"checks": [{"name": "A", "tool": "jpylyzer", "profile": "1b", "puids": ["fmt/1"]}]}, "1b"),
        ({"checks": [{"name": "A", "tool": "verapdf", "profile": "jp2", "puids": ["fmt/1"]}]}, "profile"),
        ({"limits": {"files": 0, "seconds": 1}}, "minimum"),
    ],
)
def test_a_wrong_table_is_refused_with_its_fault(change: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        table_of({**schemas.load("validation.json"), **change})


def test_messages_that_a_check_accepts_are_no_fault(jhove: Validator, tmp_path: Path) -> None:
    stream = replace(JPEG, accepts=frozenset({"X-1"}))
    assert [each.outcome for each in judged(jhove, tmp_path, "bad", "fine", check=stream)] == [
        Outcome.WELL_FORMED,
        Outcome.VALID,
    ]
    other = replace(JPEG, accepts=frozenset({"X-2", "X"}))
    assert judged(jhove, tmp_path, "bad", check=other)[0].outcome is Outcome.NOT_VALID
    several = Validity(Outcome.NOT_VALID, "JHOVE", None, ("X-1: It is bad", "X-3: It is worse"))
    assert stream.judged(several) is several


def test_the_home_may_have_its_own_table(tmp_path: Path) -> None:
    (tmp_path / "validation.json").write_text(
        '{"version": "ours", "limits": {"files": 1, "seconds": 1}, "checks": []}'
    )
    assert load_table(tmp_path) == Table("ours", 1, 1, ())
    (tmp_path / "validation.json").write_text("{")
    with pytest.raises(Invalid, match="is not JSON"):
        load_table(tmp_path)


def test_F4_what_the_tool_says_is_kept(jhove: Validator, tmp_path: Path) -> None:
    good, bad = judged(jhove, tmp_path, "good", "bad")
    assert good == Validity(Outcome.VALID, "JHOVE 9.9.9", "JPEG-hul 1.0")
    assert bad == Validity(Outcome.NOT_VALID, "JHOVE 9.9.9", "JPEG-hul 1.0", ("X-1: It is bad, at byte 7",))


def test_F5_a_crash_costs_no_other_file_its_judgement(jhove: Validator, tmp_path: Path) -> None:
    contents = ["good"] * 40
    contents[17] = "crash"
    found = judged(jhove, tmp_path, *contents)
    assert [at for at, each in enumerate(found) if each.outcome is not Outcome.VALID] == [17]
    assert found[17].outcome is Outcome.UNCHECKED
    assert "crashed" in found[17].messages[0]


@pytest.mark.parametrize(
    ("content", "told"), [("hang", "deadline"), ("garbage", "said nothing"), ("flood", "wrote too much")]
)
def test_F5_a_tool_that_misbehaves_is_ended(
    jhove: Validator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, told: str
) -> None:
    monkeypatch.setattr("tools.validity.validator.FLOOR", 1 << 20)
    bad, good = judged(jhove, tmp_path, content, "good", check=QUICK)
    assert (bad.outcome, good.outcome) == (Outcome.UNCHECKED, Outcome.VALID)
    assert told in bad.messages[0]


def test_several_formats_take_one_start_and_a_strangers_word_does_not_count(
    jhove: Validator, tmp_path: Path
) -> None:
    starts = tmp_path / "scratch"
    gif = replace(JPEG, name="GIF", module="GIF-hul", suffix=".gif")
    (tmp_path / "a").write_text("good")
    (tmp_path / "b").write_text("bad")
    one, other = Subject("a", tmp_path / "a", 4), Subject("b", tmp_path / "b", 3)
    found = jhove.judge({JPEG: [one], gif: [other, one]}, scratch=starts, root=tmp_path)
    assert [each.outcome for each in found[JPEG]] == [Outcome.VALID]
    assert [each.outcome for each in found[gif]] == [Outcome.NOT_VALID, Outcome.VALID]


def test_a_file_that_the_tool_leaves_out_is_not_valid_by_silence(jhove: Validator, tmp_path: Path) -> None:
    found = judged(jhove, tmp_path, "good", "mute", "good")
    assert [each.outcome for each in found] == [Outcome.VALID, Outcome.UNCHECKED, Outcome.VALID]


def test_what_is_made_of_a_package_has_its_time_for_all_that_is_asked(
    jhove: Validator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    judge = jhove.judge

    def noted(*given: Any, seconds: float, **more: Any) -> dict[Check, list[Validity]]:
        left.append(seconds)
        return judge(*given, seconds=seconds, **more)

    monkeypatch.setattr(jhove, "judge", noted)
    (tmp_path / "made").write_text("good")
    conformity = Conformity(jhove, tmp_path / "scratch", None)
    match = Identification("fmt/43", None, None, None, None, None)
    for _ in range(2):
        [found] = conformity.judge([(tmp_path / "made", match)])
        assert found.validity is not None
        assert found.validity.outcome is Outcome.VALID
    assert ALWAYS == left[0] > left[1]


def test_why_a_copy_is_not_kept_names_what_it_was_held_to_where_the_tool_says_so() -> None:
    action = Action("a rule", Kind.ACCESS, "gs", "pdfa", default_policy().limits)
    match = Identification("fmt/477", None, None, None, None, None)
    cut = Validity(Outcome.NOT_VALID, "veraPDF 1", None, ("It is cut",))
    said = [_refused(action, match, each, ()) for each in (cut, replace(cut, profile="PDF/A-2B"))]
    assert [each and each[1] for each in said] == ["veraPDF 1: It is cut", "veraPDF 1 (PDF/A-2B): It is cut"]


@pytest.mark.skipif(not isolation().files, reason="this kernel confines no files")
def test_a_tool_writes_to_its_private_folder_only(jhove: Validator, tmp_path: Path) -> None:
    judged(jhove, tmp_path, "telltale")
    assert not (tmp_path / "bin/told").exists()
    assert not (tmp_path / "escaped").exists()


def test_the_time_for_a_package_is_bounded(jhove: Validator, tmp_path: Path) -> None:
    jhove.table = Table("test", 1000, -1, (JPEG,))
    (found,) = judged(jhove, tmp_path, "good")
    assert found.outcome is Outcome.UNCHECKED
    assert "time" in found.messages[0]


def test_a_file_above_the_limit_is_not_given_to_the_tool(jhove: Validator, tmp_path: Path) -> None:
    large, small = judged(jhove, tmp_path, "crash", "good", check=replace(JPEG, largest=4))
    assert (large.outcome, small.outcome) == (Outcome.UNCHECKED, Outcome.VALID)


def test_F6_what_is_not_installed_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with_nothing = Validator(load_table(), tmp_path)
    versions = {each.name: each.version for each in with_nothing.tools()}
    assert {name for name, version in versions.items() if version} == {"jpylyzer", "xml-schemas"}
    outside = {"verapdf", "jhove", "mediaconch", "epubcheck"}
    assert set(versions) == {*outside, "jpylyzer", "xml-schemas"}


@given(st.lists(st.text(max_size=2 * LONGEST_MESSAGE), max_size=2 * MOST_MESSAGES))
def test_messages_are_few_short_and_legal_in_xml(messages: list[str]) -> None:
    made = Validity.of(Outcome.NOT_VALID, "t", None, messages)
    assert len(made.messages) + made.more == len(messages)
    assert all(len(each) <= LONGEST_MESSAGE for each in made.messages)
    assert not set("".join(made.messages)) & set("\x00\x1b\n\ufffe")


# --- XML ---

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
LINK = "urn:links"
PARTED = (
    f'<xs:schema {XS} targetNamespace="urn:a" xmlns="urn:a" xmlns:l="{LINK}" elementFormDefault="qualified">'
    f'<xs:include schemaLocation="../a b/part.xsd"/>'
    f'<xs:import namespace="{LINK}" schemaLocation="http://x.invalid/l"/>'
    '<xs:element name="a"><xs:complexType><xs:sequence><xs:element ref="b"/></xs:sequence>'
    '<xs:attribute ref="l:href"/></xs:complexType></xs:element></xs:schema>'
)
PART = f'<xs:schema {XS} targetNamespace="urn:a"><xs:element name="b" type="xs:int"/></xs:schema>'
LINKS = f'<xs:schema {XS} targetNamespace="{LINK}"><xs:attribute name="href" type="xs:string"/></xs:schema>'


def document(place: str, value: str = "5") -> str:
    return f'<a xmlns="urn:a" {XSI} xsi:schemaLocation="urn:a {place}"><b>{value}</b></a>'


class Library:
    """A package with documents and schemas in it, and an archive's own folder of schemas."""

    def __init__(self, folder: Path) -> None:
        self.root, self.folder = folder / "data", folder / "schemas"
        self.folder.mkdir()
        (self.folder / "l.xsd").write_text(LINKS)
        self.put("schémas/whole.xsd", PARTED)
        self.put("a b/part.xsd", PART)

    def put(self, path: str, content: str) -> Subject:
        file = self.root / content_path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return Subject(path, file, len(content))

    def judge(self, *contents: str, own: bool = True) -> list[Validity]:
        subjects = [self.put(f"docs/{number}.xml", content) for number, content in enumerate(contents)]
        with XmlSchemas(self.folder if own else None) as xml:
            return list(xml.judge(subjects, self.root, 1 << 20))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def test_xml_is_held_to_schemas_of_its_package_and_of_the_archive(library: Library) -> None:
    place = "../sch%C3%A9mas/whole.xsd"
    good, bad, absent, plain, broken = library.judge(
        document(place), document(place, "x"), document("http://x.invalid/a.xsd"), "<a/>", "<a>"
    )
    assert (good.outcome, good.profile, good.messages) == (Outcome.VALID, "urn:a", ())
    assert bad.outcome is Outcome.NOT_VALID
    assert "not a valid value" in bad.messages[0]
    assert absent.outcome is Outcome.UNCHECKED
    assert "not here: http://x.invalid/a.xsd" in absent.messages[0]
    assert plain.outcome is Outcome.WELL_FORMED
    assert broken.outcome is Outcome.NOT_VALID
    (without,) = library.judge(document(place), own=False)
    assert without.outcome is Outcome.UNCHECKED  # never "not valid" because a part of the schema is missing
    assert "http://x.invalid/l" in without.messages[0]


def test_a_document_that_names_no_schema_is_held_to_the_archives_own(library: Library) -> None:
    (library.folder / "n.xsd").write_text(
        f'<xs:schema {XS} targetNamespace="urn:n"><xs:element name="n" type="xs:date"/></xs:schema>'
    )
    good, bad = library.judge('<n xmlns="urn:n">2020-01-01</n>', '<n xmlns="urn:n">soon</n>')
    assert (good.outcome, bad.outcome) == (Outcome.VALID, Outcome.NOT_VALID)


METS = (
    '<mets xmlns="http://www.loc.gov/METS/" xmlns:xlink="http://www.w3.org/1999/xlink"{}>'
    '<structMap><div LABEL="{}"><fptr FILEID="f"/></div></structMap></mets>'
)
PREMIS = (
    '<premis xmlns="http://www.loc.gov/premis/v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'version="3.0"><object xsi:type="intellectualEntity"><objectIdentifier><objectIdentifierType>local'
    "</objectIdentifierType><objectIdentifierValue>{}</objectIdentifierValue></objectIdentifier></object></premis>"
)
MODS = '<mods xmlns="http://www.loc.gov/mods/v3"><titleInfo><title>Tide</title></titleInfo>{}</mods>'
EAD = (
    '<ead xmlns="urn:isbn:1-931666-22-9"><eadheader><eadid>x</eadid><filedesc><titlestmt><titleproper>Tide'
    '</titleproper></titlestmt></filedesc></eadheader><archdesc level="fonds"><did>{}</did></archdesc></ead>'
)
DC = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Tide</dc:title>{}</oai_dc:dc>'
)
NAMED = (
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.loc.gov/METS/ '
    'http://www.loc.gov/standards/mets/mets.xsd http://www.w3.org/1999/xlink {}"'
)


@pytest.mark.shared
def test_descriptions_by_the_standards_of_archives_are_judged_offline(library: Library, shared: Path) -> None:
    """METS, PREMIS, MODS, EAD and Dublin Core, whether they name their schemas or not; nothing is fetched."""
    for each in (shared / "xsd").glob("*.xsd"):
        shutil.copy(each, library.folder)
    links = "https://www.loc.gov/standards/xlink/xlink.xsd"
    file = '<fileSec><fileGrp><file ID="f"/></fileGrp></fileSec>'
    whole = METS.replace("<structMap>", f"{file}<structMap>")
    good = (
        whole.format("", "a"), whole.format(NAMED.format(links), "a"), PREMIS.format("a"), MODS.format(""),
        EAD.format("<unittitle>Tide</unittitle>"), DC.format("<dc:date>1911</dc:date>"),
    )  # fmt: skip  # fewer lines read better
    bad = (
        whole.format(NAMED.format(links), "a").replace("structMap", "map"),
        PREMIS.format("a").replace("IdentifierValue", "Value"),
        MODS.format("<title>1</title>"), EAD.format("<title>Tide</title>"),
        DC.format("<dc:year>1911</dc:year>"),
    )  # fmt: skip  # fewer lines read better
    found = library.judge(*good, *bad)
    assert [each.outcome for each in found] == [Outcome.VALID] * len(good) + [Outcome.NOT_VALID] * len(bad)
    assert found[1].profile == "http://www.loc.gov/METS/ http://www.w3.org/1999/xlink"
    [unknown] = library.judge(whole.format(NAMED.format(f"{links} urn:ours x.xsd"), "a"))
    assert (unknown.outcome, unknown.messages) == (Outcome.UNCHECKED, ("it is well-formed; not here: x.xsd",))


def test_G6_schemas_reach_nothing_outside(library: Library, tmp_path: Path) -> None:
    (tmp_path / "secret.xsd").write_text(PART)
    (library.root / "link.xsd").symlink_to(tmp_path / "secret.xsd")
    outside = (tmp_path / "secret.xsd").as_uri()
    include = f'<xs:schema {XS} targetNamespace="urn:a"><xs:include schemaLocation="{{}}"/></xs:schema>'
    library.put("in.xsd", include.format(outside))
    library.put("up.xsd", include.format("../secret.xsd"))
    library.put(
        "entity.xsd",
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "{outside}">]>'
        f'<xs:schema {XS} targetNamespace="urn:a">&e;</xs:schema>',
    )
    places = (
        outside,
        "../../secret.xsd",
        "../link.xsd",
        "../in.xsd",
        "../up.xsd",
        "../entity.xsd",
        "%00",
        ".",
    )
    found = library.judge(*(document(place) for place in places))
    assert [each.outcome for each in found] == [Outcome.UNCHECKED] * len(places)


def test_G6_billion_laughs_and_endless_schemas_end(library: Library) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    much = '<xs:element name="b" minOccurs="9999" maxOccurs="99999"/>' * 50
    library.put(
        "huge.xsd",
        f'<xs:schema {XS} targetNamespace="urn:a"><xs:element name="a"><xs:complexType>'
        f'<xs:sequence maxOccurs="9999">{much}</xs:sequence></xs:complexType></xs:element></xs:schema>',
    )
    subjects = [
        library.put("laughs.xml", f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]><a>&e11;</a>'),
        library.put("huge.xml", document("huge.xsd")),
        library.put("good.xml", document("schémas/whole.xsd")),
    ]
    work = Work("tools.validity.xml_worker", seconds=3, memory=256 << 20, batch=100, environment={})
    with XmlSchemas(library.folder, work) as xml:
        laughs, huge, good = xml.judge(subjects, library.root, 1 << 20)
    assert laughs.outcome in {Outcome.WELL_FORMED, Outcome.NOT_VALID}  # nothing was expanded
    assert huge.outcome is Outcome.UNCHECKED
    assert good.outcome is Outcome.VALID
