"""The tools in child processes that every ingest calls; they load while the rest of the archive is opened.

Light to import, on purpose: the children start first, and the catalogue's libraries are imported meanwhile.
"""

from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tools.characterise import Characteriser
from tools.crew import Employer
from tools.normalise import Normaliser
from tools.ports import FormatIdentifier
from tools.pronom import PronomIdentifier

Tool = TypeVar("Tool", bound=Employer)


class Toolbox:
    """Each tool is made when it is first asked for, and started at its first work, or by `start`.

    What they read lies in the folder that `work_in` names, which must be known before their first work.
    """

    _NAMES = ("identifier", "characteriser", "normaliser")

    def __init__(self) -> None:
        self._places: tuple[Path, Path] | None = None

    @cached_property
    def identifier(self) -> FormatIdentifier:
        """Return the format identifier."""
        return self._placed(PronomIdentifier())

    @cached_property
    def characteriser(self) -> Characteriser:
        """Return what reads technical metadata."""
        return self._placed(Characteriser())

    @cached_property
    def normaliser(self) -> Normaliser:
        """Return what makes derivatives."""
        return self._placed(Normaliser())

    def work_in(self, folder: Path, scratch: Path) -> None:
        """Let the tools read what lies in `folder`, and have their own folders in `scratch`."""
        self._places = folder, scratch
        for name in self._NAMES:
            if (made := self.__dict__.get(name)) is not None:
                made.work_in(folder, scratch)

    def let_read(self, *places: Path) -> None:
        """Let the tools read `places` as well, which are not the archive's own."""
        for tool in (self.identifier, self.characteriser, self.normaliser):
            tool.let_read(*places)

    def start(self) -> None:
        """Start what an ingest will call, so that it is ready by then; may be called any number of times."""
        for tool in (self.identifier, self.characteriser, self.normaliser):
            tool.start()

    def close(self) -> None:
        """End the child processes; may be called twice."""
        for name in self._NAMES:
            if (made := self.__dict__.pop(name, None)) is not None:
                made.close()

    def _placed(self, tool: Tool) -> Tool:
        if self._places is not None:
            tool.work_in(*self._places)
        return tool
