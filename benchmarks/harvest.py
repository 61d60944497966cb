"""``python -m benchmarks.harvest [--records N] [--folder FOLDER]``: whole lists over HTTP (P6, M10).

One harvester reads them. The records are rows put straight into a catalogue, each with the description of a
usual data set. The server is a process of its own; its memory is the peak that the kernel has seen (VmHWM),
at 10, 40, 70 and 100 % of the list.
"""

import argparse
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2

from benchmarks.processes import TICK
from packages.ledger import Package, PackageState
from packages.record import CURRENT
from services.archive import init_archive

TOKEN = re.compile(rb"<resumptionToken[^>]*>([^<]+)</resumptionToken>")
DESCRIPTION = "What was read at the gauge, by whom, and how it was put down. " * 12
CHUNK = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.harvest", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-harvest-", dir=given.folder) as folder:
        home = Path(folder) / "home"
        fill(home, given.records)
        port = free_port()
        command = [sys.executable, "-m", "api", "--home", str(home), "--port", str(port)]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # a line of the log for each answer
        try:
            address = f"http://127.0.0.1:{port}/oai"
            wait_for(address)
            for verb, prefix in (
                ("ListRecords", "oai_dc"),
                ("ListRecords", "oai_datacite"),
                ("ListIdentifiers", "oai_dc"),
            ):
                before = cpu(server.pid)
                line = told(harvest(address, verb, prefix, server.pid), given.records)
                per = given.records / (cpu(server.pid) - before)
                print(f"{verb:16}{prefix:13}{line}  {per:,.0f} records a processor second", flush=True)
        finally:
            server.terminate()
            server.wait()


def fill(home: Path, count: int) -> None:
    """Put `count` published packages into the catalogue of a new archive."""
    archive, _ = init_archive(home)
    for first in range(0, count, CHUNK):
        with archive.catalogue.write() as unit:
            at = unit.datestamp()
            for number in range(first, min(first + CHUNK, count)):
                unit.add_package(package(number, at))
    archive.close()


def package(number: int, at: str) -> Package:
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    record = {
        "$schema": CURRENT,
        "title": f"Tide tables of the harbour, volume {number}",
        "creators": [
            {
                "name": "Lovelace, Ada",
                "nameType": "Personal",
                "affiliations": [{"name": "The Harbour Office"}],
            },
            {"name": "Babbage, Charles", "nameType": "Personal"},
        ],
        "publisher": {"name": "Harbour museum"},
        "publicationYear": 1843,
        "resourceType": {"resourceTypeGeneral": ("Dataset", "Image", "Text")[number % 3]},
        "subjects": [{"subject": each} for each in ("tides", "harbour", "sea level")],
        "descriptions": [{"description": DESCRIPTION, "descriptionType": "Abstract"}],
        "rights": [{"rights": "CC BY 4.0", "rightsUri": "https://creativecommons.org/licenses/by/4.0/"}],
        "languages": ["en"],
    }
    return Package(
        id=identity,
        owner="owner",
        title=str(record["title"]),
        created=at,
        updated=at,
        state=PackageState.PUBLISHED,
        pid=f"ark:99999/hf1{number:012}",
        oai_id=f"oai:archive.localhost:{identity}",
        oai_datestamp=at,
        record=record,
    )


def harvest(address: str, verb: str, prefix: str, pid: int) -> Iterator[tuple[int, float, int, int]]:
    """Yield (records so far, seconds so far, bytes so far, VmHWM in KiB) after each answer."""
    query = {"verb": verb, "metadataPrefix": prefix}
    seen = size = 0
    began = time.perf_counter()
    with httpx2.Client() as client:
        while True:
            answer = client.get(address, params=query)
            answer.raise_for_status()
            seen += answer.content.count(b"<header")
            size += len(answer.content)
            yield seen, time.perf_counter() - began, size, peak(pid)
            token = TOKEN.search(answer.content)
            if token is None:
                return
            query = {"verb": verb, "resumptionToken": token[1].decode()}


def told(answers: Iterator[tuple[int, float, int, int]], expected: int) -> str:
    """Read the whole list and return what is to be said of it."""
    memory: list[str] = []
    seen, seconds, size = 0, 0.0, 0
    for answer in answers:
        seen, seconds, size, peak_kib = answer
        if seen >= expected * (len(memory) * 3 + 1) // 10:
            memory.append(f"{peak_kib / 1024:.0f}")
    assert seen == expected, f"{seen} of {expected} records"
    return (
        f"{seen:>9,} in {seconds:6.1f} s {seen / seconds:>9,.0f}/s {size / 1e6:5.0f} MB"
        f"  VmHWM {' '.join(memory)} MiB"
    )


def cpu(pid: int) -> float:
    """Return the processor seconds of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return sum(map(int, stat.rpartition(")")[2].split()[11:13])) / TICK


def peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmHWM:")[2].split()[0])


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            httpx2.get(address, params={"verb": "Identify"}).raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not come up")


if __name__ == "__main__":
    main()
