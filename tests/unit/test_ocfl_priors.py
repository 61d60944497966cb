"""A prior inventory of an object of many versions is judged in time that grows with their number."""

from typing import cast

from packages.ocfl.codes import Faults
from packages.ocfl.tree import Tree
from packages.ocfl.validate_inventory import Examined
from packages.ocfl.validate_priors import judge_prior
from packages.ocfl.version_names import sequence

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
