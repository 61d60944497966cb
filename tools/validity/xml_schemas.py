"""XML against the schemas that it names, offline: its package's own, or those of the archive's folder."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from packages.policies import VALIDATE_XML_SECONDS
from tools.process import Employer, Lost, Work
from tools.validity.ports import Outcome, Subject, Validity
from tools.validity.table import XML

WORK = Work(
    module="tools.validity.xml_worker",
    seconds=VALIDATE_XML_SECONDS,
    memory=1 << 30,
    batch=100,
    environment={},
)


class XmlSchemas(Employer):
    """Judges XML documents in a child process. `folder` is the archive's own schemas, or None.

    Nothing is fetched, no entity is expanded, and no file outside the package and `folder` is read, whatever
    a document or a schema says.
    """

    name = XML
    title = "libxml2"

    def __init__(self, folder: Path | None = None, work: Work = WORK) -> None:
        super().__init__(work, size=1)
        self.folder = folder
        if folder is not None:
            self.let_read(folder)

    @property
    def version(self) -> str:
        """Return the version of the library."""
        return ".".join(map(str, etree.LIBXML_VERSION))

    def judge(self, subjects: Sequence[Subject], root: Path, largest: int) -> Iterator[Validity]:
        """Yield an outcome for each of `subjects`; `root` is where `path` lies by its content path."""
        self.let_read(root)
        tool = f"{self.title} {self.version}"
        jobs = ([str(each.file), str(root), each.path, str(self.folder or ""), largest] for each in subjects)
        for answer in self._answers(jobs):
            if isinstance(answer, Lost):
                yield Validity.of(Outcome.UNCHECKED, tool, None, [answer.reason])
            else:
                outcome, profile, messages = answer
                yield Validity.of(Outcome(outcome), tool, profile, messages)

    def _answers(self, jobs: Iterable[list[Any]]) -> Iterator[Any]:
        yield from self._crew.map(jobs)
