"""XML against the schemas that it names, offline: its package's own, or those of the archive's folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from packages.policies import VALIDATE_XML_SECONDS
from tools.crew import Employer
from tools.crew_child import Lost, Work
from tools.crew_terms import text
from tools.validity.ports import Outcome, Subject, Validity
from tools.validity.table import XML
from tools.validity.xml_bounds import LONGEST, MOST_MESSAGES

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
            self.let_list(folder)

    @property
    def version(self) -> str:
        """Return the version of the library."""
        return ".".join(map(str, etree.LIBXML_VERSION))

    def judge(self, subjects: Sequence[Subject], root: Path, largest: int) -> Iterator[Validity]:
        """Yield an outcome for each of `subjects`; `root` is where `path` lies by its content path."""
        self.let_read(root)
        jobs = ([str(each.file), str(root), each.path, str(self.folder or ""), largest] for each in subjects)
        for answer in self._crew.map(jobs, self._judged):
            if isinstance(answer, Lost):
                yield Validity.of(Outcome.UNCHECKED, self._tool, None, [answer.reason])
            else:
                yield answer

    @property
    def _tool(self) -> str:
        return f"{self.title} {self.version}"

    def _judged(self, _job: Any, said: Any, _own: Path) -> Validity:
        outcome, profile, messages = said
        if not isinstance(messages, list) or len(messages) > MOST_MESSAGES:
            raise TypeError("no messages")
        told = [text(each, LONGEST) for each in messages]
        return Validity.of(
            Outcome(outcome), self._tool, None if profile is None else text(profile, LONGEST), told
        )
