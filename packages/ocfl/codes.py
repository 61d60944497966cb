"""Findings in the specification's own words: its codes, from E001 to E112 and from W001 to W016.

What a code says, in which section it stands and what to do about it lies in ``schemas/ocfl-codes.json``.
"""

import schemas
from packages.findings import Finding, Findings, Severity

CODES = "ocfl-codes.json"


def severity_of(code: str) -> Severity:
    """Return what a code weighs: ``E…`` breaks a MUST of the specification, ``W…`` a SHOULD."""
    return Severity.ERROR if code.startswith("E") else Severity.WARNING


class Faults:
    """Collects findings by the specification's codes; the first thousand of each, then a number.

    `prefix` is put before every path: where the object lies below the storage root.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = f"{prefix}/" if prefix else ""
        self._found = Findings()

    def add(self, code: str, path: str | None = None, detail: str = "") -> None:
        """Note that `path` breaks `code`; `detail` says what exactly is there."""
        entry = schemas.load(CODES)[code]
        sentence = entry["sentence"]
        if detail:
            sentence = f"{sentence.removesuffix('.')}: {shortened(detail)}"
        where = self._prefix.removesuffix("/") or None if path is None else self._prefix + path
        self._found.add(Finding(code, severity_of(code), where, sentence, entry["hint"]))

    @property
    def failed(self) -> bool:
        """Tell whether a MUST was broken."""
        return self._found.rejecting

    def all(self) -> tuple[Finding, ...]:
        """Return what was found, in the order in which it was."""
        return self._found.all()


def shortened(text: str, longest: int = 300) -> str:
    """Return a text from the object short enough to be read."""
    return text if len(text) <= longest else f"{text[:longest]}…"
