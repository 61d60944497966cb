"""A second judge for the bags that we built: bagit-python, the Library of Congress's own implementation.

It reads none of our code, so it finds what our writer and our validator would both overlook. It is no
higher court: where one of its defects applies (the table below; the tests show each) it is left out, and
the reason is recorded.
"""

import logging
import os
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import IO, Any

JUDGE_LIMIT = 20_000
"""Payload files above which bagit-python is not asked: it resolves each path and keeps many lists."""

_MAX_DETAILS = 100
_LINE_BREAKS = frozenset("\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def _most_breaks(name: str) -> int:
    return max(name.count("\n"), name.count("\r"))


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that bagit-python does not do as RFC 8493 says, with the names that meet it."""

    reason: str
    meets: Callable[[str], bool]


DEFECTS = (
    Defect("it does not decode %25 (RFC 8493, 2.1.3)", lambda name: "%" in name),
    Defect(
        "it ends lines at other characters than LF and CR", lambda name: not _LINE_BREAKS.isdisjoint(name)
    ),
    Defect("it strips blanks from the end of a path", lambda name: name != name.rstrip()),
    Defect("it decodes two %0A and two %0D of a path at most", lambda name: _most_breaks(name) > 2),
)
"""Defects that one name alone meets; `SAME_NORMALIZED` takes two names."""

SAME_NORMALIZED = "it takes names that differ in Unicode normalization for one"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the second judge says: `outcome` is ``agrees``, ``disagrees`` or ``left_out``.

    `reason` is one sentence; `details` are the judge's own words, at most a hundred; `judge` is its name
    and version.
    """

    outcome: str
    reason: str
    details: tuple[str, ...] = ()
    judge: str = ""


def judge(
    bag: Path,
    names: Iterable[tuple[str, str]],
    *,
    full: bool = False,
    scratch: Path | None = None,
) -> Opinion:
    """Ask bagit-python about the bag in the folder `bag`.

    `names` yields, for every file of the bag, its path in the bag and where it lies relative to the folder
    `bag`. Where the two differ (encoded content paths, a bag whose files lie in several OCFL versions) the
    bag is shown as hard links with the right names in a temporary folder inside `scratch` (default: beside
    `bag`), which must be on the same file system. Structure and completeness are judged, with `full` every
    digest too. Changes nothing, works without chdir, and always returns an opinion.
    """
    payload = 0
    placed: list[tuple[str, str]] = []
    folded: set[str] = set()
    for name, location in names:
        payload += name.startswith("data/")
        if payload > JUDGE_LIMIT:
            return _left_out(f"the bag has more than {JUDGE_LIMIT} payload files")
        defect = next((each for each in DEFECTS if each.meets(name)), None)
        if defect is not None:
            return _left_out(f"{defect.reason}: {name!r}")
        normal = unicodedata.normalize("NFC", name)
        if normal in folded:
            return _left_out(f"{SAME_NORMALIZED}: {name!r}")
        folded.add(normal)
        placed.append((name, location))
    if all(name == location for name, location in placed):
        return _ask(bag, full=full)
    try:
        with _linked(bag, placed, scratch or bag.parent) as tree:
            return _ask(tree, full=full)
    except (OSError, UnicodeError) as error:
        return _left_out(f"the files cannot be shown under their own names: {error}")


@contextmanager
def _linked(bag: Path, placed: Iterable[tuple[str, str]], scratch: Path) -> Iterator[Path]:
    """Lay a tree of hard links with the names of the bag; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="second-judge-", dir=scratch) as folder:
        made: set[str] = set()
        for name, location in placed:
            parent = name.rpartition("/")[0]
            if parent not in made:
                os.makedirs(f"{folder}/{parent}", exist_ok=True)  # noqa: PTH103  # strings: this runs for every file
                made.add(parent)
            os.link(f"{bag}/{location}", f"{folder}/{name}", follow_symlinks=False)
        yield Path(folder)


def _ask(folder: Path, *, full: bool) -> Opinion:
    """Let bagit-python open and validate the bag, and translate its answer."""
    import bagit  # noqa: PLC0415  # a third of a second saved for commands that build no bag

    logger = logging.getLogger("bagit")
    logger.propagate = False
    logger.disabled = True
    name = _name()
    try:
        _swift(bagit)(str(folder)).validate(completeness_only=not full)
    except bagit.BagError as error:
        details = tuple(str(each) for each in getattr(error, "details", ()))[:_MAX_DETAILS]
        return Opinion("disagrees", getattr(error, "message", "") or str(error), details, name)
    except Exception as error:  # noqa: BLE001  # whatever breaks in the judge is no word about the bag
        return _left_out(f"bagit-python failed: {type(error).__name__}: {error}")
    checked = "complete and every digest right" if full else "complete"
    return Opinion("agrees", f"The bag is {checked}.", (), name)


@cache
def _swift(bagit: Any) -> type[Any]:
    """Return bagit-python's class, made to do the same in a third of the time.

    It walks the bag once instead of twice, names what it finds without asking where it is, asks once for each
    folder where it leads, and reads lines by the common reader: the names on which that one differs from
    `codecs` are among the `DEFECTS`. What it judges, and how, is its own.
    """

    class Swift(bagit.Bag):  # type: ignore[misc]  # bagit ships no types
        """bagit-python's bag with a memory."""

        def __init__(self, path: str) -> None:
            self._seen: dict[str, bool] = {}
            self._payload: list[str] | None = None
            super().__init__(path)

        def payload_files(self) -> Iterator[str]:
            if self._payload is None:
                self._payload = []
                for folder, _, names in os.walk(f"{self.path}/data"):
                    inside = folder[len(self.path) + 1 :]
                    self._payload += [f"{inside}/{name}" for name in names]
                self.normalized_filesystem_names.update(
                    (bagit.normalize_unicode(path), path) for path in self._payload
                )
            return iter(self._payload)

        def _path_is_dangerous(self, path: str) -> bool:
            folder = path.rpartition("/")[0] or path
            if folder not in self._seen:
                self._seen[folder] = not self._is_inside(folder) and super()._path_is_dangerous(folder)
            return self._seen[folder]

        def _is_inside(self, folder: str) -> bool:
            """Tell whether `folder` lies in the bag for certain: plain names all the way, and no links."""
            above, _, name = folder.rpartition("/")
            if name in {"", ".", ".."} or folder.startswith(("/", "~")):
                return False
            if above and self._seen.get(above) is not False and not self._is_inside(above):
                return False
            return not os.path.islink(f"{self.path}/{folder}")  # noqa: PTH114  # strings: this is the inner loop

        # Its own code, with another function for the one name by which it opens a manifest.
        _load_manifests = FunctionType(
            bagit.Bag._load_manifests.__code__,  # noqa: SLF001  # see the docstring
            {**vars(bagit), "open_text_file": _open_text},
        )

    return Swift


def _open_text(path: str, mode: str = "r", encoding: str = "utf-8") -> IO[Any]:
    return open(path, mode, encoding=encoding)  # noqa: PTH123  # called as bagit-python calls its own


@cache
def _name() -> str:
    return f"bagit-python {version('bagit')}"


def _left_out(reason: str) -> Opinion:
    return Opinion("left_out", f"Not judged by bagit-python: {reason}.", (), _name())
