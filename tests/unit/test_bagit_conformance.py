"""The Library of Congress's conformance suite: every verdict, on every platform's cases."""

from pathlib import Path

import pytest

from packages.bagit.validate import validate_bag
from packages.findings import Severity
from packages.submission import interpret
from tests.support.folders import FolderSubmission

# What each refused bag must be refused for: a right verdict for a wrong reason would help nobody.
REASONS = {
    "baginfo-missing-encoding": "bag.encoding-missing",
    "bom-in-bagit.txt": "bag.declaration-bom",
    "corrupt-data-file": "bag.payload-corrupt",
    "corrupt-tag-file": "bag.tag-corrupt",
    "extra-file-in-bag": "bag.payload-not-listed",
    "invalid-version-number": "bag.version-unknown",
    "missing-baginfo": "bag.tag-missing",
    "missing-bagit.txt": "bag.declaration-missing",
    "same-filename-listed-twice-with-different-hashes": "bag.listed-twice-differently",
    "same-filename-listed-twice-with-the-same-hash": "bag.listed-twice",
    "notAllManifestsListAllFiles": "bag.payload-not-listed",
    "bagit-with-invalid-whitespace": "bag.declaration-blanks",
}


@pytest.mark.shared
def test_C1_C2_C3_every_verdict_of_the_conformance_suite(shared: Path) -> None:
    suite = shared / "conformance" / "bagit"
    bags = sorted(path for path in suite.glob("v*/*/*") if path.is_dir())
    wrong = []
    for bag in bags:
        expected = bag.parent.name
        submission = FolderSubmission(bag)
        shape = interpret(submission)
        report = validate_bag(submission, shape.root, digests_known=True)
        severities = {each.severity for each in report.findings}
        codes = {each.code for each in report.findings}
        if expected == "valid":
            right = report.is_valid
        elif expected == "warning":
            right = report.is_valid and Severity.WARNING in severities
        else:  # "invalid", and on every platform also "linux-only" and "windows-only"
            right = not report.is_valid and REASONS.get(bag.name, "bag.path-outside") in codes
        if not right or shape.kind != "bag":
            wrong.append((str(bag.relative_to(suite)), sorted(codes)))
    assert wrong == []
    assert len(bags) == 60
