"""A case of `tests.support.ocfl_cases`: a change of a good object, and every code that follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.ocfl_makers import Made, digest

Change = Callable[[Made], None]


@dataclass(frozen=True)
class Case:
    """A change of a good object made by `make`, and the codes that follow from it."""

    name: str
    codes: frozenset[str]
    change: Change
    make: Callable[[], Made] = Made


CASES: list[Case] = []


def case(codes: str, make: Callable[[], Made] = Made) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        CASES.append(Case(change.__name__, frozenset(codes.split()), change, make))
        return change

    return keep


def both(made: Made, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the inventories of root and newest version alike."""
    change(made.root)
    made.newest()


def everywhere(made: Made, change: Callable[[dict[str, Any]], Any]) -> None:
    for inventory in made.inventories.values():
        change(inventory)


def one() -> Made:
    made = Made()
    made.version({"a.txt": b"first\n"})
    return made


A = digest(b"first\n")
UNUSED = digest(b"unused")


def one_of(algorithm: str) -> Made:
    made = Made(algorithm=algorithm)
    made.version({"a.txt": b"first\n"})
    return made
