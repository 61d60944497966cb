"""A process that is made to die: forks one child for each order and says what became of it.

Started as ``python -m tests.support.victim``. An order is a line of JSON (see `tests.support.killer`); the
child works on a real home as `holdfast` would, in a process and session of its own. Forking spares each of
several hundred children half a second of imports; nothing has been opened and no thread runs when it happens.
"""

import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from packages.deletions import Category
from packages.errors import HoldfastError
from packages.ledger import Job
from packages.model import Actor
from services.administration import deletion
from services.administration.decisions import decide
from services.administration.people import local_actor
from services.archival_storage.mending import repair
from services.archive import Archive, open_archive
from services.data_management.rebuild import rebuild_catalogue, rebuild_index
from services.data_management.reconcile import reconcile
from services.ingest import step_table as ingest
from services.ingest.revision import update_record
from services.ingest.submission import Wanted, submit
from services.work import engine
from tests.support.killer import MARK
from tests.support.mutations import every_mutation
from tests.support.victim_revise import migrated, revised
from tools import crew_terms

OUT = 1
Order = dict[str, Any]


def say(**what: Any) -> None:
    """Tell the test in one write, which no kill can cut in two."""
    os.write(OUT, json.dumps(what).encode() + b"\n")


class Announcer:
    """Says when a step begins and has been recorded; dies there when that is the order."""

    def __init__(self, order: Order) -> None:
        self.dies = order.get("die") or {}
        self.archive: Archive | None = None

    def step_started(self, package: Any, step: str) -> None:
        say(step=step, package=package.id, at=time.monotonic())

    def step_ended(self, package: Any, step: str, outcome: str, result: str, message: str) -> None:
        say(ended=step, package=package.id, outcome=outcome, result=result, message=message)
        self.reach("recorded", step)

    def progress(self, package: Any, step: str, done: int) -> None:
        pass

    def reach(self, point: str, step: str) -> None:
        """Die, or be stopped, if this is the point.

        Who is stopped holds no lock of SQLite's (the heart beats in a thread of its own): nobody else could
        write before it wakes.
        """
        if self.dies.get("point") != point or self.dies.get("step") != step:
            return
        turn = getattr(self.archive.catalogue, "_turn", None) if self.archive else None
        with turn or nullcontext():
            os.kill(os.getpid(), self.dies.get("signal", signal.SIGKILL))


def beset(announcer: Announcer) -> None:
    """Wrap every step so that the child can die before and after its work, and after the outbox."""

    def wrapped(name: str, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(context: Any) -> Any:
            announcer.reach("before", name)
            result = step(context)
            announcer.reach("after", name)
            return result

        return run

    for kind, steps in ingest.SEQUENCES.items():
        ingest.SEQUENCES[kind] = tuple((name, wrapped(name, step)) for name, step in steps)
    drain = engine.drain

    def drained(archive: Archive) -> int:
        done = drain(archive)
        announcer.reach("drained", "publish")
        return done

    engine.drain = drained


def obey(order: Order) -> None:
    """Do what is ordered, in the child."""
    os.environ.update(order.get("env", {}))
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    announcer = Announcer(order)
    beset(announcer)
    with_archive = open_archive(Path(order["home"]))
    announcer.archive = with_archive
    actor = local_actor(with_archive)
    say(ready=True)
    if order.get("file_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], order["file_limit"]))
    if order.get("mutation"):
        every_mutation(order["home"], order["mutation"], lambda: os.kill(os.getpid(), signal.SIGKILL))
    DUTIES[order["do"]](with_archive, actor, order, announcer)
    with_archive.close()


def _ingest(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    for source in order["sources"]:
        job = submit(archive, actor, Wanted(Path(source), title=order.get("title")))
        say(job=job.id, package=job.package_id)
        _tell(engine.run_job(archive, job.id, announcer))


def _run(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    del actor
    _tell(engine.run_job(archive, order["job"], announcer))


def _update(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    job = update_record(archive, actor, order["package"], json.dumps(order["record"]).encode())
    if job is None:
        say(same=True)
        return
    say(job=job.id, package=job.package_id)
    _tell(engine.run_job(archive, job.id, announcer))


def _delete(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    """Ask for a deletion, approve it as another person, and carry it out; each goes on where it stands."""
    second = Actor("second", "The second person", frozenset({"archivist"}))
    with archive.catalogue.read() as view:
        known = view.latest_deletions(order["packages"])
        lacking = [each for each in order["packages"] if each not in known]
    if lacking:
        deletion.request(archive, actor, lacking, "over", category=Category.RETENTION)
    with archive.catalogue.read() as view:
        asked = {each[0].id for each in view.latest_deletions(order["packages"]).values()}
    for each in sorted(asked):
        deletion.approve(archive, second, each)
        for job in deletion.jobs_of(archive, each):
            _tell(engine.run_job(archive, job.id, announcer))


def _reconcile(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    del order
    said = reconcile(archive, actor, observer=announcer).as_json()
    say(actions=said["actions"][:20], disagreements=said["disagreements"][:20])


def _decide(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    for each in decide(archive, actor, order["verb"], [order["package"]]):
        if each.error is not None:
            raise each.error
        if each.job is not None and each.job.is_open:
            _tell(engine.run_job(archive, each.job.id, announcer))


def _tell(job: Job) -> None:
    say(
        done=job.id,
        package=job.package_id,
        state=job.state,
        reason=job.reason,
        stands=job.step,
        at=time.monotonic(),
    )


def _revise(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    _tell(revised(archive, actor, order, announcer))


def _migrate(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    _tell(migrated(archive, actor, order, announcer))


def _revise_once(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    """Make a second version, or go on with it, or find it made."""
    with archive.catalogue.read() as view:
        is_open = view.open_job(order["package"]) is not None
        version = view.package(order["package"]).version
    if is_open:
        _reconcile(archive, actor, order, announcer)
    elif version == 1:
        _revise(archive, actor, order, announcer)


def _repair(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    del announcer
    repair(archive, actor, order["package"])


def _rebuild(archive: Archive, actor: Any, order: Order, announcer: Announcer) -> None:
    """Make catalogue and index again. Raises AssertionError for what could not be restored."""
    del order, announcer
    done = rebuild_catalogue(archive, actor)
    rebuild_index(archive, actor)
    assert (done.failed, done.away) == ([], []), done


DUTIES: dict[str, Callable[[Archive, Any, Order, Announcer], None]] = {
    "ingest": _ingest,
    "run": _run,
    "update": _update,
    "revise": _revise,
    "migrate": _migrate,
    "revise_once": _revise_once,
    "repair": _repair,
    "rebuild": _rebuild,
    "delete": _delete,
    "reconcile": _reconcile,
    "decide": _decide,
}


def child(order: Order) -> int:
    """Be the child; return its exit status."""
    os.setsid()
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        obey(order)
    except KeyboardInterrupt:
        say(interrupted=True)
        return 130
    except HoldfastError as error:
        say(error=error.message, hint=error.hint, kind=error.kind)
        return 1
    except BaseException as error:  # noqa: BLE001  # a child must never go on as a second parent
        say(error=f"{type(error).__name__}: {error}", kind="crash")
        return 70
    return 0


def main() -> None:
    """Fork a child for every order, one after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Children that read have no environment of ours: without the mark nobody would miss one that stays.
    vars(crew_terms)["KEPT"] = (*crew_terms.KEPT, MARK)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(child(json.loads(line)))
        say(pid=pid)
        say(exit=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main()
