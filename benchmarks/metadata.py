"""``python -m benchmarks.metadata [--files N] [--rounds N]``: METS and PREMIS, written and read back.

Each run is a process of its own that writes to nowhere (and to memory, to read back), so that processor and
memory are what is measured. A third of the files are images with the properties that are found in them.
"""

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from benchmarks.contest import about
from packages.mets import PART_LIMIT, write_files_mets
from packages.mets_reading import read_files_mets
from packages.model import NOTHING, FileEntry

PACKAGE = "0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11"
CREATED = "2031-01-01T00:00:00.000000Z"
SCAN: Mapping[str, Any] = {
    "width": 2480,
    "height": 3508,
    "bits_per_sample": 8,
    "samples_per_pixel": 3,
    "color_space": "RGB",
    "compression": "none",
    "dpi_x": 300,
    "dpi_y": 300,
    "icc_profile": "sRGB IEC61966-2.1",
    "validity": {"outcome": "valid", "tool": "JHOVE 1.34", "profile": "TIFF", "messages": [], "more": 0},
}


class Nowhere:
    """Takes bytes and counts them."""

    size = 0

    def write(self, data: bytes, /) -> None:
        """Count them."""
        self.size += len(data)


def entries(count: int) -> Iterator[FileEntry]:
    """Yield the rows of a package of scans, their texts and letters."""
    for number in range(count):
        kind = number % 3
        suffix, mime, puid, name = (
            ("tif", "image/tiff", "fmt/353", "Tagged Image File Format"),
            ("xml", "text/xml", "fmt/101", "Extensible Markup Language"),
            ("txt", "text/plain", "x-fmt/111", "Plain Text File"),
        )[kind]
        yield FileEntry(
            f"data/original/box {number // 500}/page-{number:07d}.{suffix}",
            "",
            9000 + number,
            f"{number:0128x}",
            number,
            modified="2020-02-02T02:02:02Z",
            digests={"md5": f"{number:032x}"},
            puid=puid,
            format_name=name,
            mime=mime,
            basis="extension match",
            properties=SCAN if kind == 0 else NOTHING,
        )


def write(count: int) -> int:
    """Write all parts, and return how many bytes they have."""
    sink, listed = Nowhere(), entries(count)
    number = 0
    while number * PART_LIMIT < count:
        number += 1
        write_files_mets(sink, PACKAGE, 1, number, islice(listed, PART_LIMIT), created=CREATED)
    return sink.size


def measure(what: str, count: int) -> None:
    """Do it once and print what it took: this process is one run."""
    document = io.BytesIO()
    if what == "read":
        number = min(count, PART_LIMIT)
        write_files_mets(document, PACKAGE, 1, 1, entries(number), created=CREATED)
    before, began = time.process_time(), time.perf_counter()
    if what == "write":
        files, size = count, write(count)
    else:
        document.seek(0)
        files, size = sum(1 for _ in read_files_mets(document)), len(document.getvalue())
    cpu, wall = time.process_time() - before, time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([files, wall, cpu, size, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metadata", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="files (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each runs (%(default)s)")
    parser.add_argument("--once", choices=["write", "read"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        measure(given.once, given.files)
        return
    print(f"### METS and PREMIS of {given.files:,} files\n\n{about(given.rounds)}\n")
    print(
        "| | files | wall s | CPU s | files/s of CPU | bytes/file | peak MB |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for what in ("write", "read"):
        command = [sys.executable, "-m", "benchmarks.metadata", "--once", what, "--files", str(given.files)]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(given.rounds)
        ]
        files, wall, cpu, size, peak = (statistics.median(each) for each in zip(*runs, strict=True))
        print(
            f"| {what} | {files:,.0f} | {wall:.2f} | {cpu:.2f} | {files / cpu:,.0f} | {size / files:,.0f}"
            f" | {peak / 1e6:.0f} |"
        )


if __name__ == "__main__":
    main()
