"""Collecting findings: all of them, but not a million of one sort."""

from collections import Counter

from packages.findings import Finding, finding

PER_CODE = 1000
"""How many findings of one code are listed one by one; the rest are counted."""


class Findings:
    """Collects findings in the order in which they are made; keeps to `PER_CODE` of each code.

    `prefix` is put before every path: where the bag begins in the submission.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._list: list[Finding] = []
        self._counts: Counter[str] = Counter()

    def add(self, code: str, path: str | None = None, **blanks: object) -> None:
        """Make the finding `code` (see `packages.findings.finding`) and keep or count it."""
        self._counts[code] += 1
        if self._counts[code] <= PER_CODE:
            whole = None if path is None else self._prefix + path
            self._list.append(finding(code, whole, **blanks))

    def count(self, code: str) -> int:
        """Return how often `code` was found."""
        return self._counts[code]

    def all(self) -> tuple[Finding, ...]:
        """Return what was found, with one finding for each code of which more was found than is listed.

        It bears the same severity, so nothing weighs less for being frequent.
        """
        result = list(self._list)
        for code, count in self._counts.items():
            if count > PER_CODE:
                last = next(each for each in self._list if each.code == code)
                rest = finding("bag.more-of-the-same", None, count=count - PER_CODE, kind=code)
                result.append(Finding(rest.code, last.severity, None, rest.message, rest.hint))
        return tuple(result)
