"""Deposits through Prefect and without it, in one run: ``python -m benchmarks.orchestration [PACKAGES]``.

Prints how long a deposit alone waits until it is worked on, how many packages a second come through, and the
memory of each process.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import TICK, descendants, memory_by_process, tree_cpu
from packages.ledger import JobState
from services.archive import Archive, init_archive
from services.work.crowd import run_jobs, usual_size
from tests.support.orchestra import Hand, Orchestra, deposits, ended, job_of, until

SINGLES = 10


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        root = Path(folder)
        archive, _ = init_archive(root / "home")
        began = time.monotonic()
        with Orchestra(root / "home") as orchestra:
            print(f"Prefect's server answers after {time.monotonic() - began:.1f} s")
            began = time.monotonic()
            with Hand(archive, orchestra.server.url) as hand:
                print(f"the worker is there after {time.monotonic() - began:.1f} s")
                ended(archive, deposits(archive, root / "first", 1))
                _singles(archive, root)
                before = _cpu(orchestra.pid), _cpu(hand.pid)
                _bulk("through Prefect", archive, root / "prefect", count)
                server, worker = _cpu(orchestra.pid) - before[0], _cpu(hand.pid) - before[1]
                print(f"CPU seconds meanwhile: server {server:.1f}, worker {worker:.1f}")
                print(
                    f"MB of each process: {memory_by_process(orchestra.pid)}, {memory_by_process(hand.pid)}"
                )
                until(orchestra.settled, 60)
        archive.close()
        other, _ = init_archive(root / "other")
        jobs = deposits(other, root / "alone", count)
        began, used = time.monotonic(), tree_cpu()
        assert all(
            job.state is JobState.DONE
            for job in run_jobs(other, [each.id for each in jobs], workers=usual_size())
        )
        _told("in process (its workers started for it)", count, time.monotonic() - began)
        print(f"CPU seconds meanwhile: {tree_cpu() - used:.1f}")
        other.close()


def _singles(archive: Archive, root: Path) -> None:
    waits, whole = [], []
    for number in range(SINGLES):
        began = time.monotonic()
        [job] = deposits(archive, root / f"single-{number}", 1)
        until(lambda job=job: job_of(archive, job).state is not JobState.QUEUED, 30, 0.005)
        waits.append(time.monotonic() - began)
        ended(archive, [job])
        whole.append(time.monotonic() - began)
        time.sleep(1)
    print(f"deposit to running: median {statistics.median(waits):.2f} s, longest {max(waits):.2f} s")
    print(f"deposit to published: median {statistics.median(whole):.2f} s, longest {max(whole):.2f} s")


def _bulk(name: str, archive: Archive, folder: Path, count: int) -> None:
    jobs = deposits(archive, folder, count)
    began = time.monotonic()
    done = ended(archive, jobs)
    assert all(job.state is JobState.DONE for job in done)
    _told(name, count, time.monotonic() - began)


def _told(name: str, count: int, seconds: float) -> None:
    print(f"{count} packages {name}: {seconds:.1f} s, {count / seconds:.1f} packages/s")


def _cpu(pid: int) -> float:
    """Return the processor seconds of a process and of those below it that are living."""
    stats = (Path(f"/proc/{each}/stat").read_text() for each in (pid, *descendants(pid)))
    fields = [each.rpartition(")")[2].split() for each in stats]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICK


if __name__ == "__main__":
    main()
