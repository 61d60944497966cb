"""How much findings about formats weigh is the archivist's to say."""

import pytest

from packages.errors import Invalid
from packages.findings import Severity, finding
from packages.format_findings import FormatFindings
from tools.ports import Identification
from tools.pronom import findings_for

MISMATCH = Identification("fmt/101", "XML", "1.0", "application/xml", "byte match", "extension mismatch")
UNKNOWN = Identification(None, None, None, "text/plain", None, "no match")


def weighed(rules: str, identification: Identification, size: int = 1) -> list[Severity]:
    found = findings_for("x.dat", identification, size)  # without an extension none can be wrong
    return [each.severity for each in FormatFindings(rules).judge(found, identification.puid)]


@pytest.mark.parametrize(
    ("rules", "severities"),
    [
        ("", [Severity.WARNING]),
        ("extension-mismatch=error", [Severity.ERROR]),
        ("extension-mismatch=error, extension-mismatch:fmt/101=info", [Severity.INFO]),
        ("extension-mismatch:fmt/99=error", [Severity.WARNING]),
        ("extension-mismatch:fmt/101=ignore", []),
        ("format.extension-mismatch = ignore,", []),
        ("unknown=error", [Severity.WARNING]),
    ],
)
def test_the_most_particular_rule_decides(rules: str, severities: list[Severity]) -> None:
    assert weighed(rules, MISMATCH) == severities


def test_F3_unknown_and_empty_have_rules_of_their_own() -> None:
    assert weighed("unknown=error,empty=ignore", UNKNOWN) == [Severity.ERROR]
    assert weighed("unknown=error,empty=ignore", UNKNOWN, size=0) == []


def test_nothing_else_of_a_finding_changes() -> None:
    (was,) = findings_for("x", UNKNOWN, 1)
    (now,) = FormatFindings("unknown=info").judge([was], None)
    assert (now.code, now.message, now.hint, now.path) == (was.code, was.message, was.hint, was.path)
    assert was == finding("format.unknown", "x", mime="text/plain")


@pytest.mark.parametrize("rules", ["unknwon=error", "unknown", "unknown=bad", "bag.invalid=info"])
def test_what_is_no_rule_is_refused_with_what_there_is(rules: str) -> None:
    with pytest.raises(Invalid) as refused:
        FormatFindings(rules)
    assert "unknown" in refused.value.hint or "warning" in refused.value.hint
