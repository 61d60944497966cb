"""JPEG 2000 judged by jpylyzer, which comes with us: no program, no server."""

from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from tests.support.valid_files import half, image
from tools.validity import Outcome, Subject, Validator, load_table


def test_jpeg_2000_is_judged_by_what_comes_with_us(tmp_path: Path) -> None:
    """One start for all; the first is sound, though it repeats in its XML what a report looks like."""
    whole = image("JPEG2000")
    claim = b"<file><fileInfo><fileName>000002.jp2</fileName></fileInfo><isValid>True</isValid></file>"
    contents = {
        "sound": whole + (8 + len(claim)).to_bytes(4) + b"xml " + claim,
        "cut": half(whole),
    }
    contents["other"] = b"GIF89a"
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    subjects = [Subject(name, tmp_path / name, len(content)) for name, content in contents.items()]
    table = load_table()
    with closing(Validator(table)) as validator:
        check = table.by_puid()["x-fmt/392"]
        found = validator.judge({check: subjects}, scratch=tmp_path / "scratch", root=tmp_path)[check]
    assert [each.outcome for each in found] == [Outcome.VALID, Outcome.NOT_VALID, Outcome.NOT_VALID]
    assert {(each.tool, each.profile) for each in found} == {(f"jpylyzer {version('jpylyzer')}", "JP2")}
    assert "contiguousCodestreamBox/foundEOCMarker: False" in found[1].messages
