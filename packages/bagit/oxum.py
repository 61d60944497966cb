"""Payload-Oxum: the cheap check that finds a cut transfer before a byte is digested (RFC 8493, 2.2.2)."""

import re
from collections.abc import Iterable, Mapping, Sequence

from packages.bagit.completeness import is_debris
from packages.findings import Findings
from packages.wording import counted

_OXUM = re.compile(r"([0-9]+)\.([0-9]+)")


def check_oxum(
    info: Iterable[tuple[str, str]],
    octets: int,
    payload: set[str],
    manifests: Sequence[Mapping[str, bytes]],
    findings: Findings,
    path: str,
) -> bool:
    """Compare each Payload-Oxum in `info` (the file at `path`) with the payload; tell whether none disagrees.

    Listed files that only an operating system had made (``.DS_Store``), and that are gone, may have been
    counted: then the count must be right with them, and the octets not fewer than those that are there.
    """
    gone = {path for entries in manifests for path in entries if is_debris(path)} - payload
    agrees = True
    for label, value in info:
        if label.lower() != "payload-oxum":
            continue
        match = _OXUM.fullmatch(value)
        if match is None:
            findings.make("bag.oxum-malformed", path, value=value)
            continue
        said = int(match[1][:30]), int(match[2][:30])
        with_debris = gone and said[1] == len(payload) + len(gone) and said[0] >= octets
        if said != (octets, len(payload)) and not with_debris:
            findings.make(
                "bag.oxum-mismatch", path, declared=value, octets=octets, files=counted(len(payload), "file")
            )
            agrees = False
    return agrees
