"""Content negotiation (RFC 9110, 12.5.1): which of the forms on offer a client likes best."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110's word
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf"(?:{_TOKEN}|{_QUOTED})"
_RANGE = re.compile(  # possessive, so that no header makes it go back and try again
    rf"\s*+(?P<type>{_TOKEN})/(?P<subtype>{_TOKEN})"
    rf"(?P<parameters>(?:\s*+;\s*+(?:{_TOKEN}\s*+=\s*+{_VALUE})?+)*+)\s*+"
)
_PARAMETER = re.compile(rf";\s*+({_TOKEN})\s*+=\s*+({_VALUE})")
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[^",])++', re.DOTALL)
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
LONGEST = 4_000  # characters of a header that are read


class MediaRange(NamedTuple):
    """One part of an Accept header; parameters other than the weight are not told apart."""

    type: str
    subtype: str
    weight: float

    def specificity(self, offered: str) -> int:
        """Return how closely this range names `offered`: 0 not at all, 1 ``*/*``, 2 ``type/*``, 3 exactly."""
        kind, _, sub = offered.partition("/")
        if (self.type, self.subtype) == (kind, sub):
            return 3
        if self.subtype == "*":
            return 2 if self.type == kind else int(self.type == "*")
        return 0


def parse_accept(header: str) -> list[MediaRange]:
    """Return the parts of an Accept header that can be read, in their order; what cannot is passed over."""
    found = []
    for part in _PART.findall(header[:LONGEST]):
        match = _RANGE.fullmatch(part)
        if match is None or (match["type"] == "*" and match["subtype"] != "*"):
            continue
        parameters = {name.lower(): value for name, value in _PARAMETER.findall(match["parameters"])}
        weight = parameters.get("q", "1")
        if _WEIGHT.fullmatch(weight):
            found.append(MediaRange(match["type"].lower(), match["subtype"].lower(), float(weight)))
    return found


def best(header: str, offered: Sequence[str]) -> str | None:
    """Return the media type of `offered` that the header likes best, None if it likes none of them.

    The most specific range that names a type gives its weight. Of equal weights the one that was named
    more closely wins, then the one that is offered first. A header that is empty, or of which nothing can
    be read, likes everything.
    """
    ranges = parse_accept(header)
    if not ranges:
        return offered[0]
    liked: list[tuple[float, int, int]] = []
    for place, each in enumerate(offered):
        closeness, weight = max(
            ((one.specificity(each), one.weight) for one in ranges), key=lambda pair: pair[0]
        )
        if closeness and weight:
            liked.append((weight, closeness, -place))
    return offered[-max(liked)[2]] if liked else None
