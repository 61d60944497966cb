"""Audits beside `openssl dgst -sha512` on the same files: ``python -m benchmarks.fixity``.

One store with one package of one large file, one of four, and one of many files of 8 KiB; each is audited and
digested in turn, with nothing of it in the page cache. ``--many`` adds a package of 250,000 files, whose
audit must need no more memory than one of 10,000 (P7, J6). ``--digests`` compares digests in memory.
"""

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.processes import run
from packages.ledger import CopyRecord, CopyState, Package, PackageState, VersionRecord
from packages.model import now
from packages.ocfl import layout
from packages.ocfl.stage import stage_first_version
from packages.premis import package_urn
from services.administration.people import local_actor
from services.archival_storage.fixity import audit
from services.archive import Archive, init_archive, open_archive
from services.store_settings import path_of
from storage.durability import drop_cache
from storage.ports import StagedVersion, Verdict

MIB = 1 << 20
SIZE = 8192
PER_FOLDER = 250
SEED = 1788
ARGUMENTS = 2000
"""Files that one `openssl` is given."""
DIGESTS = ("sha512", "sha256", "sha1", "md5", "blake2b", "blake2s", "sha3_256")


@dataclass(frozen=True, slots=True)
class Subject:
    """One package to audit, and what there is of it."""

    name: str
    id: str
    files: int
    bytes: int


def make(archive: Archive, name: str, files: int, size: int) -> Subject:
    """Archive a package of `files` files of `size` random bytes, without the pipeline."""
    package_id = str(uuid.uuid4())
    source = random.Random(SEED + files)
    workspace = archive.staging.workspace(package_id)
    content = workspace.object / "v1" / "content"

    def written() -> Iterator[tuple[str, int, str]]:
        for number in range(files):
            path = f"data/original/{number // PER_FOLDER:04}/{number:06}.bin"
            place = content / path
            if number % PER_FOLDER == 0:
                place.parent.mkdir(parents=True)
            digest, left = hashlib.sha512(), size
            with place.open("wb") as file:
                while left:
                    piece = source.randbytes(min(left, MIB))
                    digest.update(piece)
                    file.write(piece)
                    left -= len(piece)
            yield path, size, digest.hexdigest()

    at = now()
    inventory = stage_first_version(
        workspace.object, package_urn(package_id), written(), created=at, message="Benchmark", user="Nobody"
    )
    archive.primary.publish(StagedVersion(package_urn(package_id), workspace.object, inventory, None))
    workspace.discard()
    with archive.catalogue.write() as unit:
        unit.add_package(Package(package_id, "nobody", name, at, at, PackageState.ARCHIVED, record={}))
        unit.publish_version(
            VersionRecord(package_id, 1, at, "", "", inventory.digest(), files, files * size)
        )
        unit.set_copy(CopyRecord(package_id, "primary", 1, CopyState.UNCHECKED))
    return Subject(name, package_id, files, files * size)


def audit_once(home: Path, package_id: str) -> None:
    """Audit one package, and print the seconds that it took."""
    archive = open_archive(home)
    actor = local_actor(archive)
    began = time.perf_counter()
    [report] = audit(archive, actor, [package_id], store="primary")
    seconds = time.perf_counter() - began
    if report.verdict is not Verdict.INTACT:
        raise SystemExit(f"not intact: {report.problems[:3]}")
    print(json.dumps({"seconds": seconds}), file=sys.stderr)


def openssl(archive: Archive, subject: Subject) -> float:
    """Return the seconds that `openssl dgst -sha512` takes for the same files, none of them in the cache."""
    root = path_of(archive.settings.store_urls["primary"]) / layout.object_path(package_urn(subject.id))
    files = sorted(map(str, (root / "v1/content/data").rglob("*.bin")))
    for each in files:
        fd = os.open(each, os.O_RDONLY)
        drop_cache(fd)
        os.close(fd)
    began = time.perf_counter()
    for start in range(0, len(files), ARGUMENTS):
        command = ["openssl", "dgst", "-sha512", *files[start : start + ARGUMENTS]]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def compare(archive: Archive, subject: Subject, rounds: int) -> str:
    """Audit and digest in turn, and return a line of the table: medians."""
    ours, theirs, memory, cpu = [], [], [], []
    for _ in range(rounds):
        theirs.append(openssl(archive, subject))
        with tempfile.TemporaryFile("w+") as said:
            cost = run(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.fixity",
                    "--audit",
                    subject.id,
                    "--home",
                    str(archive.home),
                ],
                errors=said,
            )
            said.seek(0)
            ours.append(json.loads(said.read().splitlines()[-1])["seconds"])
        memory.append(cost.parent / MIB)
        cpu.append(cost.cpu)
    mine, other = statistics.median(ours), statistics.median(theirs)
    rate = f"{subject.bytes / MIB / mine:,.0f} MiB/s" if subject.files < PER_FOLDER else ""
    rate = rate or f"{subject.files / mine:,.0f} files/s"
    return (
        f"| {subject.name} | {mine:.2f} | {rate} | {other:.2f} | {other / mine:.2f} | "
        f"{statistics.median(cpu):.2f} | {max(memory):.0f} |"
    )


def digests() -> Iterator[str]:
    """Yield how fast each digest is over one buffer, in one thread: by processor time, the best of five."""
    data = random.Random(SEED).randbytes(64 * MIB)
    ways: dict[str, Callable[[], object]] = {
        name: partial(_digest, name, data) for name in (*DIGESTS, "sha512 and sha256")
    }
    ways["crc32"] = partial(zlib.crc32, data)
    for name, work in ways.items():
        best = float("inf")
        for _ in range(5):
            began = time.thread_time()
            work()
            best = min(best, time.thread_time() - began)
        yield f"| {name} | {len(data) / MIB / best:,.0f} |"


def _digest(names: str, data: bytes) -> None:
    for name in names.split(" and "):
        hashlib.new(name, data).digest()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fixity", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=1024, metavar="MIB", help="size of the large file")
    parser.add_argument("--small", type=int, default=10_000, metavar="N", help="number of small files")
    parser.add_argument("--many", action="store_true", help="250,000 files too (P7, J6)")
    parser.add_argument("--digests", action="store_true", help="only compare digests in memory")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="on a real disk")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--audit", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.audit:
        audit_once(said.home, said.audit)
        return
    if said.digests:
        print("| digest | MiB/s |\n|---|--:|", *digests(), sep="\n")
        return
    with tempfile.TemporaryDirectory(dir=said.folder, prefix="holdfast-fixity-") as folder:
        archive, _ = init_archive(Path(folder) / "home")
        local_actor(archive)
        print(
            "| | audit s | rate | openssl s | openssl/audit | CPU s | MB |",
            "|---|--:|--:|--:|--:|--:|--:|",
            sep="\n",
        )
        shapes = [
            (f"1 x {said.large} MiB", 1, said.large * MIB),
            (f"4 x {said.large // 4} MiB", 4, said.large // 4 * MIB),
            (f"{said.small:,} x 8 KiB", said.small, SIZE),
        ]
        if said.many:
            shapes.append(("250,000 x 8 KiB", 250_000, SIZE))
        for name, files, size in shapes:
            print(compare(archive, make(archive, name, files, size), said.rounds), flush=True)
        archive.close()
    print(f"\nload {os.getloadavg()[0]:.1f} at the end, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
