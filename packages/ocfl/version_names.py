"""The names of an object's versions (§3.3): one convention, from 1 on, without a gap."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"v([0-9]+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sequence:
    """The versions of an inventory in order, as far as they are one; `faults` are (code, detail)."""

    names: tuple[str, ...]
    faults: tuple[tuple[str, str], ...]

    def number(self, name: str) -> int | None:
        """Return the number of a version of this sequence, or None."""
        return int(name[1:]) if name in self.names else None


def number_of(name: str) -> int | None:
    """Return the number in the name of a version or of its folder, or None where it is no such name."""
    match = _NAME.match(name)
    return int(match[1]) or None if match else None


def sequence(keys: Iterable[str]) -> Sequence:
    """Judge the keys of an inventory's versions, in whatever order."""
    faults: list[tuple[str, str]] = []
    numbered: dict[int, str] = {}
    given = list(keys)
    for key in given:
        number = number_of(key)
        if number is None:
            faults.append(("E105" if key.startswith("v") else "E104", repr(key)))
        elif number in numbered:
            faults.append(("E012", f"{numbered[number]} and {key}"))
        else:
            numbered[number] = key
    if not numbered:
        return Sequence((), (*faults, *([] if faults else [("E008", "")])))
    if 1 not in numbered:
        faults.append(("E009", f"the first is {numbered[min(numbered)]}"))
    highest = max(numbered)
    gaps = [
        f"v{each}"
        for each in range(min(numbered), min(highest, len(numbered) + 1000))
        if each not in numbered
    ]
    if gaps:
        faults.append(("E010", f"{', '.join(gaps[:20])} missing"))
    names = tuple(numbered[each] for each in sorted(numbered))
    faults += _conventions(names)
    return Sequence(names, tuple(faults))


def _conventions(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Judge padding against the first version's."""
    padded = names[0].startswith("v0")
    width = len(names[0])
    faults = [("W001", names[0])] if padded else []
    for name in names[1:]:
        if padded and len(name) == width and not name.startswith("v0"):
            faults += [("E011", name), ("E013", name)]
        elif padded != name.startswith("v0") or (padded and len(name) != width):
            faults += [("E012", f"{names[0]} and {name}"), ("E013", name)]
    return faults
