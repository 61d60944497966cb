"""The tools in child processes that every ingest calls; they load while the rest of the archive is opened.

Light to import, on purpose: the children start first, and the catalogue's libraries are imported meanwhile.
"""

from functools import cached_property

from tools.characterise import Characteriser
from tools.normalise import Normaliser
from tools.ports import FormatIdentifier
from tools.pronom import PronomIdentifier


class Toolbox:
    """Each tool is made when it is first asked for, and started at its first work, or by `start`."""

    @cached_property
    def identifier(self) -> FormatIdentifier:
        """Return the format identifier."""
        return PronomIdentifier()

    @cached_property
    def characteriser(self) -> Characteriser:
        """Return what reads technical metadata."""
        return Characteriser()

    @cached_property
    def normaliser(self) -> Normaliser:
        """Return what makes derivatives."""
        return Normaliser()

    def start(self) -> None:
        """Start what an ingest will call, so that it is ready by then; may be called any number of times."""
        for tool in (self.identifier, self.characteriser, self.normaliser):
            tool.start()

    def close(self) -> None:
        """End the child processes; may be called twice."""
        for name in ("identifier", "characteriser", "normaliser"):
            if (made := self.__dict__.pop(name, None)) is not None:
                made.close()
