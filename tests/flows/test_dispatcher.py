"""What the worker does with Prefect's server while packages are under way."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows import dispatcher
from flows.dead_runs import _is_dead
from flows.dispatcher import Dispatcher
from flows.overseer import Overseer
from flows.schedule import Schedule
from flows.workshop import Workshop
from packages.errors import Unavailable
from packages.model import later
from services.settings import Settings
from tests.support.catalogues import make_job, make_package


@pytest.mark.parametrize(("refusals", "patience", "entered"), [(2, 60, True), (1, 0, False)])
def test_a_run_that_a_busy_server_did_not_take_is_entered_again_while_there_is_patience(
    home: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, patience: int, *, entered: bool
) -> None:
    """The package itself waits for none of it: it is being walked."""
    settings = Settings(home=home, prefect_patience=patience)
    shop = SimpleNamespace(archive=SimpleNamespace(settings=settings), halting=threading.Event())
    tries: list[Any] = []

    def run(*given: Any) -> None:
        tries.append(given)
        if len(tries) <= refusals:
            raise Unavailable("503")

    monkeypatch.setattr(dispatcher, "BUSY_SECONDS", 0)
    made = Dispatcher(cast("Workshop", shop), cast("Any", None), None, cast("Any", None))
    monkeypatch.setattr(made, "_run", run)
    package = make_package()
    made._show(make_job(package), package)
    assert (len(tries) > refusals) is entered
    assert tries[-1][2] == {"package": package.id}
    assert len({key for *_, key in tries}) == 1, "it may have been entered, and the answer lost"


def test_a_run_that_is_due_waits_for_nobodys_name(monkeypatch: pytest.MonkeyPatch) -> None:
    due = {"id": "1", "name": "brave-fox", "auto_scheduled": True, "next_scheduled_start_time": later(-1)}

    def post(path: str, _body: object) -> list[Any]:
        if path.startswith("/work_pools/"):
            return [{"flow_run": due}]
        raise Unavailable("503")

    made = Schedule(cast("Workshop", None), cast("Any", None), cast("Any", SimpleNamespace(post=post)))
    made.is_there.set()
    made._deployed = True
    started: list[Any] = []
    monkeypatch.setattr(made, "_start", started.extend)
    made._look(1)
    assert started == [due]


@pytest.mark.parametrize(
    ("owner", "run", "age", "is_dead"),
    [
        ("here/1/2", "under way", 3600, False),
        ("here/1/2", "left", 3600, True),
        ("here/1/2", "just entered", 0, False),
        (None, "claimed by nobody", 3600, True),
        (None, "just taken", 0, False),
        (None, "under way", 3600, False),
    ],
)
def test_a_run_that_its_living_worker_has_left_is_over_as_one_of_nobody_is(
    owner: str | None, run: str, age: int, *, is_dead: bool
) -> None:
    """Prefect's server may have been too busy to hear how it ended: it would run for ever in its pages."""
    shop = SimpleNamespace(owner="here/1/2", runs=lambda: {"under way"})
    said = {
        "id": run,
        "infrastructure_pid": owner,
        "created": later(-9999),
        "state": {"timestamp": later(-age)},
    }
    assert _is_dead(said, cast("Workshop", shop), set()) is is_dead


def test_a_run_that_was_cancelled_as_it_ended_is_no_more_under_way() -> None:
    """Else nobody would set it to *Cancelled*."""
    stops: dict[str, threading.Event] = {}
    shop = SimpleNamespace(
        stop_of=lambda run: stops.setdefault(run, threading.Event()), forget=lambda run: stops.pop(run, None)
    )
    overseer = Overseer(cast("Workshop", shop))
    overseer.watch_run("1", None)
    overseer._cancel("1", None)
    assert overseer.leave_run("1")
    overseer._cancel("1", None)
    assert stops == {}
