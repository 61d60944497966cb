"""Findings: what validation has to say about a submission, as data.

Codes, severities, sentences and hints live in ``schemas/findings.json``; code only names a code and fills
its blanks. An exception means "could not check"; a finding means "checked, and this is what is there".
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import schemas

FINDINGS_PER_CODE = 1_000
"""Findings of one code that are listed: a million unknown formats do not become a million rows."""
LONGEST_BLANK = 1_000
"""Characters of one blank of a sentence that are shown."""


class Severity(StrEnum):
    """How much a finding weighs: an error rejects, a warning is shown, an info is kept."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    `path` is the path inside the submission as deposited (not escaped), or None for the whole; `hint` says
    what the depositor can do.
    """

    code: str
    severity: Severity
    path: str | None
    message: str
    hint: str


def finding(code: str, path: str | None = None, **blanks: object) -> Finding:
    """Make the finding `code`, filling the blanks of its sentence and hint.

    Raises KeyError for a code that ``schemas/findings.json`` does not list or a blank that is not given:
    both are defects that a test finds.
    """
    entry = schemas.load("findings.json")[code]
    fill = {"path": path or "", **{name: _cut(value) for name, value in blanks.items()}}
    return Finding(
        code,
        Severity(entry["severity"]),
        path,
        entry["sentence"].format_map(fill),
        entry["hint"].format_map(fill),
    )


def _cut(value: object) -> object:
    """Return a blank short enough to be read: a depositor's text may be of any length."""
    if isinstance(value, str) and len(value) > LONGEST_BLANK:
        return f"{value[:LONGEST_BLANK]}…"
    return value


class Findings:
    """Collects findings in the order in which they are made: the first thousand of each code, then a number.

    So neither memory nor the ledger grows with a million files of one fault. `prefix` is put before the paths
    that `make` is given: where the bag begins in the submission. `rejecting` tells whether any rejects.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._listed: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self.rejecting = False

    def make(self, code: str, path: str | None = None, **blanks: object) -> None:
        """Make the finding `code` (see `finding`) and keep it, or only count it where a thousand are kept."""
        if self._counts[code] >= FINDINGS_PER_CODE:
            self._counts[code] += 1
        else:
            self.add(finding(code, None if path is None else self._prefix + path, **blanks))

    def add(self, new: Finding | None) -> bool:
        """Keep or count `new` unless it is None; tell whether there was one."""
        if new is None:
            return False
        self._counts[new.code] += 1
        if self._counts[new.code] <= FINDINGS_PER_CODE:
            self._listed.append(new)
        self.rejecting |= new.severity is Severity.ERROR
        return True

    def extend(self, more: Iterable[Finding]) -> None:
        """Keep or count each of `more`."""
        for each in more:
            self.add(each)

    def count(self, code: str) -> int:
        """Return how often `code` was found."""
        return self._counts[code]

    def all(self) -> tuple[Finding, ...]:
        """Return what was found, and one finding more for each code of which more was found than is listed.

        It bears the severity of its kind, so that nothing weighs less for being frequent.
        """
        more = []
        for code, count in self._counts.items():
            if count > FINDINGS_PER_CODE:
                like = next(each for each in self._listed if each.code == code)
                rest = finding("findings.more", count=count - FINDINGS_PER_CODE, of=code)
                more.append(replace(rest, severity=like.severity))
        return (*self._listed, *more)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether any of `findings` rejects the submission."""
    return any(each.severity is Severity.ERROR for each in findings)
