"""What a caller sees of characterisation: which family reads what, and the answers in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from packages.policies import CHARACTERISE_SECONDS
from tools.characterise.families import family_of
from tools.characterise.fitting import LONGEST, clean
from tools.crew import Employer
from tools.crew_child import Lost, Work
from tools.crew_terms import text
from tools.ports import Characterisation, Identification

WORK = Work(
    module="tools.characterise.worker",
    seconds=CHARACTERISE_SECONDS,
    memory=1 << 30,
    batch=100,
    environment={},
    alike=itemgetter(0),
)

NOTHING = Characterisation("none", {}, None)
MOST_PROPERTIES = 200
"""Names of properties of one file; a reader has some dozens."""
LONGEST_NAME = 100
AT_ONCE = 1000
"""Files looked at before an answer is waited for: those that no family reads must not pile up."""


class Characteriser(Employer):
    """Reads the technical metadata of files, on `size` child processes; close it, or use it in a `with`.

    Safe to use from several threads. Never raises for a file: what could not be read is the `error` of its
    Characterisation.
    """

    def __init__(self, work: Work = WORK, *, size: int = 2) -> None:
        super().__init__(work, size=size)

    def characterise(self, path: Path, identification: Identification) -> Characterisation:
        """Return what the reader of the identified format finds in one file."""
        (found,) = self.characterise_many([(path, identification.mime)])
        return found

    def characterise_many(self, files: Iterable[tuple[Path | str, str | None]]) -> Iterator[Characterisation]:
        """Yield one Characterisation for each (file, MIME type), in order, in bounded memory."""
        rest = iter(files)
        while some := list(islice(rest, AT_ONCE)):
            yield from self._some(some)

    def _some(self, files: Iterable[tuple[Path | str, str | None]]) -> Iterator[Characterisation]:
        families: deque[str | None] = deque()

        def jobs() -> Iterator[list[str]]:
            for path, mime in files:
                family = family_of(mime)
                families.append(family)
                if family is not None:
                    yield [family, str(path)]

        answers = self._crew.map(jobs(), _characterised)
        for answer in answers:
            while (family := families.popleft()) is None:
                yield NOTHING
            yield Characterisation(family, {}, answer.reason) if isinstance(answer, Lost) else answer
        yield from (NOTHING for _ in families)


def _characterised(_job: Any, said: Any, _own: Path) -> Characterisation:
    tool, properties, error = said
    if not isinstance(properties, dict) or len(properties) > MOST_PROPERTIES:
        raise TypeError("no properties")
    if not all(name.isascii() and name.isprintable() and len(name) <= LONGEST_NAME for name in properties):
        raise ValueError("no names")
    told = None if error is None else text(error, LONGEST)
    return Characterisation(text(tool, LONGEST), clean(properties), told)
