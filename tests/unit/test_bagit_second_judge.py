"""bagit-python as second judge: it sees what is wrong, and where it is left out it would be wrong itself."""

import hashlib
import logging
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import bagit
import pytest

from packages.bagit import second_judge
from packages.bagit.second_judge import DEFECTS, SAME_NORMALIZED, judge
from packages.bagit.validate import validate_bag
from packages.bagit.write import write_bag_info, write_bagit_txt, write_bytes, write_manifest
from packages.content_paths import content_path
from tests.support.folders import FolderSubmission


def write_bag(root: Path, payload: Mapping[str, bytes], *, encoded: bool = False) -> list[tuple[str, str]]:
    """Write a bag, under content paths if `encoded`; return logical and physical names."""
    for name, data in payload.items():
        write_bytes(root / (content_path(name) if encoded else name), data)
    digests = ((name, hashlib.sha512(data).hexdigest()) for name, data in payload.items())
    tags = {
        "bagit.txt": write_bagit_txt(root),
        "bag-info.txt": write_bag_info(root, [("Contact-Name", "Zoë")]),
        "manifest-sha512.txt": write_manifest(root / "manifest-sha512.txt", digests),
    }
    write_manifest(root / "tagmanifest-sha512.txt", ((name, each.sha512) for name, each in tags.items()))
    names = [*payload, *tags, "tagmanifest-sha512.txt"]
    return [(name, content_path(name) if encoded else name) for name in names]


PLAIN = {"data/a.txt": b"alpha", "data/sub/ü b.txt": b"beta"}


@pytest.fixture(autouse=True)
def _quiet_and_in_place(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    here = Path.cwd()
    yield
    assert Path.cwd() == here
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("full", [False, True])
def test_it_agrees_with_a_good_bag(tmp_path: Path, full: bool) -> None:
    opinion = judge(tmp_path, write_bag(tmp_path, PLAIN), full=full)
    assert opinion.outcome == "agrees", opinion
    assert opinion.judge.startswith("bagit-python 1.")


def test_it_sees_a_missing_and_an_extra_file(tmp_path: Path) -> None:
    names = write_bag(tmp_path, PLAIN)
    (tmp_path / "data/a.txt").rename(tmp_path / "data/z.txt")
    opinion = judge(tmp_path, names)
    assert opinion.outcome == "disagrees"
    assert any("data/a.txt" in each for each in opinion.details)
    assert any("data/z.txt" in each for each in opinion.details)


def test_it_sees_changed_bytes_when_asked_in_full(tmp_path: Path) -> None:
    names = write_bag(tmp_path, PLAIN)
    (tmp_path / "data/a.txt").write_bytes(b"alphA")
    assert judge(tmp_path, names).outcome == "agrees"
    opinion = judge(tmp_path, names, full=True)
    assert opinion.outcome == "disagrees"
    assert "data/a.txt" in opinion.details[0]


def test_encoded_names_are_shown_to_it_as_they_are(tmp_path: Path) -> None:
    bag = tmp_path / "object"
    names = write_bag(
        bag, {**PLAIN, "data/CON": b"c", "data/a:b\n*?": b"d", "data/sub./x": b"e"}, encoded=True
    )
    assert any(name != location for name, location in names)
    assert judge(bag, names, full=True, scratch=tmp_path).outcome == "agrees"
    (bag / content_path("data/CON")).write_bytes(b"C")
    assert judge(bag, names, full=True, scratch=tmp_path).outcome == "disagrees"
    assert [path.name for path in tmp_path.iterdir()] == ["object"]


def test_a_bag_whose_files_lie_in_several_versions(tmp_path: Path) -> None:
    first = write_bag(tmp_path / "v1/content", PLAIN)
    (tmp_path / "v2/content").mkdir(parents=True)
    moved = "data/a.txt"
    (tmp_path / "v1/content" / moved).unlink()
    write_bytes(tmp_path / "v2/content" / moved, PLAIN[moved])
    names = [(name, f"{'v2' if name == moved else 'v1'}/content/{location}") for name, location in first]
    assert judge(tmp_path, names, full=True).outcome == "agrees"


def test_A7_names_that_no_disk_can_bear_are_left_out(tmp_path: Path) -> None:
    bag = tmp_path / "object"
    names = write_bag(bag, {"data/" + "x" * 300: b""}, encoded=True)
    opinion = judge(bag, names)
    assert opinion.outcome == "left_out"
    assert "names" in opinion.reason


def test_its_own_guard_against_paths_that_lead_out_still_works(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_bytes(outside / "x", b"x")
    bag = tmp_path / "bag"
    names = write_bag(bag, PLAIN)
    (bag / "data/link").symlink_to(outside)
    write_bytes(outside / "deep/x", b"x")
    for path in (
        "data/link/x",
        "data/link/deep/x",
        "data/../../outside/x",
        "../outside/x",
        str(outside / "x"),
    ):
        write_manifest(bag / "manifest-sha512.txt", [(path, hashlib.sha512(b"x").hexdigest())])
        opinion = judge(bag, names)
        assert opinion.outcome == "disagrees"
        assert "unsafe" in opinion.reason


def test_above_the_limit_it_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = write_bag(tmp_path, PLAIN)
    monkeypatch.setattr(second_judge, "JUDGE_LIMIT", 1)
    opinion = judge(tmp_path, names)
    assert opinion.outcome == "left_out"
    assert "more than 1 payload files" in opinion.reason


def test_a_judge_that_breaks_has_said_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("out of order")

    names = write_bag(tmp_path, PLAIN)
    monkeypatch.setattr(bagit, "Bag", broken)
    assert judge(tmp_path, names).outcome == "left_out"


MEETS = {
    DEFECTS[0].reason: ["data/100%", "data/%0A", "data/%25"],
    DEFECTS[1].reason: [f"data/a{each}b" for each in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"],
    DEFECTS[2].reason: ["data/a ", "data/a\t", "data/a\u3000"],
    DEFECTS[3].reason: ["data/a\nb\nc\nd", "data/a\rb\rc\rd"],
}


def test_every_defect_is_in_the_table_below() -> None:
    assert set(MEETS) == {each.reason for each in DEFECTS}


@pytest.mark.parametrize(("reason", "name"), [(reason, name) for reason in MEETS for name in MEETS[reason]])
def test_where_it_is_left_out_it_is_wrong_itself(tmp_path: Path, reason: str, name: str) -> None:
    names = write_bag(tmp_path, {name: b"x"})
    assert validate_bag(FolderSubmission(tmp_path)).is_valid
    opinion = judge(tmp_path, names)
    assert opinion.outcome == "left_out"
    assert reason in opinion.reason
    logging.getLogger("bagit").disabled = True
    with pytest.raises((bagit.BagError, IndexError)):
        bagit.Bag(str(tmp_path)).validate()


def test_A2_two_normalization_forms_confuse_it(tmp_path: Path) -> None:
    composed, decomposed = (f"data/{unicodedata.normalize(form, 'é')}" for form in ("NFC", "NFD"))
    names = write_bag(tmp_path, {composed: b"1", decomposed: b"2"})
    assert SAME_NORMALIZED in judge(tmp_path, names).reason
    (tmp_path / composed).unlink()
    assert not validate_bag(FolderSubmission(tmp_path)).is_valid
    logging.getLogger("bagit").disabled = True
    bagit.Bag(str(tmp_path)).validate(completeness_only=True)  # a lost file goes unseen


@pytest.mark.parametrize(
    "name", ["data/a\nb", "data/a\rb", "data/ a", "data/*x", "data/~", "data/a\tb", "data/é\u200b"]
)
def test_where_it_is_not_left_out_it_is_right(tmp_path: Path, name: str) -> None:
    opinion = judge(tmp_path, write_bag(tmp_path, {name: b"x"}), full=True)
    assert opinion.outcome == "agrees", opinion
