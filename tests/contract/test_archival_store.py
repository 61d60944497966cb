"""What every archival store owes (storage/ports.py), on each kind of medium."""

import hashlib
import os
import uuid
from types import SimpleNamespace

import pytest

from packages.errors import Conflict, Corrupt, NotFound, Refused, Unavailable
from storage.archival import OcflStore, open_store, wrappers
from storage.archival.medium import SET_ASIDE
from storage.ports import Verdict
from tests.support.faulty_medium import UnreadableMedium
from tests.support.ocfl_objects import OBJECT, ODD_NAMES
from tests.support.two_stores import FILES, ROOT, Two, is_clean, keys, overwrite, two

__all__ = ["two"]  # the fixture

INVENTORY = ("inventory.json", "inventory.json.sha512")
SOME = (
    "v1/content/data/a.txt",
    "v2/content/data/new",
    "0=ocfl_object_1.1",
    *(folder + name for folder in ("", "v1/", "v2/") for name in INVENTORY),
)
ONE_OF_EACH = ("v2/content/data/new", "0=ocfl_object_1.1", "inventory.json", "v1/inventory.json.sha512")
"""What is harmed in S3, where each takes a hundred requests: the rules are the same on every medium."""


def test_an_object_is_published_found_and_read(two: Two) -> None:
    done: list[int] = []
    two.primary.publish(two.first(), progress=done.append)
    assert list(two.primary.objects()) == [OBJECT]
    found = two.primary.inventory(OBJECT)
    assert found.object_id == OBJECT
    where = found.locate("data/a.txt")
    assert where is not None
    with two.primary.open(OBJECT, where[0]) as stream:
        stream.seek(50)
        assert stream.read() == b"A" * 50
    report = two.primary.verify(OBJECT)
    assert (report.verdict, report.intact, report.problems) == (Verdict.INTACT, len(FILES) + 5, ())
    assert is_clean(two.primary)


def test_every_odd_name_comes_back(two: Two) -> None:
    files = {name: name.encode() for name in ODD_NAMES}
    two.primary.publish(two.first(files))
    two.copy.replicate(two.primary, OBJECT)
    inventory = two.copy.inventory(OBJECT)
    for name, _, content in inventory.files():
        with two.copy.open(OBJECT, content) as stream:
            assert stream.read() == files.pop(name)
    assert not files
    assert two.copy.verify(OBJECT).verdict is Verdict.INTACT


def test_I2_H15_publishing_the_same_again_changes_nothing(two: Two) -> None:
    two.primary.publish(two.first())
    before = keys(two.primary)
    two.primary.publish(two.first())
    assert keys(two.primary) == before
    assert is_clean(two.primary)


def test_publishing_again_after_the_staged_files_were_moved_away_is_no_error(two: Two) -> None:
    staged = two.first()
    two.primary.publish(staged)
    two.primary.publish(staged)
    assert two.primary.verify(OBJECT).verdict is Verdict.INTACT


def test_I2_another_content_at_an_occupied_version_is_refused(two: Two) -> None:
    two.primary.publish(two.first())
    before = keys(two.primary)
    with pytest.raises(Conflict):
        two.primary.publish(two.first({"data/a.txt": b"other"}))
    assert keys(two.primary, ROOT) == {key: data for key, data in before.items() if key.startswith(ROOT)}


def test_a_version_on_a_stale_base_is_refused(two: Two) -> None:
    two.primary.publish(two.first())
    one, other = two.following({"x": b"1"}), two.following({"x": b"2"})
    two.primary.publish(one)
    with pytest.raises(Conflict):
        two.primary.publish(other)
    with pytest.raises(Conflict):
        two.copy.publish(other)  # version 2 of what is not there
    assert two.primary.inventory(OBJECT).digest() == one.inventory.digest()
    assert two.primary.verify(OBJECT).verdict is Verdict.INTACT


def test_I6_later_versions_reach_the_copy(two: Two) -> None:
    two.primary.publish(two.first())
    two.copy.replicate(two.primary, OBJECT)
    for number in (2, 3):
        two.primary.publish(two.following({"data/b.txt": b"v%d" % number}))
    two.copy.replicate(two.primary, OBJECT)
    two.copy.replicate(two.primary, OBJECT)
    assert two.copy.inventory(OBJECT).head == 3
    assert two.copy.inventory(OBJECT) == two.primary.inventory(OBJECT)
    report = two.copy.verify(OBJECT)
    assert (report.verdict, report.intact) == (Verdict.INTACT, two.primary.verify(OBJECT).intact)
    assert is_clean(two.copy)


def test_a_copy_with_another_history_is_left_alone(two: Two) -> None:
    two.primary.publish(two.first())
    two.copy.publish(two.first({"data/a.txt": b"other"}))
    before = keys(two.copy)
    with pytest.raises(Conflict):
        two.copy.replicate(two.primary, OBJECT)
    assert keys(two.copy) == before


def test_a_copy_is_not_taken_back_to_an_older_version(two: Two) -> None:
    two.both()
    old = Two("file", two.folder / "old")
    old.primary.publish(old.first())
    with pytest.raises(Conflict):
        two.copy.replicate(old.primary, OBJECT)


def test_replicating_what_is_not_there_says_so(two: Two) -> None:
    with pytest.raises(NotFound):
        two.copy.replicate(two.primary, OBJECT)
    for call in (two.primary.inventory, two.primary.verify):
        with pytest.raises(NotFound):
            call(OBJECT)
    with pytest.raises(NotFound):
        two.primary.append_log(OBJECT, b"{}")
    with pytest.raises(NotFound):
        two.primary.open(OBJECT, "v1/content/a")
    assert list(two.primary.objects()) == []


def test_paths_that_climb_open_nothing(two: Two) -> None:
    two.primary.publish(two.first())
    for path in ("../../../../ocfl_layout.json", "/etc/passwd", "v1/../inventory.json", ""):
        with pytest.raises(NotFound):
            two.primary.open(OBJECT, path)


def test_I8_neighbours_with_similar_ids_are_exact(two: Two) -> None:
    for object_id in ("aip-1", "aip-10"):
        two.primary.publish(two.first({"a": object_id.encode()}, object_id))
    assert sorted(two.primary.objects()) == ["aip-1", "aip-10"]
    two.copy.replicate(two.primary, "aip-1")
    assert list(two.copy.objects()) == ["aip-1"]


def test_a_very_long_id_is_told_by_the_inventory(two: Two) -> None:
    object_id = "urn:x:" + "long " * 60
    two.primary.publish(two.first(object_id=object_id))
    assert list(two.primary.objects()) == [object_id]


@pytest.mark.parametrize("harm", ["flip", "truncate", "delete"])
def test_J1_I7_harm_is_named_and_mended(two: Two, harm: str) -> None:
    two.both()
    sound = keys(two.copy, ROOT)
    for path in ONE_OF_EACH if two.copy.url.startswith("s3:") else SOME:
        data = sound[f"{ROOT}/{path}"]
        if harm == "delete":
            two.copy.medium.remove(f"{ROOT}/{path}")
        else:
            overwrite(two.copy, path, bytes([data[0] ^ 1]) + data[1:] if harm == "flip" else data[:-1])
        report = two.copy.verify(OBJECT)
        assert [problem.path for problem in report.problems] == [path]
        assert report.verdict is (Verdict.MISSING if harm == "delete" else Verdict.CORRUPT)
        assert (report.problems[0].expected or "").startswith("sha512:")
        fresh = two.copy.repair(two.primary, report)
        assert (fresh.verdict, fresh.problems) == (Verdict.INTACT, ())
        assert keys(two.copy, ROOT) == sound
        assert is_clean(two.copy)


def test_J1_swapped_files_are_both_named(two: Two) -> None:
    two.both()
    a, b = "v1/content/data/a.txt", "v1/content/bagit.txt"
    data = {path: two.copy.medium.read(f"{ROOT}/{path}") for path in (a, b)}
    overwrite(two.copy, a, data[b])
    overwrite(two.copy, b, data[a])
    report = two.copy.verify(OBJECT)
    assert {problem.path for problem in report.problems} == {a, b}
    assert report.corrupt == 2
    assert two.copy.repair(two.primary, report).verdict is Verdict.INTACT


def test_J1_extra_files_are_named_and_set_aside_not_deleted(two: Two) -> None:
    two.both()
    for path in ("v1/content/data/extra", "stray.txt", "v9/content/x"):
        overwrite(two.copy, path, b"who put me here")
    report = two.copy.verify(OBJECT)
    assert {problem.path for problem in report.problems} == {
        "v1/content/data/extra",
        "stray.txt",
        "v9/content/x",
    }
    assert (report.verdict, report.extra) == (Verdict.EXTRA, 3)
    assert two.copy.repair(two.primary, report).verdict is Verdict.INTACT
    aside = keys(two.copy, SET_ASIDE)
    assert len(aside) == 3
    assert set(aside.values()) == {b"who put me here"}


def test_J1_an_altered_manifest_with_a_fitting_sidecar_is_noticed(two: Two) -> None:
    from packages.ocfl.inventory import dump, parse, sidecar

    two.both()
    found = two.copy.inventory(OBJECT)
    forged = parse(dump(found).replace(b'"message":"', b'"message":"x').replace(b"Archivist", b"Somebody"))
    overwrite(two.copy, "inventory.json", dump(forged))
    overwrite(two.copy, "inventory.json.sha512", sidecar(forged.digest()))
    report = two.copy.verify(OBJECT)
    assert report.verdict is Verdict.CORRUPT
    assert {problem.path.rpartition("/")[2] for problem in report.problems} == {
        "inventory.json",
        "inventory.json.sha512",
    }


def test_everything_damaged_at_once_is_mended(two: Two) -> None:
    two.both()
    sound = keys(two.copy, ROOT)
    for key in sound:
        two.copy.medium.replace(key, b"rot")
    report = two.copy.verify(OBJECT)
    assert report.verdict is not Verdict.INTACT
    assert two.copy.repair(two.primary, report).verdict is Verdict.INTACT
    assert keys(two.copy, ROOT) == sound


def test_repair_from_a_bad_source_changes_nothing(two: Two) -> None:
    two.both()
    overwrite(two.copy, "v1/content/data/a.txt", b"bad")
    overwrite(two.copy, "v1/content/bagit.txt", b"bad")
    overwrite(two.primary, "v1/content/data/a.txt", b"worse")
    report = two.copy.verify(OBJECT)
    before = keys(two.copy, ROOT)
    with pytest.raises(Corrupt, match=r"data/a\.txt"):
        two.copy.repair(two.primary, report)
    assert keys(two.copy, ROOT) == before


def test_J4_what_cannot_be_read_is_unchecked_not_corrupt(two: Two) -> None:
    two.both()
    broken = OcflStore("copy", UnreadableMedium(two.copy.medium, "data/a.txt"))
    report = broken.verify(OBJECT)
    assert (report.verdict, report.unchecked, report.corrupt) == (Verdict.UNCHECKED, 1, 0)
    assert report.problems[0].found == "connection lost"


def test_one_version_can_be_verified_alone(two: Two) -> None:
    two.both()
    overwrite(two.copy, "v1/content/data/a.txt", b"rot")
    assert two.copy.verify(OBJECT, version=2).verdict is Verdict.INTACT
    assert two.copy.verify(OBJECT, version=1).corrupt == 1
    overwrite(two.copy, "v1/inventory.json", b"rot")
    assert two.copy.verify(OBJECT, version=2).verdict is Verdict.INTACT  # a version costs itself alone (P4)
    assert two.copy.verify(OBJECT).corrupt == 2
    overwrite(two.copy, "v2/inventory.json", b"rot")
    assert two.copy.verify(OBJECT, version=2).corrupt == 1
    with pytest.raises(NotFound):
        two.copy.verify(OBJECT, version=3)


def test_a_budget_slows_reading_down_and_progress_adds_up(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.primary.publish(two.first({"big": os.urandom(300_000)}))
    done: list[int] = []
    waits: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(wrappers, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=waits.append))
        report = two.primary.verify(OBJECT, budget=1_000, progress=done.append)
    assert sum(done) == report.bytes > 300_000
    assert max(waits) == pytest.approx(report.bytes / 1_000)  # seconds, from the beginning of the reading


def test_logs_are_kept_named_by_digest_and_come_to_no_copy_unasked(two: Two) -> None:
    two.primary.publish(two.first())
    name = two.primary.append_log(OBJECT, b'{"event": 1}')
    assert two.primary.append_log(OBJECT, b'{"event": 1}') == name
    two.primary.append_log(OBJECT, b'{"event": 2}')
    two.copy.replicate(two.primary, OBJECT)
    assert list(two.copy.logs(OBJECT)) == []  # whose entries they are is for the caller to know
    for digest in two.primary.logs(OBJECT):
        two.copy.append_log(OBJECT, two.primary.read_log(OBJECT, digest))
    assert list(two.copy.logs(OBJECT)) == list(two.primary.logs(OBJECT))
    assert {two.copy.read_log(OBJECT, each) for each in two.copy.logs(OBJECT)} == {
        b'{"event": 1}',
        b'{"event": 2}',
    }
    assert two.copy.verify(OBJECT).verdict is Verdict.INTACT
    two.copy.medium.replace(f"{ROOT}/logs/{name}", b"altered")
    report = two.copy.verify(OBJECT)
    assert [problem.path for problem in report.problems] == [f"logs/{name}"]
    with pytest.raises(Corrupt):  # it is not there, as its name may say
        two.copy.append_log(OBJECT, b'{"event": 1}')
    assert two.copy.repair(two.primary, report).verdict is Verdict.INTACT


def test_of_a_log_file_no_more_is_read_than_any_entry_has(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.primary.publish(two.first())
    monkeypatch.setattr("storage.archival.store.LARGEST_LOG", 20)
    data = b"x" * 21
    digest = f"sha512:{hashlib.sha512(data).hexdigest()}"
    two.primary.medium.create(f"{ROOT}/logs/{digest.replace(':', '-')}.json", data)
    two.primary.append_log(OBJECT, b"x" * 20)
    assert digest in set(two.primary.logs(OBJECT))
    with pytest.raises(Corrupt):
        two.primary.read_log(OBJECT, digest)
    with pytest.raises(NotFound):
        two.primary.read_log(OBJECT, digest.replace("sha512:", "sha512:0"))
    with pytest.raises(Refused):
        two.primary.append_log(OBJECT, data)


def test_a_root_is_prepared_twice_and_belongs_to_one_archive(two: Two) -> None:
    before = keys(two.primary)
    two.primary.prepare("archive-1")
    assert keys(two.primary) == before
    two.primary.check("archive-1")
    for call in (two.primary.prepare, two.primary.check):
        with pytest.raises(Refused):
            call("archive-2")


def test_a_folder_that_holds_something_else_is_refused(two: Two) -> None:
    is_folder = two.primary.medium.folder is not None
    store = two.open("else", f"{two.primary.url.rpartition('/')[0]}/{uuid.uuid4().hex[:8]}")
    store.medium.make()
    if is_folder:
        (store.medium.folder / "thesis.doc").write_bytes(b"mine")
    else:
        store.medium.create("thesis.doc", b"mine")
    with pytest.raises(Refused):
        store.prepare("archive-1")
    assert keys(store) == {"thesis.doc": b"mine"}


def test_I5_J5_an_absent_store_is_unavailable_not_empty(two: Two) -> None:
    two.primary.publish(two.first())
    gone = two.open("gone", two.primary.url + "-unmounted")
    for call in (
        lambda: gone.check("archive-1"),
        lambda: list(gone.objects()),
        lambda: gone.inventory(OBJECT),
        lambda: gone.verify(OBJECT),
        lambda: gone.replicate(two.primary, OBJECT),
        lambda: gone.publish(two.first()),
    ):
        with pytest.raises(Unavailable):
            call()


def test_staged_files_that_differ_from_the_inventory_are_refused(two: Two) -> None:
    staged = two.first()
    (staged.root / "v1/content/data/a.txt").unlink()
    with pytest.raises((Conflict, NotFound)):
        two.primary.publish(staged)
    assert list(two.primary.objects()) == []


@pytest.mark.parametrize("url", ["s4://x", "relative/folder", "file://host/x", "http://x/y"])
def test_an_address_that_nobody_serves_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        open_store("x", url)


def test_a_writer_who_lost_the_race_destroys_nothing(two: Two) -> None:
    two.primary.publish(two.first())
    winner, loser = (
        two.following({"data/x": b"winner"}),
        two.following({"data/x": b"loser", "data/y": b"loser"}),
    )
    two.primary.publish(winner)
    before = keys(two.primary, ROOT)
    with pytest.raises(Conflict):
        two.primary.publish(loser)
    two.primary.recover()
    assert keys(two.primary, ROOT) == before
