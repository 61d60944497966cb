"""Take over what a depositor's own METS, EAD, MODS or Dublin Core says, where no record came with it."""

from collections.abc import Iterable, Iterator
from typing import Any

from packages.crosswalks.submitted import (
    HEAD,
    LIMIT,
    RANK,
    Description,
    UnreadableDescription,
    looks_like_one,
    read_description,
)
from packages.findings import Finding, Findings
from packages.submission import Shape, Submission

MOST = 50
"""Files that are looked into, in the order of their names."""


def take_over(
    submission: Submission, shape: Shape, record: dict[str, Any], *, is_named: bool
) -> tuple[dict[str, Any], list[Finding]]:
    """Return `record` with what a description in the submission says where `record` says nothing.

    Looked at are XML files at the top and in ``metadata/``, beside the payload and in it. The kind that
    describes most counts (METS, EAD, MODS, Dublin Core); where several files of that kind are there, it is
    not known which describes the whole, and none does. With `is_named` the title stays. Comes back as it is
    where nothing is taken over. Files that cannot be read are warnings.
    """
    findings = Findings()
    by_kind: dict[str, list[tuple[str, Description]]] = {}
    for path, said in _descriptions(submission, shape, findings):
        by_kind.setdefault(said.kind, []).append((path, said))
    kind = next((each for each in RANK if any(said.fields for _, said in by_kind.get(each, ()))), None)
    if kind is None:
        return record, list(findings.all())
    described = by_kind[kind]
    path, said = described[0]
    if len(described) > 1:
        findings.make("record.several-descriptions", path, kind=kind, count=len(described))
        return record, list(findings.all())
    fields = {
        name: value
        for name, value in said.fields.items()
        if name not in record or name == "publicationYear" or (name == "title" and not is_named)
    }
    if not fields:
        return record, list(findings.all())
    findings.make("record.taken-over", path, kind=kind, fields=", ".join(fields))
    return {**record, **fields}, list(findings.all())


def _descriptions(
    submission: Submission, shape: Shape, findings: Findings
) -> Iterator[tuple[str, Description]]:
    """Yield path and content of each description, in the order of their names."""
    for path in sorted(_candidates(submission.paths(), shape))[:MOST]:
        if not looks_like_one(submission.read(path, HEAD)):
            continue
        try:
            said = read_description(submission.read(path, LIMIT + 1))
        except UnreadableDescription as error:
            findings.make("record.description-unreadable", path, reason=error)
            continue
        if said is not None:
            yield path, said


def _candidates(paths: Iterable[str], shape: Shape) -> Iterator[str]:
    places = ("", "metadata/", *(("data/", "data/metadata/") if shape.kind == "bag" else ()))
    folders = frozenset(f"{shape.root}{place}" for place in places)
    for path in paths:
        if path[-4:].lower() == ".xml":
            folder, slash, _ = path.rpartition("/")
            if folder + slash in folders:
                yield path
