"""Reports of tools in XML, read as a stream: what a tool said before it was ended counts."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from tools.sandbox import open_left

REPORT = "out/report"
FLOOR, EACH = 32 << 20, 256 << 10
"""Bytes that a report may have, and what is added for each file."""


def elements(report: Path, *ends: str) -> Iterator[etree._Element]:
    """Yield each element named as one of `ends` (local names) when it is whole, without holding the report.

    Stops silently where the report breaks off.
    """
    try:
        with open_left(report) as left:
            walk = etree.iterparse(
                left,
                events=("end",),
                tag=[f"{{*}}{name}" for name in ends],
                resolve_entities=False,
                no_network=True,
            )
            for _, element in walk:
                yield element
                element.clear()
                parent = element.getparent()
                while parent is not None and len(parent) > 1:
                    del parent[0]
    except (etree.XMLSyntaxError, OSError):
        return


def text(element: etree._Element, name: str) -> str:
    """Return the text of the first child with that local name, or ""."""
    found = element.find(f"{{*}}{name}")
    return (found.text or "").strip() if found is not None else ""
