"""The n-th operation of a store fails, for every n, in each way: an object is valid or absent afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from packages.errors import HoldfastError
from storage.archival import OcflStore
from storage.ports import Verdict
from tests.support import two_stores
from tests.support.misbehaving_medium import WAYS, MisbehavingMedium
from tests.support.ocfl_objects import OBJECT
from tests.support.s3_server import server
from tests.support.two_stores import ROOT, Two, is_clean, keys, overwrite

STEPS = ("publish", "publish next", "replicate", "repair")
FEW = {"bagit.txt": b"bag", "data/b.txt": b"B", "data/zero": b""}
CHANGED = {"data/b.txt": b"changed", "data/new": b"new"}


def prepared(two: Two, step: str) -> tuple[OcflStore, Callable[[OcflStore], object]]:
    """Bring two stores to where `step` begins; return the store that it changes, and the step."""
    if step == "publish":
        staged = two.first()
        return two.primary, lambda store: store.publish(staged)
    if step == "publish next":
        two.primary.publish(two.first())
        following = two.following(CHANGED, ["data/zero"])
        return two.primary, lambda store: store.publish(following)
    if step == "replicate":
        two.primary.publish(two.first())
        two.copy.replicate(two.primary, OBJECT)
        two.primary.publish(two.following(CHANGED))
        return two.copy, lambda store: store.replicate(two.primary, OBJECT)
    two.both()
    overwrite(two.copy, "v1/content/data/a.txt", b"rot")
    overwrite(two.copy, "inventory.json.sha512", b"rot")
    overwrite(two.copy, "v1/content/extra", b"stray")
    return two.copy, lambda store: store.repair(two.primary, two.copy.verify(OBJECT))


def is_sound(store: OcflStore) -> bool:
    """Tell whether the object is there and every byte of it right."""
    return list(store.objects()) == [OBJECT] and not store.verify(OBJECT).problems


@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS)
def test_H1_I1_any_fault_leaves_a_valid_object_or_none(
    tmp_path: Path, kind: str, way: str, step: str
) -> None:
    suffer(tmp_path, kind, way, step)


@pytest.mark.server
@pytest.mark.parametrize(("way", "step"), [("error after", "publish"), ("silent short write", "replicate")])
def test_H1_I1_any_fault_leaves_a_valid_object_or_none_in_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, step: str
) -> None:
    """In the real server, where every operation costs some requests: the two ways that say nothing."""
    monkeypatch.setattr(two_stores.Two.first, "__defaults__", (FEW, OBJECT))
    suffer(tmp_path, server(monkeypatch).url(), way, step)


def suffer(tmp_path: Path, kind: str, way: str, step: str) -> None:
    """Have the n-th operation of a step fail, for every n, and look after each."""
    at, struck = 0, True
    while struck:
        at += 1
        assert at < 200
        MemoryFileSystem.store.clear()
        two = Two(f"{kind}/{at}" if "://" in kind else kind, tmp_path / str(at))
        store, work = prepared(two, step)
        before = keys(store, ROOT)
        medium = MisbehavingMedium(store.medium, at, way)
        try:
            work(OcflStore("x", medium))
            failed = False
        except HoldfastError:
            failed = True
        struck = medium.struck
        store.recover()
        assert is_clean(store), (at, keys(store))
        if step != "repair" and way != "silent short write":
            there = list(store.objects())
            assert is_sound(store) if there else keys(store, ROOT) == before == {}, (at, keys(store, ROOT))
            assert failed or there == [OBJECT]
        report = store.verify(OBJECT) if list(store.objects()) else None
        if way == "silent short write" and report is not None and report.problems:
            assert report.verdict in {Verdict.CORRUPT, Verdict.MISSING, Verdict.EXTRA}, at  # it is found out
            continue
        work(store)
        assert is_sound(store), (at, store.verify(OBJECT).problems)
        assert is_clean(store)
    moves_only = kind == "file" and step.startswith("publish") and "short" in way  # and writes no file
    assert at > 2 or moves_only
