"""Prefect's server as we start it: at home, for this machine alone, with what prefect.yaml says."""

import base64
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import pytest

from flows import deploying
from flows.runs import begin
from flows.server import environment, folder, set_damaged_database_aside
from packages.errors import Unavailable
from tests.support.orchestra import SECRET, Orchestra
from tests.support.waiting import until
from tools.prefect_server import PrefectServer

pytestmark = pytest.mark.slow


def answer(
    orchestra: Orchestra, path: str, method: str = "GET", *, secret: str = SECRET, **headers: str
) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{orchestra.port}{path}",
        b"{}" if method == "POST" else None,
        {
            "Content-Type": "application/json",
            "Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}",
            **{name.replace("_", "-"): said for name, said in headers.items()},
        },
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as got:
            return int(got.status)
    except HTTPError as error:
        return error.code


def deploy(server: PrefectServer) -> None:
    """Deploy as the worker does: again, when the server was too busy."""

    def done() -> bool:
        try:
            return bool(deploying.deploy(server))
        except Unavailable:
            return False

    until(done, every=1)


def test_a_damaged_database_is_set_aside_and_a_sound_one_stays(tmp_path: Path) -> None:
    assert set_damaged_database_aside(tmp_path) is None
    folder(tmp_path).mkdir()
    file = folder(tmp_path) / "prefect.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE flow_run (id)")
    assert set_damaged_database_aside(tmp_path) is None
    sound = file.read_bytes()
    for damaged in (b"\xa5" * 4096 + sound[4096:], sound[:100] + b"\xa5" * (len(sound) - 100)):
        file.write_bytes(damaged)
        aside = set_damaged_database_aside(tmp_path)
        assert aside is not None
        assert aside.read_bytes() == damaged
        assert not file.exists()


def test_only_this_machine_is_let_in_and_no_page_of_another_site(orchestra: Orchestra) -> None:
    assert answer(orchestra, "/api/health") == 200
    assert answer(orchestra, "/") == 200  # the pages
    assert answer(orchestra, "/api/health", Host="evil.example") == 403  # a name that points here
    assert answer(orchestra, "/api/flows/filter", "POST") == 200  # a program
    own = f"http://127.0.0.1:{orchestra.port}"
    assert answer(orchestra, "/api/flows/filter", "POST", Origin=own) == 200
    assert answer(orchestra, "/api/flows/filter", "POST", Origin="http://evil.example") == 403
    assert answer(orchestra, "/api/flows/filter", "POST", Sec_Fetch_Site="cross-site") == 403
    assert answer(orchestra, "/", Sec_Fetch_Site="cross-site") == 200  # a link


def test_who_does_not_know_the_secret_sees_and_does_nothing(orchestra: Orchestra) -> None:
    assert answer(orchestra, "/api/health", secret="holdfast:guessed") == 200
    for path in ("/api/flows/filter", "/api/work_pools/filter", "/api/flow_runs/filter"):
        assert answer(orchestra, path, "POST", secret="holdfast:guessed") == 401
    assert answer(orchestra, "/api/admin/settings", secret="") == 401


def test_it_lives_in_its_own_home(orchestra: Orchestra) -> None:
    assert (folder(orchestra.home) / "prefect.db").exists()
    assert folder(orchestra.home).stat().st_mode & 0o077 == 0
    assert not (Path.home() / ".prefect").exists()
    settings = orchestra.server.get("/admin/settings")["server"]
    assert settings["analytics_enabled"] is False
    assert settings["ephemeral"]["enabled"] is False
    assert settings["ui"]["show_promotional_content"] is False
    assert all(name.startswith(("PREFECT_", "DO_NOT_TRACK")) for name in environment(Path("/x"), 1))


def test_what_is_deployed_is_what_the_file_says(
    orchestra: Orchestra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = orchestra.server

    def deployed() -> dict[str, list[str]]:
        return {
            each["name"]: [one["schedule"]["cron"] for one in each["schedules"]]
            for each in server.post("/deployments/filter", {})
        }

    said = {
        each["name"]: [one["cron"] for one in each.get("schedules", ())] for each in deploying.described()
    }
    deploy(server)
    first = server.get("/deployments/name/audit/audit")
    assert deployed() == said
    deploy(server)  # again changes nothing
    again = server.get("/deployments/name/audit/audit")
    assert (again["updated"], again["schedules"]) == (first["updated"], first["schedules"])
    # what somebody switched off stays off; what leaves the file leaves the server
    [schedule] = again["schedules"]
    at = f"/deployments/{again['id']}/schedules/{schedule['id']}"
    server.ask("PATCH", at, {"active": False})
    deploy(server)
    [schedule] = server.get("/deployments/name/audit/audit")["schedules"]
    assert schedule["active"] is False
    shorter = tmp_path / "prefect.yaml"
    text = deploying.FILE.read_text()
    text = text.replace('      - {slug: daily, cron: "30 1 * * *", timezone: UTC}\n', "").replace(
        "    schedules:\n\n", "\n"
    )
    shorter.write_text(text[: text.index("  - name: rebuild")])
    monkeypatch.setattr(deploying, "FILE", shorter)
    deploy(server)
    left = {name: each for name, each in said.items() if name not in {"rebuild", "migrate", "reidentify"}}
    assert deployed() == {**left, "audit": []}
    monkeypatch.undo()
    deploy(server)
    assert deployed() == said


def test_a_run_that_is_entered_again_by_its_key_is_one(orchestra: Orchestra) -> None:
    server = orchestra.server
    deploy(server)
    entered: list[str] = []

    def enter(key: str) -> bool:
        try:
            entered.append(str(begin(server, "ingest", key, {"package": "x"}, [], "here/1/2", key).id))
        except Unavailable:  # it is busy
            return False
        return True

    for key in ("first", "first", "other"):
        until(lambda key=key: enter(key), every=1)
    states = {server.get(f"/flow_runs/{each}")["state_type"] for each in entered}
    for each in entered:
        server.set_state(each, "CANCELLED", force=True)
    first, again, other = entered
    assert first == again != other
    assert states == {"PENDING"}, "else another worker takes it"


def test_the_audit_by_the_clock_reads_what_is_due() -> None:
    """Else it begins anew each night, and what it does not get through is never read."""
    [said] = [each for each in deploying.described() if each["name"] == "audit"]
    assert said["parameters"] == {"due": True, "budget": 50_000_000}


def test_schedules_make_runs(orchestra: Orchestra) -> None:
    """Prefect 3.8 under SQLAlchemy 2.1 makes none by itself (flows.server.let_runs_be_scheduled)."""
    deploy(orchestra.server)
    wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    until(
        lambda: any(each["auto_scheduled"] for each in orchestra.server.post("/flow_runs/filter", wanted)), 90
    )
