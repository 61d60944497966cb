"""Findings: what validation has to say about a submission, as data.

Codes, severities, sentences and hints live in ``schemas/findings.json``; code only names a code and fills
its blanks. An exception means "could not check"; a finding means "checked, and this is what is there".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import schemas


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
    fill = {"path": path or "", **blanks}
    return Finding(
        code,
        Severity(entry["severity"]),
        path,
        entry["sentence"].format_map(fill),
        entry["hint"].format_map(fill),
    )


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether any of `findings` rejects the submission."""
    return any(each.severity is Severity.ERROR for each in findings)
