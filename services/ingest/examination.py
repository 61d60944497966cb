"""Examine a submission: everything that can be said about it without keeping or changing anything.

`holdfast check` and the ingest's *validate* step both call `examine`, so that a check and an ingest agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from packages.bagit.validate import BagReport, validate_bag
from packages.checksum_lists import check_lists
from packages.findings import Finding, Findings, finding
from packages.names import name_findings, only_system_files
from packages.record import CURRENT, check_files_named, files_named, minimal_record, parse_record, title_of
from packages.submission import Shape, Submission, interpret
from services.ingest.descriptions import take_over
from services.ingest.fetching import Fetched
from services.ingest.profiles import Profiles

CONTAINERS = frozenset({".zip", ".7z", ".tar", ".gz", ".bz2", ".xz", ".zst", ".tgz", ".tbz2", ".txz"})

RECORD_BYTES = 16 * 2**20  # parse_record refuses what is too large; this bounds what is read for it


@dataclass(frozen=True, slots=True)
class Examined:
    """What examining came to; `checked` counts the depositor's digests that were compared.

    `declared` are those, by path in the submission and algorithm.
    """

    shape: Shape
    findings: tuple[Finding, ...]
    bag: BagReport | None
    record: dict[str, Any] | None
    checked: int
    declared: Mapping[str, Mapping[str, str]]


def examine(
    submission: Submission,
    *,
    record: bytes | None,
    title: str | None,
    name: str,
    publisher: str,
    profiles: Profiles,
    container: str = "",
    fetched: Fetched | None = None,
) -> Examined:
    """Check names, bag or checksum lists, and the record, and return all findings at once.

    `record` was given beside the submission and goes before one inside. `name` is the submission's file
    name, used as the title when nothing else says one. Without a record a minimal one is made, with a
    warning. A bag is held to those of `profiles` that count for it; `container` is the media type of the
    archive that it came in, empty for a folder; `fetched`, what came of its fetch.txt before.
    """
    shape = interpret(submission)
    findings = Findings()
    findings.extend((*shape.findings, *name_findings(submission.paths())))
    bag = None
    if shape.kind == "bag":
        came = fetched is not None and fetched.files > 0
        bag = validate_bag(submission, shape.root, digests_known=True, is_fetched=came)
        findings.extend(fetched.findings(f"{shape.root}fetch.txt") if fetched else ())
        declared: Mapping[str, Mapping[str, str]] = bag.declared
        findings.extend(bag.findings)
    else:
        declared, more = check_lists(submission)
        findings.extend(more)
    findings.extend(profiles.judge(submission, shape, bag, container or None))
    content = [path for path in submission.paths() if path.startswith(content_prefix(shape))]
    if only_system_files(content) and not findings.count("submission.no-files"):
        findings.make("submission.no-files")
    elif not any(submission.size(path) for path in content):
        findings.make("submission.empty-files-only")
    described, more = _record(submission, shape, bag, record, title, name, publisher)
    findings.extend(more)
    checked = sum(len(each) for each in declared.values())
    return Examined(shape, findings.all(), bag, described, checked, declared)


def content_prefix(shape: Shape) -> str:
    """Return what the paths of the depositor's content begin with, as received."""
    return f"{shape.root}data/" if shape.kind == "bag" else ""


def _record(
    submission: Submission,
    shape: Shape,
    bag: BagReport | None,
    given: bytes | None,
    title: str | None,
    name: str,
    publisher: str,
) -> tuple[dict[str, Any] | None, list[Finding]]:
    place = None
    if given is None:
        place, given = _record_inside(submission, shape)
    if given is None:
        return _made(submission, shape, bag, title, name, publisher)
    parsed, findings = parse_record(given, place)
    if parsed is None:
        return None, findings
    if title:
        parsed["title"] = title
    prefix = content_prefix(shape)
    named = [prefix + path for path in files_named(parsed)]
    if any(path not in submission for path in named):
        present = {path.removeprefix(prefix) for path in submission.paths()}
        findings += check_files_named(parsed, present, place)
    return parsed, findings


def _made(
    submission: Submission, shape: Shape, bag: BagReport | None, title: str | None, name: str, publisher: str
) -> tuple[dict[str, Any], list[Finding]]:
    """Make a record from what there is: bag-info.txt, a description in the submission, its name."""
    info = () if title or not bag else bag.info
    record = minimal_record(title or _stem(name), info, datetime.now(UTC).year)
    is_named = bool(title) or any(label.strip().lower() == "title" and value for label, value in info)
    taken, findings = take_over(submission, shape, record, is_named=is_named)
    if publisher:
        taken.setdefault("publisher", {"name": publisher})
    if taken is record:
        findings.append(finding("record.made", title=title_of(record)))
    return taken, findings


def _record_inside(submission: Submission, shape: Shape) -> tuple[str | None, bytes | None]:
    """Find the submission's record: ``metadata/record.json``, or a ``record.json`` of our schema."""
    tag, loose = f"{shape.root}metadata/record.json", f"{shape.root}record.json"
    if tag in submission:
        return tag, submission.read(tag, RECORD_BYTES)
    if shape.kind == "plain" and loose in submission:
        data = submission.read(loose, RECORD_BYTES)
        if CURRENT.encode() in data:
            return loose, data
    return None, None


def _stem(name: str) -> str:
    """Return a file name without the endings of containers, for use as a title."""
    while PurePosixPath(name).suffix.lower() in CONTAINERS:
        name = PurePosixPath(name).stem
    return name
