"""The pipeline itself, in a process of its own: ``python -m benchmarks.pipeline HOME [REPORT SOURCE…]``.

With HOME alone it makes an archive with two local stores. Else it takes each SOURCE through every step into
both, and writes what the steps cost as JSON to REPORT.
"""

import json
import logging
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.processes import tree_cpu
from packages import garbage
from packages.ledger import JobState, Package, StepOutcome
from services.administration.people import local_actor
from services.archive import init_archive, open_archive
from services.ingest.submission import Wanted, submit
from services.work.crowd import run_jobs, usual_size


class Clock:
    """An observer that adds up the wall clock and, with `cpu`, the processor seconds of each step.

    To ask for the processor seconds of children takes longer than some steps of a small package.
    """

    def __init__(self, *, cpu: bool) -> None:
        self._cpu = tree_cpu if cpu else float
        self.steps: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._began = threading.local()

    def step_started(self, _package: Package, _step: str) -> None:
        self._began.at = (time.perf_counter(), self._cpu())

    def step_ended(
        self, _package: Package, step: str, outcome: StepOutcome, _result: str, message: str
    ) -> None:
        wall, cpu = self._began.at
        self.steps[step][0] += time.perf_counter() - wall
        self.steps[step][1] += self._cpu() - cpu
        if outcome not in {StepOutcome.DONE, StepOutcome.SKIPPED}:
            print(f"{step}: {outcome}: {message}", file=sys.stderr)

    def progress(self, _package: Package, _step: str, _done: int) -> None:
        return


def prepare(home: Path) -> None:
    """Make an archive with two local stores, ready for submissions."""
    archive, _ = init_archive(home)
    local_actor(archive)
    archive.close()


def ingest(home: Path, report: Path, sources: list[Path]) -> None:
    """Take every source in, many side by side; a package that is not archived ends the run."""
    began = time.perf_counter()
    archive = open_archive(home)
    actor = local_actor(archive)
    clock = Clock(cpu=len(sources) == 1)
    ids = (submit(archive, actor, Wanted(source)).id for source in sources)
    jobs = run_jobs(archive, ids, clock, workers=usual_size())
    for job in jobs:
        if job.state is not JobState.DONE:
            raise SystemExit(f"{job.source}: {job.state}: {job.reason}")
    archive.close()
    wall = time.perf_counter() - began
    report.write_text(json.dumps({"wall": wall, "steps": clock.steps}))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    home, *rest = map(Path, sys.argv[1:])
    if rest:
        ingest(home, rest[0], rest[1:])
    else:
        prepare(home)
    garbage.leave_to_the_end()
