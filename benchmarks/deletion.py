"""K6: one request for many packages: how long asking, approving and deleting takes.

``python -m benchmarks.deletion --packages 5000``; the packages are tiny: measured is what each costs.
"""

import argparse
import tempfile
import time
from pathlib import Path

from packages.deletions import Category
from packages.model import Actor
from services.administration import deletion, deletion_views
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job


def main() -> None:
    """Make an archive, fill it, and delete all but one of its packages by one request."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=5000)
    number = parser.parse_args().packages
    with tempfile.TemporaryDirectory() as folder:
        archive, _ = init_archive(Path(folder) / "home")
        try:
            _measure(archive, Path(folder) / "in", number)
        finally:
            archive.close()


def _measure(archive: Archive, folder: Path, number: int) -> None:
    me = local_actor(archive)
    second = Actor("second", "The second person", frozenset({"archivist"}))
    ids = [_deposit(archive, me, folder, each) for each in range(number + 1)]
    began = _now()
    asked = deletion.request(archive, me, ids[1:], "over", category=Category.RETENTION)
    _say("asked for", number, began)
    if asked.deletion is None:
        raise SystemExit("nothing was asked for")
    began = _now()
    deletion.approve(archive, second, asked.deletion.id)
    _say("approved", number, began)
    began = _now()
    for job in deletion.jobs_of(archive, asked.deletion.id):
        run_job(archive, job.id)
    _say("deleted", number, began)
    shown, _ = deletion_views.shown(archive, me, asked.deletion.id, limit=1)
    print(f"{shown['state']}: {shown['progress']}")


def _deposit(archive: Archive, actor: Actor, folder: Path, number: int) -> str:
    source = folder / str(number)
    source.mkdir(parents=True)
    (source / "a.txt").write_text(str(number))
    job = run_job(archive, submit(archive, actor, Wanted(source, new=True)).id)
    return job.package_id


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _say(what: str, number: int, began: tuple[float, float]) -> None:
    seconds, used = (now - then for now, then in zip(_now(), began, strict=True))
    each = used / number * 1000
    print(f"{what}: {number} packages in {seconds:.1f} s, {each:.1f} ms of processor time each", flush=True)


if __name__ == "__main__":
    main()
