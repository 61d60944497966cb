"""Validate OCFL that anybody wrote, in a folder or in a store: `holdfast validate-ocfl`. Writes nothing."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from packages.errors import HoldfastError, Invalid, NotFound
from packages.findings import Finding, Severity
from packages.ocfl.algorithms import ALGORITHMS
from packages.ocfl.tree import Digested, Digester, Tree, Wanted
from packages.ocfl.validate import Report, detect, validate_object
from packages.ocfl.validate_root import validate_root
from packages.wording import counted
from storage.archival import open_store
from storage.ports import Progress

_BATCH = 32  # small files cost a thread's turn each otherwise
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Validated:
    """What validating one PATH came to: ``valid``, ``invalid``, or ``unchecked`` where not all could be read.

    `kind` is ``object``, ``root`` or None where it is neither; `objects` counts those in a root, `digests`
    tells whether the content was read.
    """

    path: str
    kind: str | None
    spec: str | None
    verdict: str
    findings: tuple[Finding, ...]
    objects: int = 0
    valid_objects: int = 0
    digests: bool = True
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        shown = asdict(self)
        if not self.reason:
            del shown["reason"]
        return shown


def validate_ocfl(
    place: str, *, strict: bool = False, digests: bool = True, progress: Progress = lambda _done: None
) -> Validated:
    """Validate the object or the storage root at `place`, a folder or the URL of a store.

    With `strict` a warning makes it invalid. Without `digests` no content is read: structure alone is judged.
    `progress` is called with the number of bytes read since the last call.
    """
    kind = None
    reports: list[Report] = []
    try:
        tree = _tree(place)
        kind = detect(tree)
        with ThreadPoolExecutor(_threads(), thread_name_prefix="validate-ocfl") as pool:
            digester = _digester(tree, pool, progress) if digests else None
            if kind == "object":
                reports.append(validate_object(tree, "", digester))
            else:
                reports += validate_root(tree, digester)
    except (NotFound, Invalid) as error:
        return Validated(place, kind, None, "invalid", _told(reports), digests=digests, reason=error.message)
    except HoldfastError as error:
        verdict = "invalid" if any(each.failed for each in reports) else "unchecked"
        return Validated(place, kind, None, verdict, _told(reports), digests=digests, reason=error.message)
    return _summed(place, kind, reports, strict=strict, digests=digests)


def _summed(place: str, kind: str, reports: list[Report], *, strict: bool, digests: bool) -> Validated:
    findings = _told(reports)
    unread = sum(each.unread for each in reports)
    wrong = any(each.failed for each in reports)
    wrong |= strict and any(each.severity is Severity.WARNING for each in findings)
    objects = [each for each in reports if each.kind == "object"] if kind == "root" else []
    first = next((each.reason for each in reports if each.unread), "")
    return Validated(
        place,
        kind,
        reports[-1].spec,
        "invalid" if wrong else "unchecked" if unread else "valid",
        findings,
        len(objects),
        sum(not each.failed and not each.unread for each in objects),
        digests,
        f"{counted(unread, 'file')} could not be read, the first: {first}" if unread else "",
    )


def _told(reports: Iterable[Report]) -> tuple[Finding, ...]:
    return tuple(finding for report in reports for finding in report.findings)


def _tree(place: str) -> Tree:
    """Return the medium at a URL, or the folder of that path."""
    if "://" in place:
        endpoint = os.environ.get("HOLDFAST_S3_ENDPOINT_URL", "")  # anybody's tree: no archive is asked
        return open_store("validated", place, s3_endpoint_url=endpoint).medium
    path = Path(place)
    if not path.exists():
        raise NotFound(f"there is nothing at {place}", hint="check the path")
    if not path.is_dir():
        raise Invalid(
            f"{place} is a file: an object is a folder", hint="give the folder of an object or root"
        )
    return open_store("validated", path.resolve().as_uri()).medium


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


def _digester(tree: Tree, pool: ThreadPoolExecutor, progress: Progress) -> Digester:
    """Return what reads files on the threads of `pool`, a few batches ahead of who takes them."""

    def digester(wanted: Iterable[Wanted]) -> Iterator[Digested]:
        source = iter(wanted)
        waiting: deque[Future[tuple[int, list[Digested]]]] = deque()
        while True:
            batch = list(islice(source, _BATCH))
            if batch:
                waiting.append(pool.submit(_read_batch, tree, batch))
            if not waiting:
                return
            if not batch or len(waiting) > 2 * _threads():
                count, found = waiting.popleft().result()
                progress(count)
                yield from found

    return digester


def _read_batch(tree: Tree, batch: list[Wanted]) -> tuple[int, list[Digested]]:
    """Read files and return how many bytes that were, and what each gave."""
    total, found = 0, []
    for wanted in batch:
        hashes = {claim.algorithm: ALGORITHMS[claim.algorithm].make() for claim in wanted.expected}
        try:
            with tree.open(wanted.path) as stream:
                while data := stream.read(_BUFFER):
                    total += len(data)
                    for each in hashes.values():
                        each.update(data)
        except (HoldfastError, OSError) as error:
            found.append(Digested(wanted, {}, str(error) or type(error).__name__))
        else:
            found.append(Digested(wanted, {name: each.hexdigest() for name, each in hashes.items()}))
    return total, found
