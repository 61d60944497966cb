"""Group A of the edge cases: names and trees, through the whole pipeline and back."""

import io
import os
import re
import tarfile
import unicodedata
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import etree

from packages.errors import Invalid, Refused
from packages.ledger import PackageFilter
from services.ingest.checking import check
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support.depositor import Deposit, Depositor, put, tree, zipped_originals

HREF = "{http://www.w3.org/1999/xlink}href"


def one_of_each(names: list[str]) -> dict[str, bytes]:
    """Give every name a content that says which it is."""
    return {name: f"I am {name!r}".encode() for name in names}


def links(aip: Path) -> set[str]:
    """Return what the per-file METS of an exported AIP points to, percent-decoded."""
    parts = sorted((aip / "metadata/files").glob("*.xml"))
    assert parts
    found = set()
    for part in parts:
        for element in etree.parse(part).iter("{http://www.loc.gov/METS/}FLocat"):
            assert re.fullmatch(r"[!-~]+", element.attrib[HREF]), "a link must be a URI: ASCII, no blanks"
            found.add(unquote(element.attrib[HREF]))
    return found


def kept(depositor: Depositor, tmp_path: Path, names: list[str]) -> tuple[Deposit, Path]:
    """Prove that a folder of these names is kept exactly; return the deposit and its exported AIP."""
    files = one_of_each(names)
    made = depositor.accepted(put(tmp_path / "source", files))
    aip = depositor.prove_identical(made, files)
    listed = {re.sub(r"\A(\.\./)*", "", link) for link in links(aip)}
    assert {f"data/original/{name}" for name in names} <= listed
    return made, aip


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_A1_a_name_in_either_unicode_form_is_kept_as_it_is(
    shared_depositor: Depositor, tmp_path: Path, form: str
) -> None:
    name = unicodedata.normalize(form, "Übersicht é.txt")
    made, aip = kept(shared_depositor, tmp_path, [name, f"ordner-{name}/{name}"])
    assert "name.unicode-collision" not in made.codes
    assert name in (aip / "manifest-sha512.txt").read_text(encoding="utf-8")


def test_A2_names_that_differ_in_unicode_form_are_both_kept_with_a_warning(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    composed, apart = (unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD"))
    made, _ = kept(shared_depositor, tmp_path, [composed, apart])
    [(path, found)] = made.found("name.unicode-collision").items()
    assert path in {composed, apart}
    assert found["hint"]
    assert found["severity"] == "warning"


def test_A3_names_that_differ_in_case_are_both_kept_with_a_warning(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made, _ = kept(shared_depositor, tmp_path, ["Readme.txt", "README.TXT", "a/x", "A/x"])
    found = made.found("name.case-collision")
    assert len(found) == 2
    assert all(each["hint"] and each["severity"] == "warning" for each in found.values())


@pytest.mark.parametrize("container", ["folder", "zip", "tar"])
def test_A4_a_name_that_is_not_utf8_is_refused_and_shown_escaped(
    shared_depositor: Depositor, tmp_path: Path, container: str
) -> None:
    name = os.fsdecode(b"\xe9t\xe9.txt")
    if container == "folder":
        source = put(tmp_path / "source", {name: b"x", "good.txt": b"y"})
    elif container == "tar":
        source = tmp_path / "source.tar"
        with tarfile.open(source, "w", format=tarfile.GNU_FORMAT) as archive:
            archive.addfile(tarfile.TarInfo(name))
            archive.addfile(tarfile.TarInfo("good.txt"))
    else:
        source = tmp_path / "source.zip"
        with zipfile.ZipFile(source, "w") as bundle:
            bundle.writestr("N" * 7, b"x")
        data = bytearray(source.read_bytes().replace(b"N" * 7, b"\xe9t\xe9.txt"))
        for signature, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
            data[data.index(signature) + at] |= 0x08  # claims to be UTF-8
        source.write_bytes(data)
    made = shared_depositor.rejected(source)
    assert set(made.found("name.not-utf8")) == {"\\xe9t\\xe9.txt"}


def test_A5_line_ends_tabs_and_percent_signs_are_kept_and_the_manifest_encodes_them(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    names = ["line\nfeed", "carriage\rreturn", "both\r\n", "tab\tstop", "%0A", "%25", "100%", "a\n/b\r/c"]
    _, aip = kept(shared_depositor, tmp_path, names)
    lines = (aip / "manifest-sha512.txt").read_bytes().split(b"\n")
    listed = {line[128:].strip(b" ") for line in lines if line}
    assert {b"data/original/line%0Afeed", b"data/original/%250A", b"data/original/%2525"} <= listed
    assert b"data/original/carriage%0Dreturn" in listed
    assert len(listed) == len(names), "a line end in a name must not become a line"


def test_A6_blanks_dots_and_punctuation_are_kept(shared_depositor: Depositor, tmp_path: Path) -> None:
    names = [" lead", "trail ", "  ", "dot.", "...", "*", "+", "|", "#", "?", "'", '"', "`", "a\\b", "&lt;"]
    names += ["-rf", "--", "a;b", "$HOME", "<x>", "a=b", "=2E", "x/ y /z. "]
    kept(shared_depositor, tmp_path, names)


@pytest.mark.parametrize("name", ["漢" * 73, "x" * 255, "é" * 120 + ".text"])
def test_A7_names_as_long_as_a_disk_allows_are_kept(
    shared_depositor: Depositor, tmp_path: Path, name: str
) -> None:
    kept(shared_depositor, tmp_path, [name, f"in/{name}"])


def test_A8_check_reads_what_lies_too_deep_for_one_path_as_ingest_does(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    place = os.open(source, os.O_RDONLY)
    for _ in range(22):  # 3,981 bytes; with the files below just within the limit of 4,096, but not from "/"
        os.mkdir("p" * 180, dir_fd=place)
        deeper = os.open("p" * 180, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = deeper
    name = "q" * 104
    for file, content in ((name, b"hello"), (f"{name}.md5", b"5d41402abc4b2a76b9719d911017c592\n")):
        out = os.open(file, os.O_WRONLY | os.O_CREAT, dir_fd=place)
        os.write(out, content)
        os.close(out)
    os.close(place)
    assert check(source, limits=shared_depositor.archive.limits).verdict == "valid"
    archive = shared_depositor.archive
    job = run_job(archive, submit(archive, shared_depositor.actor, Wanted(source)).id)
    shared_depositor.prove_accepted(shared_depositor.again(job))


def test_A4_a_source_whose_own_path_is_not_utf8_is_refused_and_leaves_nothing(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = put(tmp_path / os.fsdecode(b"bad\xff"), {"a": b"x"})
    with shared_depositor.archive.catalogue.read() as view:
        before = [each.id for each in view.iter_packages(PackageFilter())]
    with pytest.raises(Invalid) as caught:
        shared_depositor.deposit(source)
    assert "\\xff" in caught.value.message
    assert caught.value.hint
    assert check(source, limits=shared_depositor.archive.limits).verdict == "invalid"
    with shared_depositor.archive.catalogue.read() as view:
        assert [each.id for each in view.iter_packages(PackageFilter())] == before


@pytest.mark.parametrize("name", ["y" * 300, "漢" * 100 + "/file.txt"])
def test_A7_a_name_longer_than_a_disk_allows_is_kept_and_comes_back_in_a_zip(
    shared_depositor: Depositor, tmp_path: Path, name: str
) -> None:
    """Better than REJECT: the name is data and is mapped in our stores.

    No Linux folder can hold it, so an export as a folder says so and names the way out, a ZIP.
    """
    source = tmp_path / "long.zip"
    with zipfile.ZipFile(source, "w") as bundle:
        bundle.writestr(name, b"content")
    made = shared_depositor.accepted(source)
    with zipfile.ZipFile(shared_depositor.give_back(made, "aip", zipped=True)) as bundle:
        assert zipped_originals(bundle)[name] == b"content"
    with pytest.raises(Refused) as caught:
        shared_depositor.give_back(made, "dip")
    assert "--zip" in caught.value.hint
    assert not list(shared_depositor.scratch.glob(".*.part"))


def test_A8_a_path_of_1500_characters_and_200_levels_is_kept(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    deep = "/".join(["d" * 6] * 200) + "/file.txt"
    long = "/".join(["e" * 99] * 15)
    kept(shared_depositor, tmp_path, [deep, long, "/".join(["ü"] * 200)])


def test_A9_names_that_would_collide_when_sanitised_are_all_kept(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    names = [
        "fname-^~",
        "fname-~^",
        "fname-__",
        "a b",
        "a_b",
        "a%20b",
        "a+b",
        "a=20b",
        "con",
        "=63on",
        "x.",
        "x=2E",
    ]
    kept(shared_depositor, tmp_path, names)


def test_A10_names_that_windows_reserves_are_kept(shared_depositor: Depositor, tmp_path: Path) -> None:
    names = ["CON", "nul.txt", "aux/COM1.log", "LPT9", "~$report.docx", "~user/x", "..hidden", "a..b"]
    kept(shared_depositor, tmp_path, names)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("~/x", "name.home"),
        ("C:\\x", "name.drive"),
        ("..\\x", "name.climbs"),
        ("\\\\host\\x", "name.absolute"),
    ],
)
def test_A10_paths_that_escape_elsewhere_are_refused(
    shared_depositor: Depositor, tmp_path: Path, name: str, code: str
) -> None:
    made = shared_depositor.rejected(put(tmp_path / "source", {name: b"x", "good.txt": b"y"}))
    assert set(made.found(code)) == {name}


@pytest.mark.parametrize("name", ["../up", "/etc/cron.d/x", "a/../../up", "a/./b"])
def test_A10_paths_that_escape_in_an_archive_are_refused(
    shared_depositor: Depositor, tmp_path: Path, name: str
) -> None:
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w") as archive:
        for each in (name, "good.txt"):
            archive.addfile(tarfile.TarInfo(each))
    before = set(tmp_path.iterdir())
    made = shared_depositor.rejected(source)
    assert {each["path"] for each in made.status["findings"]} == {name}
    assert set(tmp_path.iterdir()) == before


def test_A11_right_to_left_emoji_zero_width_and_control_characters_are_kept(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """`kept` parses the METS, so the characters that XML forbids are escaped there, and only there."""
    names = [
        "\u202eslairt.txt",
        "\u05d0\u05d1",
        "😀.txt",
        "zero\u200bwidth",
        "\x01\x7f",
        "\x1b[31m",
        "\ufeffbom",
    ]
    names += ["\ufffe", "\u2028", "\x85", "\v\f", "\x1c"]
    made, aip = kept(shared_depositor, tmp_path, names)
    assert "\x01\x7f" in (aip / "manifest-sha512.txt").read_text(encoding="utf-8")
    assert made.status["files"] == len(names)


TITLES = ["Größe … naïve", "x" * 250, "...", "a.b.c.", "../../etc/passwd", "Ünï 漢字 \u202e", "CON", "a\nb"]


@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
def test_A12_a_title_is_data_and_no_path(shared_depositor: Depositor, tmp_path: Path, title: str) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a.txt": b"a"}), title=title)
    assert made.status["title"] == title
    shared_depositor.prove_identical(made, {"a.txt": b"a"})


def test_A12_a_folder_with_dots_and_diacritics_gives_its_name_as_title(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    name = "Nachlaß v1.2 (é)"
    made = shared_depositor.accepted(put(tmp_path / name, {"a.txt": b"a"}))
    assert made.status["title"] == name
    assert "record.made" in made.codes


def test_A13_the_same_name_in_many_folders_is_kept(shared_depositor: Depositor, tmp_path: Path) -> None:
    kept(shared_depositor, tmp_path, [f"{number}/same.txt" for number in range(30)] + ["same.txt"])


EMPTY = ["left/empty", "empty", "e m p t y %/\u202e\n", ".hidden"]


@pytest.mark.parametrize("container", ["folder", "zip", "tar"])
def test_A14_empty_directories_are_recorded_and_restored(
    shared_depositor: Depositor, tmp_path: Path, container: str
) -> None:
    source = put(tmp_path / "source", {"left/file": b"x"})
    if container == "folder":
        for each in EMPTY:
            (source / each).mkdir(parents=True)
    elif container == "zip":
        source = tmp_path / "source.zip"
        with zipfile.ZipFile(source, "w") as bundle:
            bundle.writestr("left/file", b"x")
            for each in EMPTY:
                bundle.mkdir(each)
    else:
        source = tmp_path / "source.tar"
        with tarfile.open(source, "w") as archive:
            member = tarfile.TarInfo("left/file")
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
            for each in EMPTY:
                member = tarfile.TarInfo(each)
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
    made = shared_depositor.accepted(source)
    shared_depositor.prove_identical(made, {"left/file": b"x"}, EMPTY)


def test_A14_nothing_but_empty_directories_is_refused(shared_depositor: Depositor, tmp_path: Path) -> None:
    (tmp_path / "source/a/b").mkdir(parents=True)
    made = shared_depositor.rejected(tmp_path / "source")
    assert "source.no-files" in made.codes


def test_A15_what_systems_leave_behind_is_kept_and_recorded(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    names = [".DS_Store", "sub/Thumbs.db", "post.mbox", ".hidden/.file", "text.txt"]
    made, _ = kept(shared_depositor, tmp_path, names)
    assert set(made.found("name.system-file")) == {".DS_Store", "sub/Thumbs.db"}


def test_A15_a_tree_of_nothing_else_never_becomes_an_aip(shared_depositor: Depositor, tmp_path: Path) -> None:
    made = shared_depositor.rejected(put(tmp_path / "source", {".DS_Store": b"x", "a/Thumbs.db": b"y"}))
    assert "submission.no-files" in made.codes


@pytest.mark.slow
def test_A16_ten_thousand_files_in_one_folder_and_in_folders_of_their_own(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """Both shapes of the row in one package; a million files are a benchmark, with time and memory."""
    files = {f"flat/{number:05}.txt": b"%d" % number for number in range(8_000)}
    files |= {f"each/{number:04}/file.txt": b"own %d" % number for number in range(2_000)}
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    assert (made.status["files"], made.status["bytes"]) == (10_000, sum(map(len, files.values())))
    assert tree(shared_depositor.give_back(made, "dip") / "data/original") == files
