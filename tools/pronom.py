"""Format identification: PRONOM by siegfried (pygfried) in a child process, and libmagic for MIME types.

Why a child: (1) a file on which the parser loops, crashes or swells must not take the archive down; (2) the
Go runtime reads GOMAXPROCS when its process starts, and with more threads of Go than cores, which wait for
the disk in turns, it does 1.6 times as many small files a second on two cores. To collect its garbage less
often (GOGC=400) was tried: 200 MB more, and no less work that could be measured.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from packages.errors import Unavailable
from packages.findings import Finding, finding
from packages.policies import IDENTIFY_BATCH_SECONDS
from tools.crew import Employer
from tools.crew_child import Lost, Work
from tools.crew_terms import text
from tools.ports import Identification

WORK = Work(
    module="tools.pronom_worker",
    seconds=IDENTIFY_BATCH_SECONDS,
    memory=2 << 30,
    batch=500,
    environment={"GOMAXPROCS": "4"},
    file=8 << 20,  # a stand-in: both ends of a long file
    room=256 << 20,
    alike=lambda path: str(path).rpartition(".")[2],
)
LONGEST = 10_000
"""Characters of what is said of a file; siegfried names each of many formats that fit."""


class PronomIdentifier(Employer):
    """A `tools.ports.FormatIdentifier`; close it, or use it in a `with`, to end its child process."""

    def __init__(self, work: Work = WORK) -> None:
        super().__init__(work, size=1)

    @cached_property
    def version(self) -> str:
        """Name, version and signature release, for PREMIS; raises Unavailable when the tool cannot start."""
        answer = next(self._crew.map([None], _version))
        if isinstance(answer, Lost):
            raise Unavailable(
                f"The format identifier cannot be started: {answer.reason}.",
                hint="Install pygfried and the system library libmagic; see README.",
            )
        return str(answer)

    def identify(self, paths: Iterable[Path | str]) -> Iterator[Identification]:
        """Identify each of `paths`, in order; raises Unavailable for a file that cannot be read."""
        _ = self.version  # a tool that cannot start is not a thousand unknown formats
        given: deque[Path | str] = deque()

        def noted() -> Iterator[str]:
            for path in paths:
                given.append(path)
                yield str(path)

        for answer in self._crew.map(noted(), _identified):
            path = given.popleft()
            if isinstance(answer, Lost):
                yield Identification(None, None, None, None, None, f"identification failed: {answer.reason}")
            elif isinstance(answer, str):
                raise Unavailable(f"The file {path} cannot be read: {answer}.")
            else:
                yield answer


def _version(_job: Any, said: Any, _own: Path) -> str:
    return text(said, LONGEST)


def _identified(_job: Any, said: Any, _own: Path) -> Identification | str:
    """Return what a file is, or why it cannot be read."""
    if not isinstance(said, list):
        raise TypeError("no fields")
    *fields, error = (None if each is None else text(each, LONGEST) for each in said)
    return error or Identification(*fields)


def findings_for(path: str, identification: Identification, size: int) -> list[Finding]:
    """Say what is remarkable about the format of the file `path` of `size` bytes: all are warnings.

    A match on the extension alone (JSON has no signature) is kept in the identification, no fault.
    """
    warning = identification.warning or ""
    if size == 0:
        return [finding("format.empty", path)]
    if identification.puid is None:
        return [finding("format.unknown", path, mime=identification.mime or "unknown")]
    found = []
    if "extension mismatch" in warning and PurePosixPath(path).suffix:  # also told of names without
        name = identification.name or identification.puid
        found.append(finding("format.extension-mismatch", path, puid=identification.puid, name=name))
    if "multiple matches" in warning:
        found.append(finding("format.ambiguous", path, warning=warning))
    return found
