"""How much findings about formats weigh in this archive, by finding and format: the archivist's own rules.

Written as ``unknown=error, extension-mismatch:fmt/101=info, ambiguous=ignore``: what is found (the part of
the code behind ``format.``), a PUID where the rule is for one format only, and a severity or *ignore*.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import schemas
from packages.errors import Invalid
from packages.findings import Finding, Severity

PREFIX = "format."
IGNORE = "ignore"


class FormatFindings:
    """The rules in `text`, the most particular first; raises Invalid for what is no rule."""

    def __init__(self, text: str = "") -> None:
        self._rules: dict[tuple[str, str | None], Severity | None] = {}
        for rule in filter(None, (each.strip() for each in text.split(","))):
            what, _, weight = (each.strip() for each in rule.partition("="))
            name, _, puid = (each.strip() for each in what.partition(":"))
            self._rules[(_code(name, rule), puid or None)] = _severity(weight, rule)

    def judge(self, findings: Iterable[Finding], puid: str | None) -> Iterator[Finding]:
        """Yield findings about one file with the severity that they have here, but for those ignored."""
        if not self._rules:
            yield from findings
            return
        for each in findings:
            key = (each.code, puid)
            wanted = self._rules.get(key if key in self._rules else (each.code, None), each.severity)
            if wanted is not None:
                yield replace(each, severity=wanted)


def _code(name: str, rule: str) -> str:
    codes = [each for each in schemas.load("findings.json") if each.startswith(PREFIX)]
    code = PREFIX + name.removeprefix(PREFIX)
    if code not in codes:
        known = ", ".join(each.removeprefix(PREFIX) for each in codes)
        raise Invalid(f"“{rule}” names no finding about formats", hint=f"there are {known}")
    return code


def _severity(weight: str, rule: str) -> Severity | None:
    if weight == IGNORE:
        return None
    try:
        return Severity(weight)
    except ValueError:
        known = ", ".join([*Severity, IGNORE])
        raise Invalid(f"“{rule}” gives no severity", hint=f"one of {known}") from None
