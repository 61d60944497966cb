"""Inventories of an object of many versions are judged in time that grows with their number."""

import io
from typing import cast

import orjson
import pytest

from packages.ocfl import validate_inventory
from packages.ocfl.codes import Faults
from packages.ocfl.tree import Tree
from packages.ocfl.validate_inventory import Examined
from packages.ocfl.validate_priors import judge_prior
from packages.ocfl.version_names import number_of, sequence

VERSIONS = 1000


class Name(str):
    """A version's name that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def examined(names: list[str]) -> Examined:
    found = Examined("inventory.json", states=dict.fromkeys(names, 1), said={each: {} for each in names})
    found.versions = sequence(names)
    return found


def test_names_are_looked_up_and_not_searched_for() -> None:
    names = [f"v{number}" for number in range(1, VERSIONS + 1)]
    root, prior = examined(list(map(Name, names))), examined(list(map(Name, names)))
    Name.compared, faults = 0, Faults()
    judge_prior(cast("Tree", None), "", root, prior, names[-1], faults)
    assert not faults.failed
    assert Name.compared < 20 * VERSIONS


def test_content_in_folders_of_no_version_costs_no_look_at_every_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def counted(name: str) -> int | None:
        nonlocal asked
        asked += 1
        return number_of(name)

    monkeypatch.setattr(validate_inventory, "number_of", counted)
    version = {"created": "2026-01-02T03:04:05Z", "state": {}}
    data = orjson.dumps(
        {
            "id": "urn:x",
            "type": "https://ocfl.io/1.1/spec/#inventory",
            "digestAlgorithm": "sha512",
            "head": f"v{VERSIONS}",
            "manifest": {f"{each:0128x}": [f"w{each}/content/a"] for each in range(VERSIONS)},
            "versions": {f"v{each + 1}": version for each in range(VERSIONS)},
        }
    )
    faults = Faults()
    seen = validate_inventory.examine(lambda: io.BytesIO(data), "inventory.json", faults)
    assert seen is not None
    assert len(seen.places) == VERSIONS
    assert faults.failed
    assert asked < 20 * VERSIONS
