"""Check submissions and identify files without taking anything in."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packages.bagit.fetch import Allowed
from packages.checksum_lists import algorithms_declared
from packages.errors import HoldfastError, Invalid, NotFound
from packages.findings import Finding, Severity, has_errors
from packages.scratch import scratch_folder
from services.ingest.examination import examine
from services.ingest.fetching import complete
from services.ingest.profiles import Profiles
from storage.ports import Progress
from storage.sources import RECEPTION, Limits, measure
from storage.staging import StagedSubmission, Staging
from tools.pronom import PronomIdentifier


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to: ``valid``, ``invalid``, or ``unchecked`` when the check could not be made."""

    path: str
    verdict: str
    findings: tuple[Finding, ...]
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the check as JSON."""
        shown = {
            "path": self.path,
            "verdict": self.verdict,
            "findings": [asdict(each) for each in self.findings],
        }
        return shown | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, slots=True)
class Beside:
    """What comes beside a submission: what it is called where its file is called otherwise, record and title.

    `is_made` tells that its archive was made here, of files that came singly.
    """

    name: str | None = None
    record: bytes | None = None
    title: str | None = None
    is_made: bool = False


def check(
    source: Path,
    *,
    limits: Limits,
    scratch: Path | None = None,
    strict: bool = False,
    progress: Progress = lambda _done: None,
    profiles: Profiles | None = None,
    fetch_from: tuple[Allowed, ...] = (),
    beside: Beside | None = None,
) -> Checked:
    """Validate what lies at `source` as an ingest would, and leave no trace.

    A folder is read where it lies; an archive is unpacked into a temporary folder below `scratch`. With
    `strict` a warning makes it invalid. `profiles` are the BagIt profiles that count, `fetch_from` is
    where files that a fetch.txt names are fetched from.
    """
    said = beside or Beside()
    with scratch_folder("holdfast-check-", scratch) as folder:
        workspace = Staging(folder).workspace("check")
        try:
            if not source.exists():
                raise NotFound(f"there is nothing at {source}", hint="check the path")
            received = measure(
                source, workspace, limits, algorithms=algorithms_declared, progress=progress, name=said.name
            )
            fetched = complete(workspace, fetch_from, limits, progress)
            with StagedSubmission(workspace) as submission:
                seen = examine(
                    submission,
                    record=said.record,
                    title=said.title,
                    name=said.name or source.name,
                    publisher="",
                    profiles=profiles or Profiles(),
                    container="" if said.is_made else workspace.read_json(RECEPTION)["container"],
                    fetched=fetched,
                )
        except Invalid as error:
            return Checked(str(source), "invalid", error.findings, error.message)
        except HoldfastError as error:
            verdict = "invalid" if isinstance(error, NotFound) else "unchecked"
            return Checked(str(source), verdict, error.findings, error.message)
    findings = (*received.findings, *seen.findings)
    wrong = has_errors(findings) or (strict and any(each.severity is Severity.WARNING for each in findings))
    return Checked(str(source), "invalid" if wrong else "valid", findings)


def identify(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield the format of each file; folders are walked in the order of their names."""
    given = list(paths)
    files = [file for path in given for file in _files(path)]
    identifier = PronomIdentifier()
    identifier.let_read(*given)
    try:
        for file, found in zip(files, identifier.identify(files), strict=True):
            yield {
                "path": str(file),
                "puid": found.puid,
                "format": found.name,
                "version": found.version,
                "mime": found.mime,
                "basis": found.basis,
                "warning": found.warning,
            }
    finally:
        identifier.close()


def _files(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise NotFound(f"there is nothing at {path}", hint="check the path")
    if path.is_dir():
        yield from sorted(each for each in path.rglob("*") if each.is_file() and not each.is_symlink())
    else:
        yield path
