"""``python -m benchmarks.inventories``: objects of very many files, and of very many versions.

With ``--files N…`` an object of so many small files is staged, published, read back, given a second version,
copied to another store, and validated as anybody's OCFL, in one process each; every line gives seconds,
seconds of CPU, and the most memory until then. With ``--inventory-only`` no file is written: the inventory
alone is made, written, read and revised. With ``--versions N`` (P4) an object of ten files gets so many
versions, one file changed in each; each is published, read back, copied, and the copy read back.
"""

import argparse
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from packages.content_paths import content_path
from packages.ocfl.compact import compacted
from packages.ocfl.inventory import Inventory, next_version, read
from packages.ocfl.stage import stage_first_version, stage_next_version
from services.archival_storage.ocfl_validation import validate_ocfl
from storage.archival import OcflStore, open_store
from storage.ports import StagedVersion

OBJECT = "urn:uuid:0b9ce0a4-6f5d-4a0c-9a0e-2f1f3f1d7a11"
MADE = {"created": "2026-01-02T03:04:05Z", "message": "Benchmark", "user": "Benchmark"}
IN_A_FOLDER = 1_000
OF_MANY_VERSIONS = 10  # files: an inventory tells all of them anew for each version
TOLD = {10, 100, 200, 400, 600, 800}
T = TypeVar("T")


def names(count: int) -> Iterator[str]:
    """Yield so many paths as a package has them."""
    return (f"data/original/folder {n // IN_A_FOLDER:04d}/a file called {n:07d}.txt" for n in range(count))


def write(folder: Path, paths: Iterator[str]) -> Iterator[tuple[str, int, str]]:
    """Write small files below `folder`, and yield what staging wants to know of each."""
    made = ""
    for path in paths:
        place = f"{folder}/{content_path(path)}"
        parent = place.rpartition("/")[0]
        if parent != made:
            Path(parent).mkdir(parents=True, exist_ok=True)
            made = parent
        data = path.encode()
        with open(place, "wb") as stream:  # noqa: PTH123  # a Path for each of a million files
            stream.write(data)
        yield path, len(data), hashlib.sha512(data).hexdigest()


def timed(what: str, count: int, work: Callable[[], T]) -> T:
    """Do `work`, and print how long it took and the most memory that the process has had."""
    begun, used = time.perf_counter(), time.process_time()
    found = work()
    took, used = time.perf_counter() - begun, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:>9,} files  {what:<16} {took:8.2f} s  {used:8.2f} s of CPU"
        f"  {used / count * 1e6:7.1f} µs/file  {memory:6.0f} MB",
        flush=True,
    )
    return found


def files(count: int, folder: Path) -> None:
    """Do everything that an object of `count` files goes through in a store."""
    store = open_store("primary", (folder / "store").as_uri())
    store.prepare("benchmark")
    first, second = folder / "first", folder / "second"
    timed("write content", count, lambda: sum(1 for _ in write(first / "v1/content", names(count))))
    staged = [timed("stage", count, lambda: _staged(first, count))]
    timed("publish", count, lambda: store.publish(StagedVersion(OBJECT, first, staged.pop(), None)))
    timed("verify", count, lambda: _require(store))
    timed("read inventory", count, lambda: store.inventory(OBJECT).head)
    timed("second version", count, lambda: _second(store, second))
    timed("verify version 2", count, lambda: _require(store, 2))
    copy = open_store("copy", (folder / "copy").as_uri())
    copy.prepare("benchmark")
    timed("copy", count, lambda: copy.replicate(store, OBJECT))
    timed("verify copy", count, lambda: _require(copy))
    timed("validate-ocfl", count, lambda: _require_valid(folder / "copy"))


def inventory_only(count: int, folder: Path) -> None:
    """Make, write, read and revise the inventory of an object of `count` files."""
    made = [timed("make and write", count, lambda: _staged(folder, count))]
    made.clear()
    with (folder / "inventory.json").open("rb") as stream:
        base = timed("read", count, lambda: read(stream))
    put, gone = [("data/original/new.txt", _digest("new"))], list(names(10))
    state = timed("new state", count, lambda: compacted(base.state).changed(without=gone, put=put))
    added = [(_digest("new"), "v2/content/data/original/new.txt")]
    more = {"created": MADE["created"], "message": "Second", "user_name": "Benchmark"}
    second = timed("second version", count, lambda: next_version(base, state, added, **more))
    with (folder / "second.json").open("wb") as file:
        timed("write", count, lambda: second.write(file))


def _staged(folder: Path, count: int) -> Inventory:
    rows = ((path, 0, _digest(path)) for path in names(count))
    return stage_first_version(folder, OBJECT, rows, **MADE)


def _digest(path: str) -> str:
    return hashlib.sha512(path.encode()).hexdigest()


def _second(store: OcflStore, folder: Path) -> None:
    base = store.inventory(OBJECT)
    changed = write(folder / "v2/content", iter(["data/original/new.txt", "bag-info.txt"]))
    gone = list(names(10))
    inventory = stage_next_version(folder, base, changed, gone, **MADE)
    store.publish(StagedVersion(OBJECT, folder, inventory, base.digest()))


def _require(store: OcflStore, version: int | None = None) -> None:
    report = store.verify(OBJECT, version=version)
    if str(report.verdict) != "intact":
        raise SystemExit(f"not intact: {report.problems[:3]}")


def _require_valid(root: Path) -> None:
    found = validate_ocfl(str(root))
    if found.verdict != "valid":
        raise SystemExit(f"{found.verdict}: {found.findings[:3]}")


def versions(count: int, folder: Path) -> None:
    """Give an object of few files so many versions, one file changed in each, in two stores."""
    stores = [open_store(name, (folder / name).as_uri()) for name in ("primary", "copy")]
    for store in stores:
        store.prepare("benchmark")
    rows = list(write(folder / "1/v1/content", names(OF_MANY_VERSIONS)))
    inventory = stage_first_version(folder / "1", OBJECT, rows, **MADE)
    stores[0].publish(StagedVersion(OBJECT, folder / "1", inventory, None))
    begun, since = time.process_time(), 2
    for number in range(2, count + 1):
        _revise(stores, number, folder / "staged")
        if number in TOLD or number == count:
            each = (time.process_time() - begun) / (number - since + 1)
            size = stores[0].open(OBJECT, "inventory.json").seek(0, os.SEEK_END)
            print(
                f"version {number:>5}  {each * 1000:8.1f} ms of CPU each  inventory {size / 1e6:7.2f} MB"
                f"  {each / (size / 1e6) * 1000:7.1f} ms/MB",
                flush=True,
            )
            begun, since = time.process_time(), number + 1


def _revise(stores: Sequence[OcflStore], number: int, staged: Path) -> None:
    """Publish version `number`, read it back, copy it, and read the copy back."""
    primary, copy = stores
    base = primary.inventory(OBJECT)
    changed = list(write(staged / f"v{number}/content", iter([f"data/original/{number}"])))
    inventory = stage_next_version(staged, base, changed, [f"data/original/{number - 1}"], **MADE)
    primary.publish(StagedVersion(OBJECT, staged, inventory, base.digest()))
    copy.replicate(primary, OBJECT)
    _require(primary, number)
    _require(copy, number)
    shutil.rmtree(staged)


def main() -> None:
    """Measure what is asked for, each number of files in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, nargs="*", default=[])
    parser.add_argument("--inventory-only", action="store_true")
    parser.add_argument("--versions", type=int)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    asked = parser.parse_args()
    if len(asked.files) > 1:
        for count in asked.files:
            more = ["--folder", str(asked.folder)] if asked.folder else []
            more += ["--inventory-only"] if asked.inventory_only else []
            command = [sys.executable, "-m", "benchmarks.inventories", "--files", str(count), *more]
            subprocess.run(command, check=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        if len(asked.files) == 1:
            (inventory_only if asked.inventory_only else files)(asked.files[0], Path(folder))
        if asked.versions:
            versions(asked.versions, Path(folder) / "versions")


if __name__ == "__main__":
    main()
