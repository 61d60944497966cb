"""``python -m benchmarks.bagit [--folder F] [--rounds N] [--files N] [--mib N]``: validating, side by side.

One bag with a large file, against ``openssl dgst -sha512`` of that file; one bag of many files of 8 KiB,
against bagit-python. Contestants run in turn, each in a process of its own, on data in the page cache.
What is measured begins when the program has been loaded and ends with the verdict; of OpenSSL it is the
whole process. The folder is not emptied afterwards.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.contest import about

MIB = 1 << 20
OURS, THEIRS, OPENSSL = "Holdfast", "bagit-python", "`openssl dgst -sha512`"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took: seconds by the clock and of the processor."""

    wall: float
    cpu: float


def make_bag(root: Path) -> Path:
    """Make a bag of SHA-512 around what lies in ``data/``."""
    lines = [
        f"{hashlib.sha512(each.read_bytes()).hexdigest()}  {each.relative_to(root).as_posix()}\n"
        for each in sorted((root / "data").rglob("*"))
        if each.is_file()
    ]
    (root / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    (root / "manifest-sha512.txt").write_text("".join(lines))
    return root


def by_holdfast(bag: Path) -> Callable[[], bool]:
    """Return the check of ``holdfast check``."""
    from services.ingest.checking import check  # noqa: PLC0415  # loading it is not measured
    from storage.sources import Limits  # noqa: PLC0415  # same reason

    limits = Limits(members=10**7, bytes=1 << 60, ratio=200, depth=250, path_bytes=4096, reserve=0)
    return lambda: check(bag, limits=limits).verdict == "valid"


def by_bagit_python(bag: Path) -> Callable[[], bool]:
    """Return the check of bagit-python, in one process as it is by default."""
    import logging  # noqa: PLC0415  # loading it is not measured

    import bagit  # noqa: PLC0415  # same reason

    logging.getLogger("bagit").disabled = True

    def check() -> bool:
        bagit.Bag(str(bag)).validate()
        return True

    return check


JUDGES: dict[str, Callable[[Path], Callable[[], bool]]] = {OURS: by_holdfast, THEIRS: by_bagit_python}


def judge(name: str, bag: Path) -> None:
    """Judge the bag once and print what it took: this process is a contestant."""
    check = JUDGES[name](bag)
    before, began = _cpu(resource.RUSAGE_SELF), time.perf_counter()
    if not check():
        raise SystemExit(f"{name} says that {bag} is not valid")
    wall = time.perf_counter() - began
    print(json.dumps([wall, _cpu(resource.RUSAGE_SELF) - before]))


def contestant(name: str, bag: Path) -> Run:
    """Run one contestant on the bag."""
    if name == OPENSSL:
        (file,) = (each for each in (bag / "data").rglob("*") if each.is_file())
        before, began = _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [str(shutil.which("openssl")), "dgst", "-sha512", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return Run(time.perf_counter() - began, _cpu(resource.RUSAGE_CHILDREN) - before)
    command = [sys.executable, "-m", "benchmarks.bagit", "--judge", name, str(bag)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Run(*json.loads(done.stdout))


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def contest(title: str, bag: Path, amount: float, unit: str, names: Sequence[str], rounds: int) -> None:
    """Let `names` judge the bag in turn and print the table; ratios are of the first one's seconds."""
    took: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(rounds + 1):  # the first one fills the page cache
        for name in names:
            run = contestant(name, bag)
            if number:
                took[name].append(run)
    print(f"\n### {title}\n\n{about(rounds)}\n")
    print(f"| | wall s | {unit}/s | times the first | CPU s | times the first |\n|---|--:|--:|--:|--:|--:|")
    first = _median(took[names[0]])
    for name in names:
        run = _median(took[name])
        print(
            f"| {name} | {run.wall:.2f} | {amount / run.wall:,.0f} | {first.wall / run.wall:.2f}"
            f" | {run.cpu:.2f} | {first.cpu / run.cpu:.2f} |"
        )


def _median(runs: Sequence[Run]) -> Run:
    return Run(statistics.median(each.wall for each in runs), statistics.median(each.cpu for each in runs))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bagit", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to work (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs (%(default)s)")
    parser.add_argument("--files", type=int, default=10_000, help="files of the second bag (%(default)s)")
    parser.add_argument("--mib", type=int, default=1024, help="MiB of the first bag (%(default)s)")
    parser.add_argument("--judge", nargs=2, metavar=("WHO", "BAG"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.judge:
        judge(given.judge[0], Path(given.judge[1]))
        return
    place = Path(tempfile.mkdtemp(prefix="holdfast-bagit-", dir=given.folder))
    large, small = place / "large", place / "small"
    data.make_large(large / "data" / "large.bin", given.mib * MIB)
    data.make_random(small / "data", given.files)
    for each in (large, small):
        make_bag(each)
    os.sync()
    names = [OPENSSL, OURS, THEIRS] if shutil.which("openssl") else [THEIRS, OURS]
    contest(f"{given.mib} MiB in one file", large, given.mib * MIB / 1e6, "MB", names, given.rounds)
    contest(f"{given.files:,} files of 8 KiB", small, given.files, "files", [THEIRS, OURS], given.rounds)
    print(f"\n<!-- everything lies in {place} -->")


if __name__ == "__main__":
    main()
