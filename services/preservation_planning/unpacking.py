"""Archives unpacked by the format policy: the members of one become its derivatives, all of them or none."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from packages.content_paths import content_path
from packages.errors import Invalid
from packages.findings import Finding, has_errors
from packages.format_policy import UNPACKING, Action, FormatPolicy, Outcome, member_name
from packages.model import NOTHING, ORIGINALS, FileEntry, Role, evolved
from packages.wording import counted
from storage.access_copies import FOLDER
from storage.durability import unavailable
from storage.sources import Limits, Received, has_members, receive
from storage.staging import Staging, Workspace
from tools.characterise import Characteriser
from tools.normalise import Made
from tools.normalise.crew import installed_version
from tools.ports import FormatIdentifier, Identification

AT_ONCE = 500
"""Members that are identified together."""
WORKPLACE = ".unpacking"
MOST_REASONS = 3
_TOO_MUCH = frozenset({"source.too-many-members", "source.too-large", "source.ratio"})
_NO_FILES = "It holds no files of its own: a document, or one compressed file."


class _Refusal(NamedTuple):
    outcome: Outcome
    reason: str


@dataclass(slots=True)
class _Room:
    """What may still come out: files and folders, and bytes."""

    members: int
    bytes: int

    def less(self, files: int, size: int) -> None:
        self.members -= files
        self.bytes -= size


@dataclass(slots=True)
class _Deposited:
    """An archive that was deposited: how it is unpacked, and what came out of it and of those inside.

    `whole` is how many bytes may come out for its size, `spent` how many have, `files` how many are kept.
    """

    entry: FileEntry
    action: Action
    room: _Room
    whole: int
    spent: int = 0
    files: int = 0
    notes: list[str] = field(default_factory=list)

    def made(self, outcome: Outcome, message: str = "") -> Made:
        return Made(self.action.kind, outcome, message, installed_version(UNPACKING), action=self.action)

    def note(self, received: Received) -> None:
        self.spent += received.bytes
        found = [each.message for each in received.findings]
        if empty := len(received.empty_directories):
            found.append(f"{counted(empty, 'empty folder')} left out")
        self.notes += found[: MOST_REASONS - len(self.notes)]


class Unpacker:
    """Unpacks archives of one package below `folder`, as `policy` says, with the reader of deposits.

    No more comes out of all of them than `limits` allow one submission. `progress` hears of bytes done.
    """

    def __init__(
        self,
        folder: Path,
        policy: FormatPolicy,
        limits: Limits,
        tools: tuple[FormatIdentifier, Characteriser],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._folder, self._policy, self._limits = folder, policy, limits
        self._identifier, self._characteriser = tools
        self._progress = progress
        self._room = _Room(limits.members, limits.bytes)
        self._place = folder / WORKPLACE
        self._staging = Staging(self._place)

    def unpacked(self, entry: FileEntry, source: str | Path) -> Iterator[tuple[Made, FileEntry | None]]:
        """Yield what comes out of the archive `entry`, which lies at `source`; nothing for other files.

        Each file comes with its row, and its bytes are below the folder. Without a row come what became of
        each archive inside that was not opened, and at the end what became of the whole. An archive that
        would be refused as a deposit (a link, a climbing name, a password, damage, more than the limits)
        leaves nothing but that last word; one inside is kept as a file then, else what it holds takes its
        place. Memory grows with the members' names only. Raises Unavailable where the disk takes no more.
        """
        action = self._policy.unpacking(entry)
        if action is None:
            return
        source = Path(source)
        most, ratio = action.arguments, min(action.arguments["ratio"], self._limits.ratio)
        of = _Deposited(
            entry,
            action,
            _Room(min(most["members"], self._room.members), min(most["bytes"], self._room.bytes)),
            max(self._limits.ratio_from, ratio * entry.size),
        )
        name = entry.path.removeprefix(ORIGINALS)
        if not has_members(source, name):
            yield of.made(Outcome.SKIPPED, _NO_FILES), None
            return
        opened = self._open(source, name, 1, of)
        if isinstance(opened, _Refusal):
            yield of.made(opened.outcome, opened.reason), None
            return
        yield from self._members(opened, name, 1, of)
        yield of.made(Outcome.DONE, "; ".join(of.notes)), None

    def tidy(self) -> None:
        """Remove what archives were read into, once the last has been."""
        shutil.rmtree(self._place, ignore_errors=True)

    def _open(self, source: Path, name: str, level: int, of: _Deposited) -> Workspace | _Refusal:
        """Read the archive `source`, called `name`, into the workspace of its level; whole, or it is refused.

        What the one before it has left there goes: of each level one archive is open at a time. What came out
        before it was refused counts, or very many of which each is refused at its end would take days.
        """
        workspace = self._staging.workspace(f"level-{level}")
        limits = replace(
            self._limits,
            members=of.room.members,
            bytes=max(0, min(of.room.bytes, of.whole - of.spent)) if of.spent else of.room.bytes,
            ratio=min(of.action.arguments["ratio"], self._limits.ratio),
            depth=self._limits.depth - name.count("/") - 1,
            path_bytes=self._limits.path_bytes - len(name.encode()) - 1,
        )
        out = 0

        def came(size: int) -> None:
            nonlocal out
            out += size
            if self._progress is not None:
                self._progress(size)

        rooms = (of.room, self._room)
        try:
            received = receive(
                source,
                workspace,
                limits,
                algorithms=lambda _: set(),
                progress=came,
                name=name.rpartition("/")[2],
            )
        except Invalid as error:
            of.spent += out
            for room in rooms:
                room.less(0, out)
            return _refusal(error.findings, limits)
        for room in rooms:
            room.less(received.files + len(received.empty_directories), received.bytes)
        of.note(received)
        return workspace

    def _members(
        self, opened: Workspace, name: str, level: int, of: _Deposited
    ) -> Iterator[tuple[Made, FileEntry | None]]:
        rows = opened.read_sheet("received")
        while some := list(islice(rows, AT_ONCE)):
            for row, match, properties in self._described(opened, some):
                path, source = member_name(name, row.path), opened.locate(row)
                entry = _entry(row, path, match, properties, of)
                inner = self._inside(entry, source, path, level + 1, of)
                if isinstance(inner, Workspace):
                    source.unlink()
                    yield from self._members(inner, path, level + 1, of)
                    continue
                if inner is not None:
                    yield of.made(Outcome.NOT_OPENED, f"{path}: {inner.reason}"), None
                of.files += 1
                yield self._kept(path, source, of), entry

    def _inside(
        self, entry: FileEntry, source: Path, path: str, level: int, of: _Deposited
    ) -> Workspace | _Refusal | None:
        """Open what came out of an archive, where that is one too; None for other files."""
        if self._policy.unpacking(entry) is None or not has_members(source, path):
            return None
        if level > (depth := of.action.arguments["depth"]):
            return _Refusal(Outcome.NOT_OPENED, f"archives are opened to a depth of {depth}")
        return self._open(source, path, level, of)

    def _described(
        self, opened: Workspace, some: list[FileEntry]
    ) -> Iterable[tuple[FileEntry, Identification, Mapping[str, Any]]]:
        places = [opened.locate(each) for each in some]
        matches = list(self._identifier.identify(places))
        found = self._characteriser.characterise_many(
            (place, match.mime) for place, match in zip(places, matches, strict=True)
        )
        return [(row, match, each.properties) for row, match, each in zip(some, matches, found, strict=True)]

    def _kept(self, path: str, source: Path, of: _Deposited) -> Made:
        kind = of.action.kind
        target = self._folder / kind / content_path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        except OSError as error:
            raise unavailable(error, f"Cannot stage {path}") from error
        said = "".join(f" {name}={value}" for name, value in of.action.arguments.items())
        command = f"{UNPACKING}: {of.action.recipe}{said}"
        return replace(of.made(Outcome.DONE), name=path, file=target, command=command)


def _entry(
    row: FileEntry, path: str, match: Identification, properties: Mapping[str, Any], of: _Deposited
) -> FileEntry:
    return evolved(
        row,
        path=f"data/{of.action.kind}/{path}",
        location=f"{FOLDER}/{of.action.kind}/{content_path(path)}",
        role=Role.PRESERVATION,
        digests=NOTHING,
        puid=match.puid,
        format_name=match.name,
        format_version=match.version,
        mime=match.mime,
        basis=match.basis,
        derived_from=of.entry.path,
        properties=properties,
    )


def _refusal(findings: tuple[Finding, ...], limits: Limits) -> _Refusal:
    """Say why an archive is not unpacked, from what would have refused it as a deposit."""
    wrong = [each for each in findings if has_errors((each,))]
    said = {
        "source.too-many-members": f"It holds more than {limits.members:,} files and folders.",
        "source.too-large": f"It holds more than {limits.bytes:,} bytes.",
        "source.no-files": "It holds no files.",
    }
    reasons = [said.get(each.code, each.message) for each in wrong[:MOST_REASONS]]
    if len(wrong) > MOST_REASONS:
        reasons.append(f"And {len(wrong) - MOST_REASONS:,} more.")
    outcome = Outcome.TOO_LARGE if any(each.code in _TOO_MUCH for each in wrong) else Outcome.FAILED
    return _Refusal(outcome, " ".join(reasons))
