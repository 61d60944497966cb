"""The edge of the command: options, errors, signals, pipes, terminals, speed, and its page."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli import exit_codes, reference
from cli.main import asks_for_json, run
from tests.support.command import SCRIPT, Holdfast, write
from tests.support.waiting import until

COMMANDS = [
    line.removeprefix("## holdfast ") for line in reference.page().splitlines() if line.startswith("## ")
]


def test_the_page_of_the_command_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), (
        "run python -m cli.reference --write"
    )


def test_every_command_that_others_script_against_is_there() -> None:
    present = {
        "up",
        "serve",
        "worker",
        "init",
        "check",
        "ingest",
        "audit",
        "rebuild",
        "token revoke",
        "delete",
    }
    assert present <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: holdfast {name}" in " ".join(shown.split())
    for option in ("--home", "--json", "--quiet"):
        assert option in shown


def test_common_options_hold_before_and_after_the_name(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--json", "--home", str(home), "init"]) == 0
    assert json.loads(capsys.readouterr().out)["home"] == str(home)
    assert run(["--home", str(home / "none"), "list", "--home", str(home), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_home_is_taken_from_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(home))
    assert run(["init", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["home"] == str(home)


def test_wrong_usage_is_two_and_names_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == exit_codes.USAGE
    assert capsys.readouterr().err.startswith("Usage: holdfast")
    assert run(["ingst"]) == exit_codes.USAGE
    assert "Did you mean 'ingest'" in capsys.readouterr().err
    assert run(["status"]) == exit_codes.USAGE
    assert "see `holdfast status --help`" in capsys.readouterr().err
    assert run(["status", "--jsn", "--json"]) == exit_codes.USAGE
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "usage"
    assert not asks_for_json(["check", "--", "--json"])


def test_without_an_archive_every_command_says_how_to_make_one(holdfast: Holdfast) -> None:
    for words in (["list"], ["status", "abcd"], ["audit"], ["reconcile"], ["token", "list"]):
        answer = holdfast.json(*words, code=exit_codes.CONTENT)
        assert "holdfast init" in answer.document["error"]["hint"]
    assert not holdfast.home.exists()


def test_a_defect_of_ours_is_one_sentence_and_a_log(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    holdfast("init")

    def broken(*_: object) -> None:
        raise RuntimeError("a screw is\x1b loose")

    monkeypatch.setattr("services.data_management.views.listing", broken)
    answer = holdfast.json("list", code=exit_codes.SYSTEM)
    assert answer.document["error"]["kind"] == "internal"
    assert r"a defect of Holdfast: RuntimeError: a screw is\x1b loose" in answer.err
    assert "Traceback" in (holdfast.home / "logs" / "holdfast.log").read_text(encoding="utf-8")


def test_the_disk_is_the_systems_fault(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    holdfast("init")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/disk/x")

    monkeypatch.setattr("services.data_management.views.listing", full)
    answer = holdfast.json("list", code=exit_codes.SYSTEM)
    assert answer.document["error"]["message"] == "/disk/x: No space left on device"


HELP = """
import runpy, sys
before, sys.argv = set(sys.modules), [sys.argv[1], "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code
print(*sorted({each.partition(".")[0] for each in set(sys.modules) - before}), file=sys.stderr)
"""


def test_help_loads_next_to_nothing() -> None:
    """What a help takes is what it loads: it answers at once while that is the tree and its framework."""
    helped = subprocess.run([sys.executable, "-c", HELP, SCRIPT], check=True, capture_output=True, text=True)
    assert "ingest" in helped.stdout
    ours = {"cli", "packages", "schemas", "typer", "annotated_doc", "shellingham"}
    heavy = {"asyncio", "http", "multiprocessing", "sqlite3", "ssl", "urllib", "xml"}
    loaded = set(helped.stderr.split())
    assert loaded - set(sys.stdlib_module_names) <= ours
    assert not loaded & heavy


TREE = """
import sys
from cli import commands, main
commands.register()
print(*sys.modules)
import storage.catalogue.database
print(*sys.modules)
"""


def test_the_tree_imports_no_service_and_a_catalogue_no_other_database() -> None:
    program = subprocess.run([sys.executable, "-c", TREE], check=True, capture_output=True, text=True)
    tree, catalogue = (set(line.split()) for line in program.stdout.splitlines())
    assert not {"services.archive", "sqlalchemy", "pydantic", "lxml.etree", "rich.console"} & tree
    assert "sqlalchemy" in catalogue
    assert "sqlalchemy.dialects.postgresql" not in catalogue  # 45 ms of each start


def test_a_reader_that_goes_away_leaves_no_traceback(holdfast: Holdfast, tmp_path: Path) -> None:
    folder = write(tmp_path / "many", [(f"{number}.txt", b"x") for number in range(3000)])
    command = holdfast.command("identify", folder, "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert process.returncode == exit_codes.INTERRUPTED


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough files that there is a middle to be interrupted in."""
    return write(tmp_path / "many", [(f"{n % 30}/{n}.txt", b"reading %d\n" % n) for n in range(1200)])


def in_the_middle(home: Path) -> bool:
    return any((home / "staging").glob("*/sheets/received.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_ingest_goes_on_later(holdfast: Holdfast, many: Path, number: signal.Signals) -> None:
    with holdfast.start("ingest", many) as process:
        until(lambda: in_the_middle(holdfast.home), every=0.005)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: to its helpers too
        else:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == exit_codes.INTERRUPTED, err
    assert "Traceback" not in out + err
    [package] = holdfast.json("list").lines
    assert f"holdfast retry {package['id']}" in err
    assert package["work"]["outcome"] == "queued"
    assert holdfast.json("retry", package["id"]).document["state"] == "published"
    assert len(holdfast.json("list").lines) == 1


def test_after_a_kill_the_next_ingest_goes_on_first(holdfast: Holdfast, many: Path, deposit: Path) -> None:
    with holdfast.start("ingest", many) as process:
        until(lambda: in_the_middle(holdfast.home), every=0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    answer = holdfast("ingest", deposit)
    assert "its worker died in the step" in answer.err
    assert [each["state"] for each in holdfast.json("list").lines] == ["published", "published"]


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_is_shown_progress_in_colour_unless_nobody_wants_it(
    holdfast: Holdfast, deposit: Path, colour: bool
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {
        "TERM": "xterm-256color"
    }
    if not colour:
        environment["NO_COLOR"] = "1"
    leader, follower = pty.openpty()
    with subprocess.Popen(
        holdfast.command("ingest", deposit), stdin=follower, stdout=follower, stderr=follower, env=environment
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(leader, 65536):
                shown += piece
    os.close(leader)
    text = shown.decode("utf-8", "replace")
    assert process.returncode == 0, text
    assert "published" in text
    assert "2 of 2 verified" in text
    assert ("\x1b[32m" in text) is colour
    assert "\x1b[2K" in text or "\x1b[1A" in text, "a live line that was drawn and cleared"


def test_two_first_ingests_at_once_make_one_archive(
    holdfast: Holdfast, deposit: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", [("diary.txt", b"something else\n")])
    with holdfast.start("ingest", deposit) as one, holdfast.start("ingest", other) as two:
        said = [each.communicate(timeout=120) for each in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], said
    assert [each["state"] for each in holdfast.json("list").lines] == ["published", "published"]
    assert {each["verdict"] for each in holdfast.json("audit").lines} == {"intact"}


def test_an_archive_whose_making_was_killed_is_completed(holdfast: Holdfast, deposit: Path) -> None:
    holdfast.home.mkdir()
    (holdfast.home / "holdfast.toml").touch()
    (holdfast.home / "staging").mkdir()
    assert holdfast.json("ingest", deposit).document["state"] == "published"
