"""BagIt profiles as documents: reading one, and all that is wrong with it (specification 1.1 to 1.4)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from packages.errors import Invalid
from packages.findings import Findings

LIMIT = 1 << 20
"""Bytes of a profile that are read; the largest in use have some 20 KB."""

IDENTIFIER = "BagIt-Profile-Identifier"
INFO = "BagIt-Profile-Info"
LISTS = (
    *("Manifests-Required", "Manifests-Allowed", "Tag-Manifests-Required", "Tag-Manifests-Allowed"),
    *("Tag-Files-Required", "Tag-Files-Allowed", "Payload-Files-Required", "Payload-Files-Allowed"),
    *("Accept-Serialization", "Accept-BagIt-Version"),
)
FLAGS = ("Allow-Fetch.txt", "Fetch.txt-Required", "Data-Empty")
WISHES = ("forbidden", "required", "optional")
_RULE_FLAGS = ("required", "repeatable", "recommended")
_PAIRS = ("Manifests", "Tag-Manifests", "Tag-Files", "Payload-Files")


def parse_profile(data: bytes, path: str | None = None) -> Mapping[str, Any]:
    """Return the profile that `data` holds. Raises Invalid with every finding, each naming its field.

    Fields that the specification does not know are passed over: profiles in use have some of their own.
    `path` is what the findings bear.
    """
    findings = Findings()
    try:
        profile = json.loads(data[: LIMIT + 1].decode("utf-8-sig")) if len(data) <= LIMIT else None
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict):
        findings.make("profile.not-a-profile", path, reason="it is no JSON object of at most 1 MiB")
    else:
        for field, problem in problems(profile):
            findings.make("profile.field", path, field=field, problem=problem)
    if findings.rejecting:
        raise Invalid("This is no BagIt profile.", findings=findings.all())
    return dict(profile or {})


def problems(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, what is wrong) of a profile, in the order of the specification."""
    info = profile.get(INFO)
    if not isinstance(info, Mapping):
        yield INFO, "is missing"
    else:
        for field in (IDENTIFIER, "Source-Organization", "External-Description", "Version"):
            if not isinstance(info.get(field), str) or not info[field].strip():
                yield f"{INFO}/{field}", "is missing, or no text"
    yield from _rules(profile.get("Bag-Info", {}))
    for field in LISTS:
        value = profile.get(field, [])
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield field, "is not a list"
        elif not all(isinstance(each, str) for each in value):
            yield field, "lists something that is no text"
    for field in FLAGS:
        if not isinstance(profile.get(field, False), bool):
            yield field, "is neither true nor false"
    yield from _together(profile)


def _rules(rules: object) -> Iterator[tuple[str, str]]:
    if not isinstance(rules, Mapping):
        yield "Bag-Info", "is not an object"
        return
    for label, rule in rules.items():
        if not isinstance(rule, Mapping):
            yield f"Bag-Info/{label}", "is not an object"
            continue
        for name in _RULE_FLAGS:
            if not isinstance(rule.get(name, False), bool):
                yield f"Bag-Info/{label}/{name}", "is neither true nor false"
        values = rule.get("values", [])
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            yield f"Bag-Info/{label}/values", "is not a list of texts"


def _together(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with fields that belong together."""
    wish = profile.get("Serialization", "optional")
    if wish not in WISHES:
        yield "Serialization", f"is none of {', '.join(WISHES)}"
    elif "Serialization" in profile and wish != "forbidden" and not profile.get("Accept-Serialization"):
        yield "Accept-Serialization", f"is needed where Serialization is {wish}"
    if not profile.get("Accept-BagIt-Version"):
        yield "Accept-BagIt-Version", "is missing: at least one version is needed"
    if profile.get("Fetch.txt-Required") is True and profile.get("Allow-Fetch.txt", True) is False:
        yield "Fetch.txt-Required", "asks for what Allow-Fetch.txt forbids"
    for prefix in _PAIRS:
        allowed, required = profile.get(f"{prefix}-Allowed"), profile.get(f"{prefix}-Required", [])
        if not isinstance(allowed, list) or not isinstance(required, list):
            continue
        left_out = [each for each in required if isinstance(each, str) and not covered(each, allowed)]
        if left_out:
            yield f"{prefix}-Allowed", f"lacks what {prefix}-Required lists: {', '.join(left_out)}"


def covered(path: str, patterns: Sequence[Any]) -> bool:
    """Tell whether an entry is among `patterns`: named, matched (``*`` stands for any characters), or below.

    A pattern that ends in ``/`` stands for everything in that folder.
    """
    return any(
        path == each or fnmatchcase(path, each) or (each.endswith("/") and path.startswith(each))
        for each in patterns
        if isinstance(each, str)
    )


def identifier_of(profile: Mapping[str, Any]) -> str:
    """Return the address by which bags name the profile."""
    return str(profile[INFO][IDENTIFIER])
