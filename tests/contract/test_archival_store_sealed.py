"""What is sealed apart from an object finds whoever rewrites a file together with all that vouches for it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from packages.errors import Corrupt, Refused, Unavailable
from packages.ocfl import layout
from packages.ocfl.inventory import dump, parse, sidecar
from storage.archival.root import MARKER
from storage.ports import Sealed, Verdict
from tests.support.ocfl_objects import OBJECT
from tests.support.two_stores import ROOT, Two, is_clean, keys, overwrite, two

__all__ = ["two"]  # the fixture

FILE = "v1/content/data/a.txt"


def seal(two: Two, **said: object) -> Sealed:
    """What somebody noted of the object while it was sound."""
    stated = {number: two.primary.medium.read(f"{ROOT}/v{number}/inventory.json.sha512") for number in (1, 2)}
    return replace(Sealed({number: line.split()[0].decode() for number, line in stated.items()}), **said)


def rewrite_a_file_and_its_inventory(two: Two) -> set[str]:
    """Another content, and every inventory and sidecar to match."""
    old, new = (two.copy.medium.read(f"{ROOT}/{FILE}"), b"never deposited")
    overwrite(two.copy, FILE, new)
    changed = set()
    for folder in ("", "v1/", "v2/"):
        forged = two.copy.medium.read(f"{ROOT}/{folder}inventory.json")
        forged = forged.replace(*(hashlib.sha512(data).hexdigest().encode() for data in (old, new)))
        forged = dump(parse(forged))
        overwrite(two.copy, f"{folder}inventory.json", forged)
        overwrite(two.copy, f"{folder}inventory.json.sha512", sidecar(hashlib.sha512(forged).hexdigest()))
        changed |= {f"{folder}inventory.json", f"{folder}inventory.json.sha512"}
    return changed


def go_back_to_version_1(two: Two) -> set[str]:
    """The whole object as it was before: valid in itself."""
    gone = set()
    for key in keys(two.copy, f"{ROOT}/v2"):
        two.copy.medium.remove(key)
        gone.add(key.removeprefix(f"{ROOT}/"))
    two.copy.medium.remove(f"{ROOT}/v2")
    for name in ("inventory.json", "inventory.json.sha512"):
        overwrite(two.copy, name, two.copy.medium.read(f"{ROOT}/v1/{name}"))
        gone.add(name)
    return gone


def rewrite_an_older_version(two: Two) -> set[str]:
    """An older version's inventory in other words, and its sidecar to match."""
    forged = two.copy.medium.read(f"{ROOT}/v1/inventory.json") + b"\n"
    overwrite(two.copy, "v1/inventory.json", forged)
    overwrite(two.copy, "v1/inventory.json.sha512", sidecar(hashlib.sha512(forged).hexdigest()))
    return {"v1/inventory.json", "v1/inventory.json.sha512"}


def add_a_version(two: Two) -> set[str]:
    """A version that the archive never made, complete and valid."""
    before = keys(two.copy, ROOT)
    other = Two.__new__(Two)
    other.__dict__ = {**two.__dict__, "primary": two.copy}
    two.copy.publish(other.following({FILE.removeprefix("v1/content/"): b"new"}))
    after = keys(two.copy, ROOT)
    return {key.removeprefix(f"{ROOT}/") for key in after if after[key] != before.get(key)}


ATTACKS = (
    rewrite_a_file_and_its_inventory,
    go_back_to_version_1,
    rewrite_an_older_version,
    add_a_version,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.__name__)
def test_J1_who_rewrites_what_vouches_for_a_file_is_found_and_it_is_mended(
    two: Two, attack: Callable[[Two], set[str]]
) -> None:
    two.both()
    sealed, sound = seal(two, inventory=two.primary.inventory(OBJECT)), keys(two.copy, ROOT)
    assert two.copy.verify(OBJECT, sealed=sealed).verdict is Verdict.INTACT
    changed = attack(two)
    assert two.copy.verify(OBJECT).verdict is Verdict.INTACT, "by itself nothing tells"
    report = two.copy.verify(OBJECT, sealed=sealed)
    assert report.verdict in {Verdict.CORRUPT, Verdict.MISSING}
    expected = changed | ({FILE} if attack is rewrite_a_file_and_its_inventory else set())
    assert {problem.path for problem in report.problems} == expected
    fresh = two.copy.repair(two.primary, report, sealed=sealed)
    assert (fresh.verdict, fresh.problems) == (Verdict.INTACT, ())
    assert keys(two.copy, ROOT) == sound
    assert is_clean(two.copy)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.__name__)
def test_J1_what_is_sealed_needs_no_other_store_to_find_it(
    two: Two, attack: Callable[[Two], set[str]]
) -> None:
    two.both()
    sealed = seal(two)
    changed = attack(two)
    report = two.copy.verify(OBJECT, sealed=sealed)
    named = {problem.path for problem in report.problems if problem.verdict is not Verdict.UNCHECKED}
    inventories = {path for path in changed if "inventory.json" in path and not path.startswith("v3/")}
    assert inventories <= named


def test_a_source_that_was_rewritten_mends_nothing(two: Two) -> None:
    two.both()
    sealed = seal(two)
    overwrite(two.primary, FILE, b"rot")
    report = two.primary.verify(OBJECT, sealed=sealed)
    rewrite_a_file_and_its_inventory(two)
    before = keys(two.primary, ROOT)
    with pytest.raises(Corrupt, match="sealed"):
        two.primary.repair(two.copy, report, sealed=sealed)
    assert keys(two.primary, ROOT) == before


def test_a_version_that_is_under_way_is_no_damage(two: Two) -> None:
    two.both()
    sealed = seal(two)
    two.primary.publish(two.following({"data/later": b"later"}))
    assert two.primary.verify(OBJECT, sealed=sealed).verdict is not Verdict.INTACT
    assert two.primary.verify(OBJECT, sealed=replace(sealed, grows=True)).verdict is Verdict.INTACT


@pytest.mark.parametrize("path", ["0=ocfl_1.1", "ocfl_layout.json", f"extensions/{layout.NAME}/config.json"])
@pytest.mark.parametrize("harm", ["delete", "alter"])
def test_J1_harm_to_the_root_itself_is_named_and_mended(two: Two, path: str, harm: str) -> None:
    assert two.copy.inspect("archive-1") == []
    before = keys(two.copy)
    if harm == "delete":
        two.copy.medium.remove(path)
    else:
        two.copy.medium.replace(path, b'{"extension": 5}')
    [problem] = two.copy.inspect("archive-1")
    assert (problem.path, problem.verdict) == (path, "missing" if harm == "delete" else "corrupt")
    two.copy.medium.remove(path)
    two.copy.prepare("archive-1")
    assert two.copy.inspect("archive-1") == []
    assert keys(two.copy) == before


def test_a_root_that_says_nothing_of_itself_is_no_damaged_root(two: Two) -> None:
    two.copy.medium.remove(MARKER)
    with pytest.raises(Refused):
        two.copy.inspect("archive-1")
    two.copy.medium.remove("0=ocfl_1.1")
    with pytest.raises(Unavailable):
        two.copy.inspect("archive-1")
    with pytest.raises(Refused):
        two.primary.inspect("another archive")
