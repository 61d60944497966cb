"""Derivatives by the format policy: what is made, what is left, and what can go wrong."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import schemas
from packages.errors import Invalid
from packages.format_policy import Action, FormatPolicy, Kind, Outcome, default_policy, derivative_name
from packages.model import FileEntry, evolved
from tools.crew_child import Work
from tools.normalise import Made, Normaliser
from tools.normalise.crew import WORK
from tools.normalise.libreoffice import ADAPTER
from tools.pronom import PronomIdentifier
from tools.runs import Ended, Job, Ran

BMP, PNG, PPM, JPEG, TIFF, PCX = "fmt/116", "fmt/11", "fmt/408", "fmt/43", "fmt/353", "fmt/90"


@pytest.fixture(scope="module")
def normaliser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Normaliser]:
    with Normaliser(size=1) as each:
        each.let_read(tmp_path_factory.getbasetemp())
        yield each


def entry(path: Path, puid: str | None, name: str = "", **properties: Any) -> FileEntry:
    logical = "data/original/" + (name or path.name)
    return FileEntry(logical, "", path.stat().st_size, "", 0, puid=puid, properties=properties)


def made(
    normaliser: Normaliser, path: Path, puid: str, name: str = "", **properties: Any
) -> dict[Kind, Made]:
    found = normaliser.normalise(entry(path, puid, name, **properties), path, path.parent / "out")
    assert {each.kind for each in found} == set(Kind)
    # Where one of a kind is made and another is not (a pyramid of a small image), the one that is made.
    return {each.kind: each for each in sorted(found, key=lambda each: each.outcome is Outcome.DONE)}


def policy_with(**changes: Any) -> FormatPolicy:
    data = schemas.load("format-policy.json")
    return FormatPolicy({**data, **changes})


def bmp(folder: Path, side: int = 400) -> Path:
    path = folder / "a.bmp"
    Image.radial_gradient("L").resize((side, side)).convert("RGB").save(path, dpi=(300, 300))
    return path


@pytest.mark.slow
def test_bmp_becomes_png_pixel_for_pixel_with_access_copy_and_thumbnail(
    normaliser: Normaliser, tmp_path: Path
) -> None:
    path = bmp(tmp_path, 2050)
    before = hashlib.sha512(path.read_bytes()).digest()
    result = made(normaliser, path, BMP)
    kept = result[Kind.PRESERVATION]
    assert (kept.outcome, kept.name, kept.lossless) == (Outcome.DONE, "a.bmp/a.bmp.png", True)
    assert kept.tool.startswith("Pillow ")
    assert kept.file == tmp_path / "out/preservation/a.bmp/a.bmp.png"
    with Image.open(path) as original, Image.open(kept.file) as copy:
        assert (copy.format, copy.tobytes()) == ("PNG", original.tobytes())
        assert copy.info["dpi"][0] == pytest.approx(300, abs=0.1)
    for kind, side in ((Kind.ACCESS, 2000), (Kind.THUMBNAIL, 256)):
        shown = result[kind].file
        assert shown is not None
        with Image.open(shown) as image:
            assert (image.format, image.size) == ("JPEG", (side, side))
    assert hashlib.sha512(path.read_bytes()).digest() == before
    with PronomIdentifier() as pronom:
        pronom.let_read(tmp_path)
        assert [each.puid for each in pronom.identify([kept.file])] == ["fmt/11"]


@pytest.mark.parametrize(
    ("mode", "suffix", "puid"),
    [(mode, ".pcx", PCX) for mode in ("1", "L", "P", "RGB")]
    + [(mode, ".tga", "fmt/402") for mode in ("1", "L", "P", "RGB", "RGBA")]
    + [("1", ".pbm", "fmt/409"), ("L", ".pgm", "fmt/406"), ("RGB", ".ppm", PPM), ("I;16", ".pgm", "fmt/406")]
    + [("RGBA", ".bmp", BMP), ("RGB", ".sgi", "x-fmt/140"), ("1", ".xbm", "x-fmt/207")],
)
def test_uncommon_rasters_become_png(
    normaliser: Normaliser, tmp_path: Path, mode: str, suffix: str, puid: str
) -> None:
    path = tmp_path / f"a{suffix}"
    gradient = Image.linear_gradient("L")
    (gradient.convert("I") if mode == "I;16" else gradient).convert(mode).save(path)
    result = made(normaliser, path, puid)[Kind.PRESERVATION]
    assert (result.outcome, result.lossless) == (Outcome.DONE, True), result.message


def test_several_frames_become_a_tiff_with_all_of_them(tmp_path: Path) -> None:
    data = schemas.load("format-policy.json")
    rule = {"name": "gif", "puids": ["fmt/4"], "preservation": data["rules"][2]["preservation"]}
    path = tmp_path / "a.gif"
    frames = [Image.new("L", (20, 20), shade) for shade in (0, 90, 180)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with Normaliser(policy_with(rules=[rule]), size=1) as normaliser:
        normaliser.let_read(tmp_path)
        result = normaliser.normalise(entry(path, "fmt/4"), path, tmp_path / "out")
    kept = next(each for each in result if each.kind is Kind.PRESERVATION)
    assert (kept.outcome, kept.name) == (Outcome.DONE, "a.gif/a.gif.tif"), kept.message
    assert kept.file is not None
    with Image.open(kept.file) as copy:
        assert getattr(copy, "n_frames", 1) == 3


def test_sixteen_bits_that_the_tool_would_lose_are_refused(normaliser: Normaliser, tmp_path: Path) -> None:
    path = tmp_path / "deep.ppm"
    path.write_bytes(b"P6\n# a comment\n2 2\n65535\n" + bytes(range(24)))
    result = made(normaliser, path, PPM)
    assert result[Kind.PRESERVATION].outcome is Outcome.DIFFERS
    assert "more bits" in result[Kind.PRESERVATION].message
    assert result[Kind.ACCESS].outcome is Outcome.DONE  # to look at it will do


def test_F4_a_damaged_image_fails_and_its_original_stays(normaliser: Normaliser, tmp_path: Path) -> None:
    path = bmp(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    result = made(normaliser, path, BMP)
    assert {each.outcome for each in result.values()} == {Outcome.FAILED}
    assert all(each.message and each.file is None for each in result.values())
    assert str(tmp_path) not in result[Kind.ACCESS].message
    assert [each for each in (tmp_path / "out").rglob("*") if each.is_file()] == []
    assert path.stat().st_size == 5000


@pytest.mark.slow
def test_F5_a_converter_that_hangs_is_ended_and_recorded(tmp_path: Path) -> None:
    path = bmp(tmp_path)
    work = Work("tests.support.hanging_converter", seconds=1, memory=1 << 30, batch=8, environment={})
    with Normaliser(work=work, size=1) as normaliser:
        normaliser.let_read(tmp_path)
        results = list(normaliser.normalise_many([(entry(path, BMP), path)], tmp_path / "out"))
    assert {each.outcome for each in results[0]} == {Outcome.TIMED_OUT}
    assert {each.message for each in results[0]} == {"no answer within 1 s"}


def test_F5_an_empty_output_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.normalise import raster, worker

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # a child's own folder
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # restores what the worker sets for its own process
    monkeypatch.setattr(raster, "write_jpeg", lambda _image, part, _side: part.touch())
    limits = {"max_pixels": 10**6, "max_frames": 10, "largest_output": 10**6}
    task = {"tool": "pillow", "recipe": "jpeg", "arguments": {"max_side": 100}, "made": "x"}
    job = {"source": str(bmp(tmp_path)), "tasks": [{**task, "limits": limits}]}
    assert worker.convert(job) == [{"error": "the tool wrote 0 bytes"}]


def test_F6_a_missing_tool_is_known_before_the_run_and_told_for_each_file(tmp_path: Path) -> None:
    rule = {
        "name": "x",
        "puids": [BMP],
        "preservation": {"action": "make", "tool": "nosuch", "recipe": "png"},
    }
    path = bmp(tmp_path)
    with Normaliser(policy_with(rules=[rule])) as normaliser:
        normaliser.let_read(tmp_path)
        assert normaliser.missing_tools() == ["nosuch"]
        (result,) = [
            each
            for each in normaliser.normalise(entry(path, BMP), path, tmp_path / "out")
            if each.kind is Kind.PRESERVATION
        ]
    assert (result.outcome, result.tool) == (Outcome.TOOL_MISSING, "nosuch")


def test_F7_output_and_pixels_have_limits(tmp_path: Path) -> None:
    limits = schemas.load("format-policy.json")["limits"]
    path = tmp_path / "a.bmp"
    Image.effect_noise((300, 300), 90).save(path)
    small = policy_with(limits={**limits, "output_ratio": 0, "output_floor_bytes": 1000})
    few = policy_with(limits={**limits, "max_pixels": 1000})
    for policy, word in ((small, "Error"), (few, "pixels")):
        with Normaliser(policy, size=1) as normaliser:
            normaliser.let_read(tmp_path)
            kept = made(normaliser, path, BMP)[Kind.PRESERVATION]
        assert kept.outcome is Outcome.TOO_LARGE
        assert word in kept.message
        assert [each for each in (tmp_path / "out/preservation").rglob("*") if each.is_file()] == []


def test_F7_what_may_be_made_of_a_large_original_is_bounded_by_what_a_child_may_write(tmp_path: Path) -> None:
    small = replace(WORK, file=1 << 20)  # less than the policy would let be made: as of an original of 1 GiB
    with Normaliser(work=small, size=1) as normaliser:
        normaliser.let_read(tmp_path)
        assert made(normaliser, bmp(tmp_path), BMP)[Kind.PRESERVATION].outcome is Outcome.DONE
        Image.effect_noise((1500, 1500), 90).save(tmp_path / "noise.bmp")
        kept = made(normaliser, tmp_path / "noise.bmp", BMP)[Kind.PRESERVATION]
    assert kept.outcome is Outcome.TOO_LARGE


def test_F8_preservation_formats_are_skipped(normaliser: Normaliser, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (300, 300)).save(path)
    result = made(normaliser, path, PNG, width=300, height=300)
    assert {each.outcome for each in result.values()} == {Outcome.SKIPPED}
    assert not (tmp_path / "out").exists()
    big = evolved(entry(path, JPEG, width=5000, height=10), size=10**6)
    assert [each.kind for each in default_policy().plan(big).actions] == [Kind.ACCESS, Kind.THUMBNAIL]
    huge = evolved(big, properties={"width": 5001, "height": 10})
    pyramid = (Kind.ACCESS, "vips", "pyramid")
    assert pyramid in {(each.kind, each.tool, each.recipe) for each in default_policy().plan(huge).actions}
    assert [each.kind for each in default_policy().plan(entry(path, TIFF, width=9, height=9)).actions] == [
        Kind.ACCESS,
        Kind.THUMBNAIL,
    ]


def test_F9_names_that_could_meet_do_not(normaliser: Normaliser, tmp_path: Path) -> None:
    path = bmp(tmp_path)
    names = ["a.bmp", "a.png", "a.bmp.png", "b/a.bmp", "c.bmp", "c.bmp.png/d.bmp", "c.bmp.thumb", "ä\n.bmp"]
    originals = [(entry(path, BMP, name), path) for name in names]
    results = [each for one in normaliser.normalise_many(originals, tmp_path / "out") for each in one]
    assert {each.outcome for each in results} == {Outcome.DONE}
    files = {each.file for each in results}
    assert len(files) == 3 * len(names)
    assert all(file is not None and file.stat().st_size for file in files)


@given(st.lists(st.lists(st.sampled_from(["a", "a.bmp", "a.bmp.png", "a.png"]), min_size=1), unique_by=tuple))
def test_F9_derivatives_of_any_tree_are_a_tree(originals: list[list[str]]) -> None:
    paths = {"/".join(each) for each in originals}
    tree = {each for each in paths if not any(other.startswith(each + "/") for other in paths)}
    names = {derivative_name(each, "png") for each in tree}
    assert len(names) == len(tree)
    assert not any(other.startswith(each + "/") for each in names for other in names)


def test_no_rule_is_an_outcome(normaliser: Normaliser, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    originals = [(entry(path, puid), path) for puid in ("fmt/9999", None)]
    for result in normaliser.normalise_many(originals, tmp_path / "out"):
        assert [(each.kind, each.outcome) for each in result] == [(Kind.PRESERVATION, Outcome.NO_RULE)]


def test_results_keep_the_order_of_the_originals(normaliser: Normaliser, tmp_path: Path) -> None:
    path = bmp(tmp_path, 20)
    originals = [(entry(path, BMP if number % 3 else None, f"{number}.bmp"), path) for number in range(40)]
    results = list(normaliser.normalise_many(originals, tmp_path / "out"))
    names = [next((each.name for each in result if each.name), None) for result in results]
    assert names == [f"{n}.bmp/{n}.bmp.png" if n % 3 else None for n in range(40)]


def test_orientation_transparency_and_odd_modes_can_be_looked_at(
    normaliser: Normaliser, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.tif"
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"):
        Image.new(mode, (30, 20)).save(path, exif=exif)
        shown = made(normaliser, path, TIFF, width=30, height=20)[Kind.ACCESS]
        assert shown.outcome is Outcome.DONE, (mode, shown.message)
        assert shown.file is not None
        with Image.open(shown.file) as image:
            assert (mode, image.mode, image.size) == (mode, "RGB", (20, 30))


def test_a_policy_with_two_rules_for_a_format_is_refused() -> None:
    rule = {"name": "x", "puids": ["fmt/1"]}
    with pytest.raises(Invalid, match="fmt/1"):
        policy_with(rules=[rule, rule])


def test_originals_that_need_nothing_do_not_pile_up(normaliser: Normaliser, tmp_path: Path) -> None:
    taken = 0
    original = FileEntry("data/original/a", "", 1, "", 0)

    def originals() -> Iterator[tuple[FileEntry, Path]]:
        nonlocal taken
        for _ in range(10_000):
            taken += 1
            yield original, tmp_path / "a"

    found = normaliser.normalise_many(originals(), tmp_path)
    assert next(found)[0].outcome is Outcome.NO_RULE
    assert taken <= 2000
    assert sum(1 for _ in found) == 9_999


def pdf_of(path: Path, *, box: str = "0 0 200 400", password: str = "", pages: int = 1) -> Path:
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page(page_size=(200, 400))
            document.pages[-1].MediaBox = pikepdf.Array([float(each) for each in box.split()])
        encryption = pikepdf.Encryption(owner="owner", user=password) if password else False
        document.save(path, encryption=encryption)
    return path


def test_the_first_page_of_a_pdf_is_drawn_by_a_library(tmp_path: Path) -> None:
    sound = pdf_of(tmp_path / "a.pdf")
    cases = {
        sound: Outcome.DONE,
        pdf_of(tmp_path / "thin.pdf", box="0 0 1 14400"): Outcome.DONE,
        pdf_of(tmp_path / "locked.pdf", password="secret"): Outcome.FAILED,
        pdf_of(tmp_path / "none.pdf", pages=0): Outcome.FAILED,
    }
    (tmp_path / "cut.pdf").write_bytes(sound.read_bytes()[:100])
    cases[tmp_path / "cut.pdf"] = Outcome.FAILED
    with Normaliser(size=1) as normaliser:
        normaliser.let_read(tmp_path)
        originals = [
            (FileEntry(f"data/original/{each.name}", "", 9, "", 0, puid="fmt/95"), each) for each in cases
        ]
        made = [
            next(one for one in some if one.kind is Kind.THUMBNAIL)
            for some in normaliser.normalise_many(originals, tmp_path / "made")
        ]
    assert [each.outcome for each in made] == list(cases.values()), [each.message for each in made]
    assert made[0].tool == f"pypdfium2 {version('pypdfium2')}"
    assert made[0].command == "pypdfium2: jpeg max_side=256"
    assert made[0].file is not None
    assert "Password" in made[2].message or "password" in made[2].message
    with Image.open(made[0].file) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (128, 256))


def test_a_page_of_too_many_pixels_is_not_drawn(tmp_path: Path) -> None:
    policy = FormatPolicy(
        {**default_policy().data, "limits": {**default_policy().data["limits"], "max_pixels": 1000}}
    )
    entry = FileEntry("data/original/a.pdf", "", 9, "", 0, puid="fmt/95")
    with Normaliser(policy, size=1) as normaliser:
        normaliser.let_read(tmp_path)
        made = normaliser.normalise(entry, pdf_of(tmp_path / "a.pdf"), tmp_path / "made")
    (one,) = (each for each in made if each.kind is Kind.THUMBNAIL)
    assert one.outcome is Outcome.TOO_LARGE


class Falling:
    """A runner whose program writes what it is asked for, until it comes to the document ``2.docx``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[list[str]] = []

    def run(self, command: Sequence[str | Path], jobs: Sequence[Job], **_: Any) -> Ran:
        out = Path(command[command.index("--outdir") + 1])
        self.asked.append([job.source.name for job in jobs])
        for job in jobs:
            if job.source.name == "2.docx":
                return Ran(Ended.CRASHED, -11, "soffice", 0.1)
            (out / f"{job.source.stem}.pdf").write_bytes(b"%PDF-")
        return Ran(Ended.BY_ITSELF, 0, "soffice", 0.1)


def test_F5_office_documents_behind_one_that_ends_the_program_go_on_together(tmp_path: Path) -> None:
    action = Action("r", Kind.PRESERVATION, "libreoffice", "pdfa", default_policy().limits)
    jobs = []
    for number in range(5):
        (folder := tmp_path / "made" / str(number)).mkdir(parents=True)
        jobs.append(Job(tmp_path / f"{number}.docx", folder, action, None, {}, 9, 1000))
    runner = Falling(tmp_path)
    outcomes = {each.job.source.stem: each.outcome for each in ADAPTER.convert(jobs, runner)}
    assert outcomes == dict.fromkeys("0134", Outcome.DONE) | {"2": Outcome.FAILED}
    assert [len(each) for each in runner.asked] == [5, 2]
