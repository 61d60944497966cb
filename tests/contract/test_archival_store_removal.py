"""Removing an object: what a store owes (storage/ports.py), on each kind of medium, and at every crash."""

import hashlib
import json
from pathlib import Path

import pytest

from packages.errors import Corrupt, NotFound, Refused, Unavailable
from packages.ocfl import layout
from packages.tombstone import NAME, tombstone_id
from storage.archival import OcflStore
from storage.archival.medium import SET_ASIDE, Medium
from storage.ports import Verdict
from tests.support.faulty_medium import FaultyMedium
from tests.support.ocfl_objects import OBJECT, first
from tests.support.two_stores import ROOT, Two, is_clean, keys, overwrite, two

__all__ = ["two"]  # the fixture

STONE = tombstone_id(OBJECT)


def entomb(two: Two, store: OcflStore, about: str = OBJECT, stone: str = STONE) -> str:
    """Put a tombstone into the store, and return its proof."""
    data = json.dumps({"package": about}).encode()
    store.publish(first(two.folder / hashlib.sha256(stone.encode()).hexdigest(), {NAME: data}, stone))
    return hashlib.sha512(data).hexdigest()


def is_gone(store: OcflStore) -> bool:
    """Tell whether nothing of the object is left, anywhere in the store."""
    left = [key for key in keys(store) if f"{ROOT.rpartition('/')[2]}/" in key]
    return not left and OBJECT not in store.objects() and is_clean(store)


def test_K1_an_object_with_a_tombstone_is_removed_and_nothing_else(two: Two) -> None:
    two.both()
    neighbour = OBJECT + "0"  # I8: a key that begins alike
    two.primary.publish(first(two.folder / "neighbour", {"a": b"a"}, neighbour))
    proof = entomb(two, two.primary)
    before = {key for key in keys(two.primary) if not key.startswith(f"{ROOT}/")}
    two.primary.append_log(OBJECT, b"{}")
    two.primary.remove(OBJECT, proof)
    assert is_gone(two.primary)
    assert set(keys(two.primary)) == before
    assert set(two.primary.objects()) == {neighbour, STONE}
    assert two.primary.verify(neighbour).verdict is Verdict.INTACT
    with pytest.raises(NotFound):
        two.primary.inventory(OBJECT)
    two.primary.remove(OBJECT, proof)  # K5: again is a no-op
    assert set(keys(two.primary)) == before
    assert two.copy.verify(OBJECT).verdict is Verdict.INTACT  # another store's copy is its own matter


def test_what_was_set_aside_of_an_object_goes_too(two: Two) -> None:
    two.both()
    overwrite(two.primary, "v1/content/extra", b"content that was out of place")
    two.primary.repair(two.copy, two.primary.verify(OBJECT))
    assert any(key.startswith(SET_ASIDE) for key in keys(two.primary))
    two.primary.remove(OBJECT, entomb(two, two.primary))
    assert is_gone(two.primary)


def test_K2_nothing_is_removed_without_its_own_tombstone_in_the_same_store(two: Two) -> None:
    two.both()
    elsewhere = entomb(two, two.copy)
    before = keys(two.primary)
    for proof in ("", elsewhere):
        with pytest.raises(Refused):
            two.primary.remove(OBJECT, proof)
    assert keys(two.primary) == before
    here = entomb(two, two.primary, about="urn:uuid:another")  # under the right name, about something else
    before = keys(two.primary)
    for proof in ("", elsewhere, here):
        with pytest.raises(Refused):
            two.primary.remove(OBJECT, proof)
    with pytest.raises(Refused):
        two.primary.remove(STONE, here)  # a tombstone has none
    assert keys(two.primary) == before


def test_a_damaged_tombstone_lets_nothing_be_removed(two: Two) -> None:
    two.both()
    proof = entomb(two, two.primary)
    two.primary.medium.replace(f"{layout.object_path(STONE)}/v1/content/{NAME}", b"{}")
    before = keys(two.primary)
    with pytest.raises(Corrupt):
        two.primary.remove(OBJECT, proof)
    assert keys(two.primary) == before


def test_a_deleted_object_is_taken_in_no_more(two: Two) -> None:
    two.both()
    two.primary.remove(OBJECT, entomb(two, two.primary))
    with pytest.raises(Refused, match="was deleted"):
        two.primary.replicate(two.copy, OBJECT)
    with pytest.raises(Refused, match="was deleted"):
        two.primary.publish(two.first())
    assert is_gone(two.primary)


def test_K3_what_cannot_be_removed_is_said_and_removed_by_the_next_call(two: Two) -> None:
    two.both()
    proof = entomb(two, two.primary)

    def fault() -> None:
        raise Unavailable("the disk does not answer")

    every = 8 if two.primary.capabilities.server_checksums else 1  # a server takes its time
    for at in range(1, 400, every):
        faulty = OcflStore("primary", FaultyMedium(two.primary.medium, at, fault))
        try:
            faulty.remove(OBJECT, proof)
        except Unavailable:
            assert not is_gone(two.primary) or at > 1
            continue
        break
    else:
        pytest.fail("it never came through")
    assert at > 3  # it did fail before
    two.primary.remove(OBJECT, proof)
    assert is_gone(two.primary)


@pytest.mark.parametrize("two", ["file"], indirect=True)  # a space of keys has no folders to be left empty
def test_K3_a_root_stays_valid_while_what_left_it_cannot_be_removed(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.both()
    proof, medium = entomb(two, two.primary), two.primary.medium
    root = medium.folder
    assert root is not None
    remove = type(medium).remove

    def refuse(medium: Medium, key: str) -> None:
        if (root / key).is_dir():
            raise Unavailable("Operation not permitted")
        remove(medium, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(medium), "remove", refuse)
        with pytest.raises(Unavailable):
            two.primary.remove(OBJECT, proof)
    assert OBJECT not in two.primary.objects()
    assert not [each for each in root.rglob("*") if each.is_dir() and not any(each.iterdir())]  # E073
    two.primary.remove(OBJECT, proof)
    assert is_gone(two.primary)


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the store may hold it up."""


def test_K1_after_a_kill_at_any_change_the_object_is_whole_or_absent_and_never_comes_back(
    tmp_path: Path, two: Two
) -> None:
    def die() -> None:
        raise Killed

    kind = "file" if two.primary.capabilities.atomic_rename else "memory"
    for at in range(1, 500):
        each = Two(kind, tmp_path / str(at)).both()
        proof = entomb(each, each.primary)
        whole = keys(each.primary, ROOT)
        faulty = OcflStore("primary", FaultyMedium(each.primary.medium, at, die))
        try:
            faulty.remove(OBJECT, proof)
        except Killed:
            if OBJECT in each.primary.objects():
                assert keys(each.primary, ROOT) == whole
                assert each.primary.verify(OBJECT).verdict is Verdict.INTACT
            else:
                with pytest.raises(NotFound):
                    each.primary.inventory(OBJECT)
                each.primary.recover()
                assert OBJECT not in each.primary.objects()
            each.primary.remove(OBJECT, proof)
            assert is_gone(each.primary)
        else:
            assert at > 3
            assert is_gone(each.primary)
            return
    pytest.fail("it never came through")


def test_a_dead_writer_of_a_removed_object_does_not_bring_it_back(tmp_path: Path) -> None:
    """Without rename, the intent of a writer that died earlier names what is only half gone."""
    two = Two("memory", tmp_path).both()
    proof = entomb(two, two.primary)
    medium = two.primary.medium
    note = json.dumps({"object": OBJECT, "at": 0}).encode()
    medium.create("extensions/holdfast-staging/dead/intent.json", note)
    for name in ("inventory.json", "inventory.json.sha512"):
        medium.remove(f"{ROOT}/{name}")  # as after a kill behind the first removals
    two.primary.recover()
    assert OBJECT not in two.primary.objects()
    two.primary.remove(OBJECT, proof)
    assert is_gone(two.primary)
