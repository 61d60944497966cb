"""Identification of formats: PRONOM through siegfried in a child process, libmagic for missing MIME types."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from packages.errors import Unavailable
from packages.findings import Severity
from tools.ports import Identification
from tools.pronom import PronomIdentifier, findings_for


@pytest.fixture(scope="module")
def pronom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PronomIdentifier]:
    with PronomIdentifier() as identifier:
        identifier.let_read(tmp_path_factory.getbasetemp())
        yield identifier


def one(pronom: PronomIdentifier, path: Path) -> Identification:
    (found,) = pronom.identify([path])
    return found


def codes(identification: Identification, size: int = 1) -> list[str]:
    return [each.code for each in findings_for("x", identification, size)]


def test_version_names_tool_and_signatures(pronom: PronomIdentifier) -> None:
    assert "siegfried 1." in pronom.version
    assert "DROID_SignatureFile_V" in pronom.version
    assert "libmagic 5." in pronom.version


def test_known_formats_have_puid_name_version_mime_and_basis(
    pronom: PronomIdentifier, tmp_path: Path
) -> None:
    png = tmp_path / "a.png"
    Image.new("RGB", (3, 3)).save(png)
    found = one(pronom, png)
    assert (found.puid, found.name, found.mime) == ("fmt/11", "Portable Network Graphics", "image/png")
    assert found.version == "1.0"
    assert "byte match" in str(found.basis)
    assert codes(found) == []


def test_order_is_kept_over_several_batches(pronom: PronomIdentifier, tmp_path: Path) -> None:
    paths = []
    for number in range(1203):
        path = tmp_path / f"{number}.{'txt' if number % 2 else 'xml'}"
        path.write_text("plain words" if number % 2 else '<?xml version="1.0"?><a/>')
        paths.append(path)
    puids = [found.puid for found in pronom.identify(paths)]
    assert puids == ["x-fmt/111" if number % 2 else "fmt/101" for number in range(1203)]


def test_B1_empty_file_is_identified_as_empty(pronom: PronomIdentifier, tmp_path: Path) -> None:
    path = tmp_path / "empty.pdf"
    path.touch()
    found = one(pronom, path)
    assert (found.puid, found.mime) == (None, "inode/x-empty")
    (what,) = findings_for("empty.pdf", found, 0)
    assert (what.code, what.severity, what.path) == ("format.empty", Severity.WARNING, "empty.pdf")


def test_F1_office_files_are_read_whole_not_by_their_first_bytes(
    pronom: PronomIdentifier, tmp_path: Path
) -> None:
    path = tmp_path / "late.docx"  # what tells Word from ZIP lies behind 200 KB of something else
    content_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("media/first.bin", os.urandom(200_000))
        archive.writestr("word/document.xml", "<w:document/>")
        archive.writestr(
            "[Content_Types].xml",
            '<?xml version="1.0"?><Types><Override PartName="/word/document.xml" '
            f'ContentType="{content_type}"/></Types>',
        )
    assert one(pronom, path).puid == "fmt/412"


def test_F2_extension_that_does_not_fit_is_a_warning(pronom: PronomIdentifier, tmp_path: Path) -> None:
    path = tmp_path / "really.pdf"
    Image.new("RGB", (3, 3)).save(path, "PNG")
    found = one(pronom, path)
    assert found.puid == "fmt/11"
    (what,) = findings_for("really.pdf", found, 70)
    assert (what.code, what.severity) == ("format.extension-mismatch", Severity.WARNING)
    assert "fmt/11" in what.message


def test_F2_a_name_without_an_extension_has_none_that_does_not_fit(
    pronom: PronomIdentifier, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    Image.new("RGB", (3, 3)).save(path, "PNG")
    found = one(pronom, path)
    assert found.puid == "fmt/11"
    assert findings_for("v1.2/picture", found, 70) == []


def test_F3_unknown_format_is_told_with_its_mime_type(pronom: PronomIdentifier, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"\x81\x00\xfe\x01" * 300)
    found = one(pronom, path)
    assert (found.puid, found.mime, found.warning) == (None, "application/octet-stream", "no match")
    assert codes(found) == ["format.unknown"]


def test_F3_several_matches_are_ambiguous() -> None:
    several = Identification("fmt/1", "A", None, None, "b", "multiple matches fmt/1, fmt/2")
    assert codes(several) == ["format.ambiguous"]


def test_mime_comes_from_libmagic_where_pronom_has_none(pronom: PronomIdentifier, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<html xmlns:v="urn:schemas-microsoft-com:vml"><body>x</body></html>')
    assert one(pronom, path).mime == "text/html"


def test_json_is_known_by_its_extension_and_not_found_fault_with(
    pronom: PronomIdentifier, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1}')
    found = one(pronom, path)
    assert (found.puid, found.warning) == ("fmt/817", "match on extension only")
    assert codes(found) == []


@pytest.mark.parametrize("name", ["a\nb.txt", "ä ö.txt", "%0A.txt", "-n.txt", os.fsdecode(b"\xe9.txt")])
def test_odd_names_do_no_harm(pronom: PronomIdentifier, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("hello there")
    assert one(pronom, path).puid == "x-fmt/111"


def test_a_file_that_cannot_be_read_is_unavailable(pronom: PronomIdentifier, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="gone"):
        list(pronom.identify([tmp_path / "gone.txt"]))


def test_F10_a_long_file_is_judged_by_both_ends(pronom: PronomIdentifier, tmp_path: Path) -> None:
    path = tmp_path / "long.tif"
    with path.open("wb") as target:
        target.write(b"II*\0\x08\0\0\0")
        target.truncate(3 << 30)  # scanned from end to end it would take half a minute
    found = one(pronom, path)
    assert found.puid == "fmt/353"
    assert "first and last" in str(found.basis)
