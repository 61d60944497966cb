"""Complete a holey bag: fetch what its ``fetch.txt`` names, from where that is allowed (RFC 8493, 2.2.3).

Nothing is fetched unless ``HOLDFAST_FETCH_ALLOWED`` lists where from. What comes is digested on its way in
like everything else, and the bag is judged afterwards as if it had come whole.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import NoReturn
from urllib.parse import urlsplit

from packages.bagit.fetch import Allowed, Wanted, parse_allowed
from packages.bagit.validate import fetchable
from packages.checksum_lists import algorithms_declared
from packages.errors import Refused
from packages.findings import Finding, Findings
from packages.submission import interpret
from packages.wording import counted
from services.settings import Settings
from storage.sources import Limits
from storage.sources.completing import Further, add_files, parents
from storage.staging import StagedSubmission, Workspace
from tools.fetching import Fetcher, NotFetched

FACT = "fetched"
"""What was fetched into a workspace, so that a repeated step says it too."""


@dataclass(slots=True)
class Fetched:
    """What came of a fetch.txt: files and bytes that came, from which hosts, and (path, URL, why not)."""

    files: int = 0
    bytes: int = 0
    hosts: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def told(self) -> str:
        """Return in a few words what came and from where."""
        came = f"{counted(self.files, 'file')} ({counted(self.bytes, 'byte')})"
        return f"{came} fetched from {', '.join(self.hosts)} as fetch.txt asks"

    def findings(self, where: str) -> tuple[Finding, ...]:
        """Return what is to be said to the depositor; `where` is the path of fetch.txt."""
        findings = Findings()
        if self.files:
            findings.make("bag.fetched", where, told=self.told())
        for path, url, reason in self.refused:
            findings.make("bag.fetch-refused", path, url=url, reason=reason)
        return findings.all()


def allowed_places(settings: Settings) -> tuple[Allowed, ...]:
    """Return where files may be fetched from. Raises Refused for a setting that cannot be understood."""
    try:
        return parse_allowed(settings.fetch_allowed)
    except ValueError as error:
        raise Refused(
            f"HOLDFAST_FETCH_ALLOWED: {error}", hint="write for example https://files.example.org/deposits/"
        ) from None


def complete(
    workspace: Workspace,
    allowed: tuple[Allowed, ...],
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> Fetched | None:
    """Fetch into `workspace` what its bag lacks and may be fetched; return what came of it.

    None where there is nothing to fetch or nothing is allowed. Repeating it fetches what is still lacking.
    Raises Unavailable where a server cannot be asked now: then nothing has been added.
    """
    if not allowed:
        return None
    so_far = Fetched(**workspace.read_json(FACT)) if workspace.has_json(FACT) else None
    with StagedSubmission(workspace) as submission:
        shape = interpret(submission)
        where = f"{shape.root}fetch.txt"
        wanted = fetchable(submission, shape.root) if shape.kind == "bag" and where in submission else []
        if not wanted:
            return so_far
        known = sum(submission.size(path) for path in submission.paths())
        tree = _Tree(submission.paths(), limits)
        algorithms = algorithms_declared(submission.paths())
    came, urls = Fetched(), {shape.root + each.path: each.url for each in wanted}

    def note(further: Further, outcome: Exception | int) -> None:
        if isinstance(outcome, int):
            came.files, came.bytes = came.files + 1, came.bytes + outcome
            host = str(urlsplit(urls[further.path]).hostname)
            came.hosts += [host] if host not in came.hosts else []
        elif isinstance(outcome, NotFetched):
            came.refused.append((further.path, urls[further.path], outcome.message))
        workspace.write_json(FACT, asdict(came))

    fetcher = Fetcher(allowed)
    add_files(
        workspace,
        limits,
        (_further(shape.root + each.path, each, fetcher, tree) for each in wanted),
        known=known,
        algorithms=algorithms,
        left_out=(NotFetched,),
        done=note,
        progress=progress,
    )
    return came


class _Tree:
    """The files and folders of a submission, so that none comes to lie where another is."""

    def __init__(self, paths: Iterable[str], limits: Limits) -> None:
        self._files = set(paths)
        self._folders = {above for path in self._files for above in parents(path)}
        self._limits = limits

    def why_not(self, path: str) -> str:
        """Return why nothing can be put at `path`; where it can, nothing, and it counts as there."""
        above = set(parents(path))
        if path in self._files or path in self._folders or above & self._files:
            return "a file or a folder is in its place"
        if len(path.encode()) > self._limits.path_bytes or len(above) >= self._limits.depth:
            return "its path is longer or deeper than the archive takes"
        if len(self._files) >= self._limits.members:
            return f"the archive takes no more than {self._limits.members} files"
        self._files.add(path)
        self._folders |= above
        return ""


def _further(path: str, wanted: Wanted, fetcher: Fetcher, tree: _Tree) -> Further:
    if reason := tree.why_not(path):
        return Further(path, partial(_refuse, reason))
    return Further(path, partial(fetcher.open, wanted.url, wanted.length))


def _refuse(reason: str) -> NoReturn:
    raise NotFetched(reason)
