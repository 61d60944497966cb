"""The members of an archive as names: judged, each once, files and folders apart."""

from packages.findings import finding
from storage.sources.intake import Intake
from storage.sources.names import judge_name, shown


class Members:
    """Keeps account of an archive's members; everything that is wrong goes to the intake's findings.

    Raises Invalid at once when there are more members than the limits allow.
    """

    def __init__(self, intake: Intake) -> None:
        self._limits = intake.limits
        self._findings = intake.findings
        self._files: set[str] = set()
        self._folders: set[str] = set()  # every folder that is named
        # Every folder that something is in, by its hash: a path may be 250 folders, each with a long name.
        self._parents: set[int] = set()
        self._count = 0

    def file(self, path: str) -> bool:
        """Tell whether the file `path` can be accepted, and count it."""
        self._next()
        if self._findings.add(judge_name(path, self._limits)):
            return False
        if path in self._files:
            self._findings.add(finding("archive.duplicate-name", shown(path)))
            return False
        self._files.add(path)
        if path in self._folders or hash(path) in self._parents:
            self._findings.add(finding("archive.file-and-folder", shown(path)))
        self._lies_in(path)
        return True

    def folder(self, path: str) -> None:
        """Count the folder `path` (given without a trailing slash); one that is named twice is no trouble."""
        self._next()
        if self._findings.add(judge_name(path, self._limits)):
            return
        if path in self._files:
            self._findings.add(finding("archive.file-and-folder", shown(path)))
        self._folders.add(path)
        self._lies_in(path)

    def other(self, path: str) -> None:
        """Count a member that is neither and was refused."""
        self._next()
        self._findings.add(judge_name(path, self._limits))

    def empty_folders(self) -> list[str]:
        """Return the folders that nothing is in."""
        return sorted(each for each in self._folders if hash(each) not in self._parents)

    def _next(self) -> None:
        self._count += 1
        if self._count > self._limits.members:
            self._findings.stop(finding("source.too-many-members", limit=self._limits.members))

    def _lies_in(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        while parent and hash(parent) not in self._parents:
            if parent in self._files:
                self._findings.add(finding("archive.file-and-folder", shown(parent)))
            if parent not in self._folders:
                self._next()  # nobody named it, but it is made all the same
            self._parents.add(hash(parent))
            parent = parent.rpartition("/")[0]
