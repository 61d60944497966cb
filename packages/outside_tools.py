"""Which programs of others may be started to convert and to judge files: a setting, read from its text."""

from dataclasses import dataclass
from typing import Self

from packages.errors import Invalid

SETTING = "HOLDFAST_OUTSIDE_TOOLS"
CONVERTERS = frozenset({"ffmpeg", "ghostscript", "libraw", "libreoffice", "readpst", "rsvg", "vips"})
VALIDATORS = frozenset({"epubcheck", "jhove", "mediaconch", "verapdf"})
NAMES = CONVERTERS | VALIDATORS
"""Tools as the format policy and the table of validation call them. What is not here is part of Holdfast."""
SWITCHED_OFF = f"switched off ({SETTING})"


@dataclass(frozen=True, slots=True)
class OutsideTools:
    """The outside tools that may be used; whether they are installed is another matter."""

    allowed: frozenset[str] = NAMES

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``all``, ``none`` or names with commas between them mean; raises Invalid for others."""
        if text.strip() in {"all", "none"}:
            return cls(NAMES if text.strip() == "all" else frozenset())
        names = {each.strip() for each in text.split(",") if each.strip()}
        if strange := sorted(names - NAMES):
            raise Invalid(
                f"no such tool: {', '.join(strange)}",
                hint=f"write all, none, or some of {', '.join(sorted(NAMES))}",
            )
        return cls(frozenset(names))

    def is_off(self, tool: str) -> bool:
        """Tell whether `tool` is one of others that may not be used."""
        return tool in NAMES and tool not in self.allowed
