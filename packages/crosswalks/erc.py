"""The record as an Electronic Resource Citation in ANVL (Kunze, *A Metadata Kernel for Permanence*).

It is what an ARK answers to ``?info``: who, what, when, where, and what its keeper promises.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packages.record import full_record, title_of

UNKNOWN = "(:unav) value unavailable, possibly unknown"
LONGEST = 2_000  # characters of one value; a title may have a million
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def erc(
    record: Mapping[str, Any] | None,
    *,
    what: str | None,
    where: str,
    promise: str,
    keeper: str,
    since: str,
) -> str:
    """Return the citation of a package that stands at `where`, kept by `keeper` `since` a date.

    Without a `record` (a tombstone) only `what` is told of it. Each value stands on one line: what a
    depositor wrote can neither add a line nor end the block.
    """
    return _block("erc", [*_kernel(record, what), ("where", where)]) + _block(
        "erc-support", [("who", keeper), ("what", promise), ("when", since), ("where", where)]
    )


def _kernel(record: Mapping[str, Any] | None, what: str | None) -> Iterator[tuple[str, str]]:
    full = full_record(record) if record is not None else {}
    yield "who", "; ".join(each["name"] for each in full.get("creators", ())) or UNKNOWN
    yield "what", what or (title_of(full) if full else UNKNOWN)
    yield "when", str(full.get("publicationYear", "")) or UNKNOWN


def _block(name: str, pairs: list[tuple[str, str]]) -> str:
    return f"{name}:\n" + "".join(f"{label}: {_line(value)}\n" for label, value in pairs)


def _line(value: str) -> str:
    line = _BLANK.sub(" ", value).strip()
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"
