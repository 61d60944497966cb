"""What the worker does with Prefect's server while packages are under way."""

import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows import dispatcher, missed
from flows.dead_runs import _is_dead
from flows.dispatcher import Dispatcher
from flows.overseer import Overseer
from flows.schedule import Schedule
from flows.workshop import Workshop
from packages.errors import HoldfastError, NotFound, Unavailable
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
    assert made._show(make_job(package), package) is entered
    assert (len(tries) > refusals) is entered
    assert tries[-1][2] == {"package": package.id}
    assert len({key for *_, key in tries}) == 1, "it may have been entered, and the answer lost"


def shop_of(home: Path, **view: Any) -> Workshop:
    """Return a workshop on a ledger that says what is given."""
    catalogue = SimpleNamespace(read=lambda: nullcontext(SimpleNamespace(**view)))
    return Workshop(cast("Any", SimpleNamespace(home=home, catalogue=catalogue)), 1)


@pytest.mark.parametrize("is_shown", [True, False])
def test_a_package_that_went_on_as_prefects_server_was_lost_is_told_with_the_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_shown: bool
) -> None:
    package = make_package()
    job, shop = make_job(package), shop_of(home, package=lambda _: package)
    monkeypatch.setattr(shop, "walk", lambda _: nullcontext())
    monkeypatch.setattr(dispatcher, "drain", lambda _: None)
    made = Dispatcher(shop, cast("Any", None), None, cast("Any", None))
    monkeypatch.setattr(made, "_show", lambda *_: is_shown)
    made._run_ingest(job)
    assert shop.unshown_jobs() == ([] if is_shown else [job.id])


@pytest.mark.parametrize(("trouble", "left"), [(Unavailable("503"), ["2", "1"]), (NotFound("404"), [])])
def test_what_was_walked_without_prefect_is_told_once_it_can_be_and_each_package_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, trouble: HoldfastError, left: list[str]
) -> None:
    """One may have been walked again and again; what the server does not take is not told for ever."""
    shop = shop_of(home, job=lambda _: None)
    shop.server = cast("Any", SimpleNamespace())
    for each in ("1", "2", "1"):
        shop.was_not_shown(each)

    def begin(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(missed, "begin", begin)
    missed.tell_missed(shop)
    assert shop.unshown_jobs() == left


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


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_run_of_which_the_server_did_not_say_in_time_whose_it_is_is_asked_for_anew(
    monkeypatch: pytest.MonkeyPatch, *, is_ours: bool
) -> None:
    """It may be *Pending* by our own question: nobody else is handed it then."""
    due = {"id": "1", "name": "brave-fox", "auto_scheduled": False, "next_scheduled_start_time": later(-1)}
    due |= {"deployment_id": "d", "parameters": {}, "expected_start_time": later(-1)}
    state = {"type": "PENDING", "message": "taken by somebody else"}
    scheduled = [{"flow_run": due}]

    def set_state(_run: str, kind: str, *, message: str) -> str:
        if not scheduled:
            return "ABORT"
        scheduled.clear()
        if is_ours:
            state.update(type=kind, message=message)
        raise Unavailable("timed out")

    server = SimpleNamespace(
        get=lambda path: {"name": "audit"} if path.startswith("/deployments") else {"state": state},
        post=lambda *_: list(scheduled),
        patch=lambda *_: None,
        set_state=set_state,
    )
    shop = cast("Workshop", SimpleNamespace(owner="here/1/2"))
    made = Schedule(shop, cast("Any", None), cast("Any", server))
    made.is_there.set()
    made._deployed = True
    ran: list[Any] = []
    monkeypatch.setattr(made, "_run", lambda said, _: ran.append(said))
    with pytest.raises(Unavailable):
        made._look(1)
    for _ in range(2):
        made._look(1)
    for each in made.running():
        each.join()
    assert ran == ([due] if is_ours else [])


def test_a_run_that_is_gone_before_the_server_could_say_whose_it_is_is_forgotten() -> None:
    """Else the server would be taken for away as long as this worker lives."""
    due = {"id": "1", "name": "brave-fox", "auto_scheduled": False, "next_scheduled_start_time": later(-1)}
    due |= {"deployment_id": "d", "parameters": {}, "expected_start_time": later(-1)}
    scheduled = [{"flow_run": due}]
    answers = [Unavailable("timed out"), NotFound("there is no such run")]

    def set_state(*_: str, **_said: str) -> str:
        scheduled.clear()
        raise answers.pop(0)

    server = SimpleNamespace(
        get=lambda _: {"name": "audit"}, post=lambda *_: list(scheduled), set_state=set_state
    )
    shop = cast("Workshop", SimpleNamespace(owner="here/1/2"))
    made = Schedule(shop, cast("Any", None), cast("Any", server))
    made.is_there.set()
    made._deployed = True
    with pytest.raises(Unavailable):
        made._look(1)
    for _ in range(2):
        made._look(1)
    assert (answers, made.running()) == ([], [])


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
