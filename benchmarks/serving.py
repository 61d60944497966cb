"""How soon the API answers at a steady rate, while packages come in: how a package stands, pages, searches.

`python -m benchmarks.serving [--seconds 20] [--rate 200] [--page-rate 40] [--packages 100]`

Requests leave on time whether or not earlier ones were answered (an open loop): a server that stalls cannot
hide it. Latency counts from when a request was due. The API is a process of its own, the ingest another; the
client shares the machine with them.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import memory_by_process
from services.administration.people import create_token, local_actor
from services.archive import init_archive
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job

Seen = list[tuple[float, int]]
Work = asyncio.Queue[tuple[float, bytes] | None]

CONNECTIONS = 32
WORDS = (*(f"{number:05}" for number in range(50)), "harbour", "-nothing")
INGEST = """
import sys
from pathlib import Path
from services.archive import open_archive
from services.work.crowd import run_jobs
from services.administration.people import local_actor
from services.ingest.submission import Wanted, submit

archive = open_archive(Path(sys.argv[1]))
actor, done = local_actor(archive), 0
jobs = (submit(archive, actor, Wanted(each, new=True)).id for each in sorted(Path(sys.argv[2]).iterdir()))
for _ in run_jobs(archive, jobs):
    done += 1
    print(done, flush=True)
archive.close()
"""


def make(folder: Path, number: int, files: int = 20) -> Path:
    """Write a small deposit."""
    draw = random.Random(number)
    place = folder / f"deposit-{number:05}"
    place.mkdir(parents=True)
    for each in range(files):
        (place / f"letter-{each:03}.txt").write_bytes(f"{number} {each} ".encode() * 400 + draw.randbytes(64))
    return place


async def connection(
    port: int, work: "asyncio.Queue[tuple[float, bytes] | None]", seen: list[tuple[float, int]]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (asked := await work.get()) is not None:
        due, request = asked
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if length:
            await reader.readexactly(length)
        seen.append((time.perf_counter() - due, int(head[9:12])))
    writer.close()


async def load(port: int, token: str, paths: list[str], rate: int, seconds: float) -> Seen:
    """Ask for one of `paths` at a time, at `rate`, and return (latency, status) of each answer."""
    work: Work = asyncio.Queue()
    seen: Seen = []
    clients = [asyncio.create_task(connection(port, work, seen)) for _ in range(CONNECTIONS)]
    begin = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        signed = f"Authorization: Bearer {token}\r\n" if token else ""
        request = f"GET {random.choice(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{signed}\r\n"
        work.put_nowait((due, request.encode()))
    for _ in clients:
        work.put_nowait(None)
    await asyncio.gather(*clients)
    return seen


def told(name: str, seen: Seen, rate: int) -> None:
    times = sorted(each for each, _ in seen)

    def at(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))] * 1000

    wrong = sum(status != 200 for _, status in seen)
    print(
        f"{name:<36} {rate:>4}/s  {len(seen):>6} answers, {wrong} not 200;"
        f"  p50 {at(0.5):6.1f} ms  p95 {at(0.95):6.1f}  p99 {at(0.99):6.1f}  max {times[-1] * 1000:6.1f}"
    )


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--page-rate", type=int, default=40, help="landing pages, or searches, a second")
    parser.add_argument("--packages", type=int, default=100, help="packages that are there before")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-serving-") as folder:
        run(Path(folder), said)


def run(folder: Path, said: argparse.Namespace) -> None:
    home = folder / "home"
    archive, _ = init_archive(home)
    (home / "holdfast.toml").write_text(f"requests_per_second = {said.rate * 10}\n")
    actor = local_actor(archive)
    _, token = create_token(archive, actor, name="bench", role="archivist", expires=None)
    ids = []
    for number in range(said.packages):
        job = submit(archive, actor, Wanted(make(folder / "first", number, 5), new=True))
        ids.append(run_job(archive, job.id).package_id)
    archive.close()
    for number in range(4000):
        make(folder / "more", 10_000 + number, 5)
    port = 18_431
    command = [sys.executable, "-m", "api", "--home", str(home), "--port", str(port)]
    with (folder / "api.log").open("w") as log:
        api = subprocess.Popen(command, stderr=log)
        try:
            wait_for(port)
            status = [f"/api/packages/{each}" for each in ids]
            asked = (
                ("status", token, status, said.rate),
                ("landing page", "", [f"/records/{each}" for each in ids], said.page_rate),
                ("page of a search", "", [f"/search?q=deposit+{each}" for each in WORDS], said.page_rate),
            )
            asyncio.run(load(port, token, status, 50, 2))  # warm
            begun, at = cpu_of(api.pid), time.monotonic()
            time.sleep(5)
            share = (cpu_of(api.pid) - begun) / (time.monotonic() - at)
            print(f"idle: {share:.2%} of a core")
            for when, ingests in (("", False), (", packages come in", True)):
                ingest = start_ingest(home, folder / "more") if ingests else None
                began = time.monotonic()
                for name, by, paths, rate in asked:
                    begun, at = cpu_of(api.pid), time.monotonic()
                    seen = asyncio.run(load(port, by, paths, rate, said.seconds))
                    used, took = cpu_of(api.pid) - begun, time.monotonic() - at
                    told(name + when, seen, rate)
                    each = used / len(seen) * 1000
                    print(f"{'':<36} the API used {used / took:.0%} of a core, {each:.1f} ms an answer")
                if ingest is not None:
                    print(f"MB of each process: {memory_by_process(ingest.pid)}")
                    ingest.terminate()
                    lines = ingest.communicate()[0].splitlines()
                    rate_in = len(lines) / (time.monotonic() - began)
                    print(f"{len(lines)} packages came in meanwhile ({rate_in:.1f}/s)")
            print(f"MB of each process: {memory_by_process(api.pid)}")
        finally:
            api.terminate()
            api.wait()


def start_ingest(home: Path, sources: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", INGEST, str(home), str(sources)]
    ingest = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert ingest.stdout is not None
    ingest.stdout.readline()  # it is at work
    return ingest


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            asyncio.run(load(port, "", ["/ping"], 1, 1))
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the API did not start")


if __name__ == "__main__":
    main()
