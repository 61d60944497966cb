"""Checking a bag against a BagIt profile (BagIt Profiles Specification 1.1 to 1.4).

A profile is data; ours is ``schemas/bagit-profile.json``. Nothing is fetched: the caller brings the profile
(`packages.bagit.profile_document` reads one).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from packages.bagit.manifest import algorithm_named, manifest_name
from packages.bagit.profile_document import IDENTIFIER, covered
from packages.bagit.report import BagReport
from packages.errors import Invalid
from packages.findings import Finding, Findings
from packages.submission import Submission

_OWN = frozenset({"bagit.txt", "bag-info.txt", "package-info.txt", "fetch.txt"})
_SAME = {
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/tar": "application/x-tar",
    "application/x-gtar": "application/x-tar",
    "application/x-gzip": "application/gzip",
    "application/x-tar+gzip": "application/gzip",
    "application/tar+gzip": "application/gzip",
    "application/x-gtar-compressed": "application/gzip",
    "application/x-compressed-tar": "application/gzip",
    "application/x-bzip": "application/x-bzip2",
    "application/bzip2": "application/x-bzip2",
    "application/x-7z": "application/x-7z-compressed",
}
"""Names in use for media types, and the one that we mean by them."""


def check_profile(
    profile: Mapping[str, Any],
    report: BagReport,
    submission: Submission,
    root: str = "",
    *,
    serialization: str | None = None,
) -> tuple[Finding, ...]:
    """Return what in the bag at `root` breaks `profile`, each finding naming the field of the profile.

    `report` is what `validate_bag` returned for the same bag; `serialization` is the media type of the
    archive that the bag came in, None for a folder. Raises Invalid when `profile` is no BagIt profile.
    """
    if not isinstance(profile, Mapping) or not isinstance(profile.get("BagIt-Profile-Info"), Mapping):
        raise Invalid("The BagIt profile has no BagIt-Profile-Info, so it is none.")
    findings = Findings(root)
    files = [path[len(root) :] for path in submission.paths() if path.startswith(root)]
    tags = {each for each in files if not each.startswith("data/")}
    # What the rest depends on comes first, as the specification wants it.
    _serialization(profile, serialization, findings)
    _version(profile, report, findings)
    _identifier(profile, report, findings)
    _info(profile, report, findings)
    _manifests(profile, tags, findings)
    _files(profile, tags, "Tag-Files", findings)
    if "Payload-Files-Required" in profile or "Payload-Files-Allowed" in profile:
        _files(profile, {each for each in files if each.startswith("data/")}, "Payload-Files", findings)
    _payload_and_fetch(profile, report, tags, findings)
    return findings.all()


def profiles_named(report: BagReport) -> list[str]:
    """Return the profiles that a bag says it follows, in the order of its ``bag-info.txt``."""
    return [value for label, value in report.info if label.lower() == IDENTIFIER.lower()]


def _texts(profile: Mapping[str, Any], field: str) -> list[str]:
    """Return a list of strings of the profile, empty where it has none."""
    value = profile.get(field, [])
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise Invalid(f"The BagIt profile's {field} is not a list.")
    return [str(each) for each in value]


def _identifier(profile: Mapping[str, Any], report: BagReport, findings: Findings) -> None:
    """Check that the bag names the profile: always required, though profiles do not list it."""
    expected = str(profile["BagIt-Profile-Info"].get(IDENTIFIER, ""))
    if not expected or IDENTIFIER in profile.get("Bag-Info", {}):
        return
    named = profiles_named(report)
    if not named:
        findings.make("profile.tag-missing", "bag-info.txt", field=IDENTIFIER)
    elif expected not in named:
        told = ", ".join(named)
        findings.make("profile.tag-value", "bag-info.txt", field=IDENTIFIER, value=told, allowed=expected)


def _info(profile: Mapping[str, Any], report: BagReport, findings: Findings) -> None:
    """Check the tags of bag-info.txt: required, recommended, repeatable, values; labels without case."""
    given: dict[str, list[str]] = {}
    for label, value in report.info:
        given.setdefault(label.lower(), []).append(value)
    for label, rule in profile.get("Bag-Info", {}).items():
        values = given.get(label.lower(), [])
        if not any(values):
            if rule.get("required", False):
                findings.make("profile.tag-missing", "bag-info.txt", field=label)
            elif rule.get("recommended", False):
                findings.make("profile.tag-recommended", "bag-info.txt", field=label)
        if not rule.get("repeatable", True) and len(values) > 1:
            findings.make("profile.tag-repeated", "bag-info.txt", field=label)
        allowed = rule.get("values", [])
        for value in values:
            if allowed and value not in allowed:
                findings.make(
                    "profile.tag-value", "bag-info.txt", field=label, value=value, allowed=", ".join(allowed)
                )


def _version(profile: Mapping[str, Any], report: BagReport, findings: Findings) -> None:
    """Check the BagIt version."""
    accepted = _texts(profile, "Accept-BagIt-Version")
    if accepted and report.version not in accepted:
        findings.make(
            "profile.version", "bagit.txt", version=report.version or "none", allowed=", ".join(accepted)
        )


def _manifests(profile: Mapping[str, Any], tags: Iterable[str], findings: Findings) -> None:
    """Check which payload and tag manifests there are."""
    named = [each for each in map(manifest_name, tags) if each is not None]
    for is_tag, prefix in ((False, "Manifests"), (True, "Tag-Manifests")):
        there = {str(each.algorithm or each.name): each.name for each in named if each.is_tag is is_tag}
        for algorithm in _texts(profile, f"{prefix}-Required"):
            if (algorithm_named(algorithm) or algorithm) not in there:
                findings.make(
                    "profile.manifest-missing", None, field=f"{prefix}-Required", algorithm=algorithm
                )
        if f"{prefix}-Allowed" in profile:
            allowed = [algorithm_named(each) or each for each in _texts(profile, f"{prefix}-Allowed")]
            for algorithm, name in sorted(there.items()):
                if algorithm not in allowed:
                    findings.make(
                        "profile.manifest-not-allowed", name, field=f"{prefix}-Allowed", algorithm=algorithm
                    )


def _files(profile: Mapping[str, Any], there: set[str], prefix: str, findings: Findings) -> None:
    """Check required and allowed files: names, patterns, folders; BagIt's own files need no leave."""
    for path in _texts(profile, f"{prefix}-Required"):
        if path not in there and not _is_met(path, there):
            findings.make("profile.file-missing", path, field=f"{prefix}-Required")
    if f"{prefix}-Allowed" in profile:
        patterns = _texts(profile, f"{prefix}-Allowed")
        for path in sorted(_others(there)):
            if not covered(path, patterns):
                findings.make("profile.file-not-allowed", path, field=f"{prefix}-Allowed")


def _is_met(wanted: str, there: Iterable[str]) -> bool:
    """Tell whether a required entry that names no file is met: a folder that is not empty, or a pattern."""
    if wanted.endswith("/"):
        return any(each.startswith(wanted) for each in there)
    return any(mark in wanted for mark in "*?[") and any(fnmatchcase(each, wanted) for each in there)


def _others(there: Iterable[str]) -> Iterator[str]:
    """Yield the files that BagIt itself does not define."""
    for path in there:
        if path not in _OWN and manifest_name(path) is None:
            yield path


def _payload_and_fetch(
    profile: Mapping[str, Any], report: BagReport, tags: Iterable[str], findings: Findings
) -> None:
    """Check fetch.txt and whether there may be a payload."""
    has_fetch = "fetch.txt" in tags
    if has_fetch and not profile.get("Allow-Fetch.txt", True):
        findings.make("profile.fetch", "fetch.txt", field="Allow-Fetch.txt")
    if not has_fetch and profile.get("Fetch.txt-Required", False):
        findings.make("profile.file-missing", "fetch.txt", field="Fetch.txt-Required")
    if profile.get("Data-Empty", False) and (report.payload_files > 1 or report.payload_bytes):
        findings.make("profile.payload-not-empty", "data", field="Data-Empty")


def _serialization(profile: Mapping[str, Any], mime: str | None, findings: Findings) -> None:
    """Check whether the bag came in an archive, and in which."""
    wish = profile.get("Serialization", "optional")
    accepted = _texts(profile, "Accept-Serialization")
    if (mime is None and wish == "required") or (mime is not None and wish == "forbidden"):
        found = mime or "a folder"
        findings.make("profile.serialization", None, field="Serialization", wish=wish, found=found)
    elif mime is not None and accepted and _meant(mime) not in map(_meant, accepted):
        findings.make(
            "profile.serialization-accepted",
            None,
            field="Accept-Serialization",
            found=mime,
            accepted=", ".join(accepted),
        )


def _meant(mime: str) -> str:
    """Return the usual name of a media type."""
    plain = mime.partition(";")[0].strip().lower()
    return _SAME.get(plain, plain)
