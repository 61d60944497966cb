"""``python -m benchmarks NAME… [--folder FOLDER] [--rounds N] [--only]``; see docs/benchmarks.md.

The folder must lie on the disk that is to be measured and is not emptied afterwards: delete it yourself, when
nothing else is to be measured for a while.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import contestants, data
from benchmarks.contest import Contest, hold

GIB = 1 << 30
COPIES = "two `cp -r`, `sha512sum`, sync"
ROCFL = "rocfl ingest and validate, copy, sync"
FOLDERS = {
    COPIES: contestants.two_copies_and_sha512sum,
    "Holdfast, all steps, two copies": contestants.holdfast,
    "`cp`, bagit-python make and validate, copy, sync": contestants.bagit_python,
    ROCFL: contestants.rocfl,
}


def large(folder: Path) -> Contest:
    source = folder / "data" / "large.bin"
    data.make_large(source, GIB)
    ours = dict(list(FOLDERS.items())[1:])
    first = {"two `cp`, `openssl dgst -sha512`, sync": contestants.two_copies_and_openssl}
    return Contest("1 GiB in one file", [source.parent], GIB / 1e6, "MB", first | ours)


def sparse(folder: Path) -> Contest:
    """P2, B6: one file of 100 GB, which takes no room until it is copied."""
    source = folder / "data" / "sparse.bin"
    source.parent.mkdir(parents=True)
    with source.open("wb") as stream:
        stream.truncate(100 * 1000**3)
    ours = {"Holdfast, all steps, two copies": contestants.holdfast}
    return Contest("100 GB in one sparse file", [source.parent], 100_000, "MB", ours)


def small(folder: Path) -> Contest:
    data.make_mix(folder / "data", 10_000)
    return Contest("10,000 files of 8 KiB, the mix", [folder / "data"], 10_000, "files", FOLDERS)


def noise(folder: Path) -> Contest:
    data.make_random(folder / "data", 10_000)
    return Contest("10,000 files of 8 KiB, random bytes", [folder / "data"], 10_000, "files", FOLDERS)


def many(folder: Path) -> Contest:
    """P1: very many files in one package: as fast as 10,000, within 20 %, in bounded memory."""
    data.make_mix(folder / "data", 100_000)
    two = dict(list(FOLDERS.items())[:2])
    return Contest("100,000 files of 8 KiB, the mix", [folder / "data"], 100_000, "files", two)


def packages(folder: Path) -> Contest:
    """P3: very many packages of few files."""
    sources = [folder / "data" / f"package-{number:04d}" for number in range(1000)]
    for number, each in enumerate(sources):
        data.make_mix(each, 10, first=number * 10)
    two = dict(list(FOLDERS.items())[:2])
    return Contest("1,000 packages of 10 files of the mix", sources, 1000, "packages", two)


CONTESTS: dict[str, tuple[Callable[[Path], Contest], int]] = {
    "large": (large, 3),
    "small": (small, 3),
    "random": (noise, 1),
    "many": (many, 1),
    "packages": (packages, 1),
    "sparse": (sparse, 1),
}
"""Each with its usual number of rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="+", choices=[*CONTESTS, "all"], metavar="NAME", help=", ".join(CONTESTS)
    )
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to work (%(default)s)")
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    parser.add_argument("--only", action="store_true", help="run Holdfast alone")
    given = parser.parse_args()
    for name in [each for each in CONTESTS if each != "sparse"] if "all" in given.names else given.names:
        make, rounds = CONTESTS[name]
        place = Path(tempfile.mkdtemp(prefix=f"holdfast-{name}-", dir=given.folder))
        contest = make(place)
        runners = dict(contest.contestants)
        if contestants.rocfl_binary() is None and ROCFL in runners:
            del runners[ROCFL]
            print("<!-- rocfl is not installed: left out -->")
        if given.only:
            runners = {key: each for key, each in runners.items() if each is contestants.holdfast}
        (place / "runs").mkdir()
        hold(replace(contest, contestants=runners), place / "runs", given.rounds or rounds)
        print(f"<!-- everything lies in {place} -->")


if __name__ == "__main__":
    main()
