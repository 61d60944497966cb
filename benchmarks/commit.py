"""Objects to stores and back beside others on the same files: ``python -m benchmarks.commit --to disk|s3``.

One large file, then many of 8 KiB, loose and in packs, each as one OCFL object: published, read back in full,
and replicated to a second store, which is read back too; beside `cp`, `openssl dgst` and rocfl. Writing the
packs is timed too. What is published to a disk was staged there, and is renamed. The server is the one of
``scripts/services`` (HOLDFAST_TEST_S3), on the same disk as the source, so that the figures tell what the way
there costs, not a network.
"""

import argparse
import hashlib
import os
import resource
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import contestants
from benchmarks.contestants import Contestant
from benchmarks.data import make_large, make_random
from packages.model import FileEntry
from packages.ocfl.stage import stage_first_version
from packages.packing import RULE
from services.ingest.steps.packing import Packer
from storage.archival import OcflStore, open_store
from storage.ports import StagedVersion, Verdict

MIB = 1 << 20
STORES = ("primary", "copy")
CONTESTANTS: dict[str, Contestant] = {
    "cp -r, sync": contestants.copy,
    "openssl dgst -sha512": contestants.openssl,
    "rocfl, sync": contestants.rocfl_alone,
}


def main() -> None:
    """Make the data, then time each step once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", choices=("disk", "s3"), default="disk")
    parser.add_argument("--large", type=int, default=1024, help="MiB of the one large file")
    parser.add_argument("--small", type=int, default=10_000, help="files of 8 KiB")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to work (/var/tmp)")
    said = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="commit-", dir=said.folder) as name:
        folder = Path(name)
        endpoint = enter() if said.to == "s3" else ""
        place = f"s3://{bucket()}" if endpoint else f"file://{folder}/stores"
        for kind in ("large", "small"):
            content = folder / kind / "v1/content"
            if kind == "large":
                make_large(content / "data/large.bin", said.large * MIB)
            else:
                make_random(content / "data", said.small)
                pack(content, folder / "packed/v1/content")
            measure(kind, folder / kind, [f"{place}/{kind}/{each}" for each in STORES], endpoint)
        places = [f"{place}/packed/{each}" for each in STORES]
        measure("packed", folder / "packed", places, endpoint, members=said.small)
        if endpoint:
            from s3fs import S3FileSystem  # noqa: PLC0415  # as in enter

            S3FileSystem(endpoint_url=endpoint).rm(bucket(), recursive=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"memory {memory} MiB, load {os.getloadavg()[0]:.1f}")


def enter() -> str:
    """Set the environment for the server, make a bucket, and return the server's address."""
    parts = urlsplit(os.environ["HOLDFAST_TEST_S3"])
    endpoint = f"http://{parts.hostname}:{parts.port}"
    os.environ.update(
        AWS_ACCESS_KEY_ID=str(parts.username),
        AWS_SECRET_ACCESS_KEY=str(parts.password),
        AWS_REGION="us-east-1",
    )
    from s3fs import S3FileSystem  # noqa: PLC0415  # reads the environment

    S3FileSystem(endpoint_url=endpoint).call_s3("create_bucket", Bucket=bucket())
    return endpoint


def bucket() -> str:
    return f"bench-{os.getpid()}"


def pack(source: Path, target: Path) -> None:
    """Make packs of the files of a bag, as the step *build AIP* does it, and print how long that took."""
    entries = []
    for path, size, sha512 in listed(source):
        crc = zlib.crc32((source / path).read_bytes())
        entries.append(FileEntry(path, path, size, sha512, crc))
    packer = Packer(target, 1, RULE)
    began = time.perf_counter()
    made = sum(
        1 for _ in packer.pack(entries, lambda each: (source / each.location).read_bytes(), lambda each: each)
    )
    took = time.perf_counter() - began
    print(f"packed {'packs written':22} {took:7.2f} s  {made / took:24.0f} files/s", flush=True)


def measure(kind: str, root: Path, places: Sequence[str], endpoint: str, members: int = 0) -> None:
    """Time what others do with the content below `root`, then each operation of a store; print a row each."""
    content = root / "v1/content"
    rows = list(listed(content))
    object_id = f"urn:uuid:{uuid.uuid4()}"
    told = {"created": "2026-01-02T03:04:05Z", "message": "Benchmark", "user": "Nobody"}
    size = sum(each[1] for each in rows)

    def row(what: str, took: float) -> None:
        rates = f"{size / MIB / took:7.1f} MiB/s  {(members or len(rows)) / took:8.0f} files/s"
        print(f"{kind:6} {what:22} {took:7.2f} s  {rates}", flush=True)

    def timed(what: str, call: Callable[[], object]) -> None:
        began = time.perf_counter()
        call()
        row(what, time.perf_counter() - began)

    for what, contestant in CONTESTANTS.items():
        target = root.with_name(f"{root.name}-{contestant.__name__}")
        target.mkdir()
        row(what, contestant([content], target).wall)
    inventory = stage_first_version(root, object_id, rows, **told)
    first, second = (opened(place, endpoint) for place in places)
    timed("publish", lambda: first.publish(StagedVersion(object_id, root, inventory, None)))
    timed("read back", lambda: verified(first, object_id))
    timed("replicate", lambda: second.replicate(first, object_id))
    timed("read back the copy", lambda: verified(second, object_id))


def listed(content: Path) -> Iterator[tuple[str, int, str]]:
    for path in sorted(content.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha512").hexdigest()
            yield path.relative_to(content).as_posix(), path.stat().st_size, digest


def opened(place: str, endpoint: str) -> OcflStore:
    store = open_store(place.rpartition("/")[2], place, s3_endpoint_url=endpoint or None)
    store.prepare("benchmark")
    return store


def verified(store: OcflStore, object_id: str) -> None:
    assert store.verify(object_id).verdict is Verdict.INTACT


if __name__ == "__main__":
    main()
