"""The folders of the archives that this process has opened: no program that meets hostile files is let in.

Homes and stores may lie where such programs look for libraries and data, as below ``/opt``. The kernel knows
places that may be read and no exceptions, so what lies beside a folder of ours is named then.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_own: set[Path] = set()
_above: set[Path] = set()


def hide(*folders: Path) -> None:
    """Keep programs out of `folders` from now on; they read there what they are given by name."""
    for folder in map(Path.resolve, folders):
        _own.add(folder)
        _above.update(folder.parents)


def beside_our_own(places: Iterable[str | Path]) -> list[str]:
    """Return `places`, and for one that has folders of ours in it, all that lies beside those.

    Links are left out: what one leads to was not let in with the place that it lies in, nor is it now.
    """
    return [each for place in places for each in _beside(Path(place))]


def _beside(place: Path) -> Iterator[str]:
    real = place.resolve()
    if real not in _above:
        yield str(place)
        return
    with suppress(OSError):
        for each in sorted(real.iterdir()):
            if not each.is_symlink() and _own.isdisjoint((each, *each.parents)):
                yield from _beside(each)
