"""The tools that an archive uses: which are here, in what version, and which are not."""

from collections.abc import Iterator
from dataclasses import dataclass

from packages.outside_tools import SWITCHED_OFF
from services.archive import Archive
from tools.characterise import missing as missing_readers


@dataclass(frozen=True, slots=True)
class Equipment:
    """The tools for one kind of work: `here` as people call them, with versions; `absent`, `off` by name."""

    work: str
    here: tuple[str, ...]
    absent: tuple[str, ...]
    off: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """Return a sentence on it."""
        told = [", ".join(self.here)] if self.here else []
        if self.absent:
            told.append(
                f"not installed: {', '.join(self.absent)}"
                if told or self.off
                else "none of the tools is installed"
            )
        if self.off:
            told.append(f"{SWITCHED_OFF}: {', '.join(self.off)}")
        return "; ".join(told)


def equipment(archive: Archive) -> Iterator[Equipment]:
    """Yield what there is for technical metadata and for conformance."""
    absent = missing_readers()
    told = tuple(f"{name} (for {', '.join(families)})" for name, families in absent.items())
    yield Equipment(
        "technical metadata", ("every other reader is there" if told else "every reader is there",), told
    )
    tools = archive.validator.tools()
    yield Equipment(
        "conformance",
        tuple(f"{each.title} {each.version}".strip() for each in tools if each.version is not None),
        tuple(each.title for each in tools if each.version is None and not each.is_off),
        tuple(each.title for each in tools if each.is_off),
    )
