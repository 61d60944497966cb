"""Converters are hostile ground: what they do costs their own derivative, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from errno import EPERM
from pathlib import Path
from threading import Event, Thread

import pytest

from packages.format_policy import Action, Kind, Outcome, default_policy
from packages.model import FileEntry
from packages.scratch import bytes_in
from tests.support.scripted_converter import Scripted
from tests.support.waiting import until
from tools import process
from tools.converter_calls import REFUSED
from tools.crew_confinement import MACHINES, can_refuse_calls
from tools.normalise.conduct import WORKPLACE, Conductor, Request, clear, tidy
from tools.normalise.made import Made
from tools.runs import Bounds, Ended, Ran
from tools.sandbox import Sandbox, isolation, private_folder

MIB = 1 << 20
NAP = "86399.73"
"""How long a process sleeps that must be found again by its command line."""


def converted(folder: Path, script: str, count: int = 1, seconds: int = 60, **known: object) -> list[Made]:
    """Return what came of `count` files that `script` converts one by one."""
    adapter = Scripted({"x": script}, **known)  # type: ignore[arg-type]  # fields of Scripted
    return conducted(folder, adapter, count, seconds)


def conducted(
    folder: Path, adapter: Scripted, count: int = 1, seconds: int = 60, stop: Event | None = None
) -> list[Made]:
    limits = replace(
        default_policy().limits,
        seconds=seconds,
        output_floor_bytes=MIB,
        output_ratio=0,
        memory_bytes=512 * MIB,
    )
    action = Action("a rule", Kind.PRESERVATION, adapter.name, "x", limits)
    requests = []
    for number in range(count):
        source = folder / f"in {number}.TXT"
        source.write_text(f"content {number}\n", "utf-8")
        entry = FileEntry(f"data/original/in {number}.TXT", "", source.stat().st_size, "", 0)
        requests.append(Request(entry, source, action, folder / "out"))
    conductor = Conductor(size=1)
    try:
        made = [
            one for future in conductor.begin(adapter, requests, stop or Event()) for one in future.result()
        ]
    finally:
        conductor.close()
    tidy(folder / "out")
    assert not (folder / "out" / WORKPLACE).exists()
    assert not sleeping()
    return made


def sleeping() -> list[str]:
    """Return the PIDs of what sleeps for NAP, or did and is not gone."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if NAP.encode() in each.read_bytes().split(b"\0"):
                found.append(each.parent.name)
        except OSError:
            continue
    return found


def test_a_converter_that_does_its_work(tmp_path: Path) -> None:
    (made,) = converted(tmp_path, 'tr a-z A-Z <"$source" >"$folder/any name.Txt"')
    assert (made.outcome, made.message, made.tool) == (Outcome.DONE, "", "Scripted 1.0")
    assert made.name == "in 0.TXT/in 0.TXT.txt"
    assert made.file == tmp_path / "out/preservation/in=200.TXT/in=200.TXT.txt"
    assert made.file.read_text("utf-8") == "CONTENT 0\n"
    assert made.command.startswith('sh -c source="{source}"; folder="{folder}";')
    assert str(tmp_path) not in made.command


def test_several_files_of_one_conversion_are_numbered(tmp_path: Path) -> None:
    made = converted(tmp_path, 'echo 1 >"$folder/b.csv"; echo 0 >"$folder/a.csv"')
    assert [each.name for each in made] == [f"in 0.TXT/in 0.TXT.{n}.csv" for n in (1, 2)]
    assert [each.file.read_text("utf-8") for each in made if each.file] == ["0\n", "1\n"]


@pytest.mark.parametrize(
    ("script", "outcome", "word"),
    [
        (f"sleep {NAP}", Outcome.TIMED_OUT, "deadline"),
        ("trap '' TERM INT HUP; while :; do :; done", Outcome.TIMED_OUT, "deadline"),
        ("yes; yes >&2", Outcome.TIMED_OUT, "deadline"),
        ("kill -SEGV $$", Outcome.FAILED, "crashed (signal 11)"),
        ("echo cannot read this >&2; exit 3", Outcome.FAILED, "status 3: cannot read this"),
        (r"printf 'not\000 legal\033' >&2; exit 3", Outcome.FAILED, "status 3: not\ufffd legal\ufffd"),
        ("true", Outcome.FAILED, "wrote nothing"),
        (': >"$folder/out.txt"', Outcome.FAILED, "0 bytes"),
        ('exec truncate -s 1T "$folder/out.txt"', Outcome.TOO_LARGE, "too much"),
        ('head -c 4M /dev/zero >"$folder/out.txt"', Outcome.TOO_LARGE, "too much"),
        ('i=0; while [ $i -lt 3 ]; do head -c 900K /dev/zero >"$folder/$i.txt"; i=$((i+1)); done',
         Outcome.TOO_LARGE, "are allowed"),
        ('ln -s /etc/passwd "$folder/out.txt"', Outcome.FAILED, "no file of its own"),
        ('mkdir "$folder/out.txt"', Outcome.FAILED, "no file of its own"),
        ('mkfifo "$folder/out.txt"', Outcome.FAILED, "no file of its own"),
    ],
)  # fmt: skip  # a table
def test_F5_F7_what_a_converter_does_is_an_outcome(
    tmp_path: Path, script: str, outcome: Outcome, word: str
) -> None:
    (made,) = converted(tmp_path, script, seconds=1 if outcome is Outcome.TIMED_OUT else 60)
    assert (made.outcome, made.file) == (outcome, None), made.message
    assert word in made.message
    assert str(tmp_path) not in made.message
    assert (tmp_path / "in 0.TXT").read_text("utf-8") == "content 0\n"
    assert not [each for each in (tmp_path / "out").rglob("*") if each.is_file()]


def test_F5_a_folder_that_became_a_link_leads_to_no_file_of_others(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / "1.txt").write_text("not yours", "utf-8")
    (made,) = converted(tmp_path, f'rmdir "$folder" && ln -s "{others}" "$folder"')
    assert (made.outcome, made.file) == (Outcome.FAILED, None)
    assert (others / "1.txt").read_text("utf-8") == "not yours"


def test_F5_a_child_that_would_outlive_its_converter_is_ended_with_it(tmp_path: Path) -> None:
    script = f'setsid sleep {NAP} & (setsid setsid sleep {NAP} &) ; echo x >"$folder/out.txt"'
    (made,) = converted(tmp_path, script)
    assert made.outcome is Outcome.DONE  # `conducted` looks for those that sleep


def test_F5_one_file_that_kills_a_converter_costs_no_other_its_derivative(tmp_path: Path) -> None:
    script = 'grep -q "content 2" "$source" && kill -KILL $$; cp "$source" "$folder/out.txt"'
    adapter = Scripted({"x": script}, batch=5)
    made = conducted(tmp_path, adapter, count=5)
    assert [each.outcome for each in made] == [Outcome.DONE] * 2 + [Outcome.FAILED] + [Outcome.DONE] * 2
    assert adapter.calls == [5, 1, 1, 1]  # those after the culprit once more, alone


def test_who_breaks_off_waits_for_no_converter(tmp_path: Path) -> None:
    stop = Event()

    def break_off() -> None:
        until(lambda: bool(sleeping()))
        stop.set()

    person = Thread(target=break_off)
    person.start()
    adapter = Scripted({"x": f"sleep {NAP}"})
    made = conducted(tmp_path, adapter, count=3, seconds=600, stop=stop)
    person.join()
    assert [each.message for each in made] == ["sh was ended, as nobody waits for it any more"] * 3


def test_a_mistake_in_an_adapter_is_a_failed_conversion(tmp_path: Path) -> None:
    adapter = Scripted({})
    (made,) = conducted(tmp_path, adapter)
    assert (made.outcome, made.message) == (Outcome.FAILED, "KeyError: 'x'")


def run(folder: Path, *command: str, bounds: Bounds | None = None) -> Ran:
    return Sandbox(folder, bounds or Bounds(60, 512 * MIB, MIB, 4 * MIB)).run(command, [])


def test_a_program_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        ran = run(folder, "no-such-converter", "--version")
    assert (ran.ended, ran.outcome) == (Ended.NOT_FOUND, Outcome.TOOL_MISSING)


def test_F5_many_files_and_many_processes_are_ended(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        filling = "i=0; while :; do head -c 500K /dev/zero >$i; i=$((i+1)); done"
        assert run(folder, "sh", "-c", filling).ended is Ended.TOO_LARGE
        assert bytes_in(folder, 1 << 30) < 1 << 30
    with private_folder(tmp_path) as folder:
        bomb = f"i=0; while [ $i -lt 600 ]; do sleep {NAP} & i=$((i+1)); done; wait"
        ran = run(folder, "sh", "-c", bomb)
        assert ran.ended is Ended.MEMORY or "fork" in ran.said
    assert not sleeping()
    assert list(tmp_path.iterdir()) == []


HIDING = (
    "while len(kept) < 20: kept.append(open('x', 'wb', 0)); os.unlink('x'); kept[-1].write(bytes(1 << 19))",
    "for _ in range(50): os.mkdir('x' * 99); os.chdir('x' * 99)",  # no path is so long
    "os.mkdir('x'); os.chmod('x', 0)",  # root would see all the same
)


@pytest.mark.parametrize("hiding", HIDING[: 3 if os.geteuid() else 2])
def test_F5_what_is_hidden_from_the_watch_counts(tmp_path: Path, hiding: str) -> None:
    with private_folder(tmp_path) as folder:
        program = f"import os, signal; kept = []\n{hiding}\nsignal.pause()"
        assert run(folder, sys.executable, "-I", "-S", "-c", program).ended is Ended.TOO_LARGE
    assert list(tmp_path.iterdir()) == []


def test_the_private_folder_goes_whatever_was_left_in_it(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        made = "mkdir -p a/b/c; touch a/b/c/d; mkfifo a/p; ln -s / a/root; chmod 0 a/b/c a/b a"
        assert run(folder, "sh", "-c", made).ok
    assert list(tmp_path.iterdir()) == []


def test_memory_is_bounded(tmp_path: Path) -> None:
    with private_folder(tmp_path) as folder:
        program = "x = bytearray(400 << 20); print(len(x))"
        bounds = Bounds(60, 100 * MIB, MIB, 4 * MIB)
        ran = run(folder, sys.executable, "-I", "-S", "-c", program, bounds=bounds)
    assert not ran.ok
    assert "MemoryError" in ran.said


def test_environment_home_and_temporary_folder_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET", "hidden")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    with private_folder(tmp_path) as folder:
        ran = run(folder, "sh", "-c", 'env; touch "$HOME/a" "$TMPDIR/b"')
        assert ran.ok
        assert (folder / "home/a").exists()
        assert (folder / "tmp/b").exists()
    assert b"hidden" not in ran.output
    assert b"proxy" not in ran.output


def test_a_converter_reaches_no_network_and_no_file_of_others(tmp_path: Path) -> None:
    if os.environ.get("CI") == "true":
        assert isolation().missing == ()
    if isolation().missing:
        pytest.skip(f"the kernel does not let us: {', '.join(isolation().missing)}")
    secret = tmp_path / "secret"
    secret.write_text("hidden", "utf-8")
    with private_folder(tmp_path / "work") as folder:
        links = run(folder, "cat", "/proc/self/net/dev").output.decode()
        assert [line.partition(":")[0].strip() for line in links.splitlines()[2:]] == ["lo"]
        calling = "import socket; socket.create_connection(('127.0.0.1', 9), 5)"
        ran = run(folder, sys.executable, "-I", "-c", calling)
        assert not ran.ok
        assert "OSError" in ran.said or "PermissionError" in ran.said  # not ConnectionRefusedError
        read = run(folder, "cat", str(secret))
        assert (read.ok, read.output) == (False, b"")
        assert not run(folder, "ls", "/dev").ok  # disks of the machine, memory that others share
        assert run(folder, "head", "-c", "1", "/dev/urandom").ok
        assert not run(folder, "sh", "-c", f"echo x >{tmp_path}/evil").ok
        assert not run(folder, "sh", "-c", f"kill -0 {os.getpid()}").ok
        assert not run(folder, "rm", "-f", str(secret)).ok
    assert secret.read_text("utf-8") == "hidden"
    assert not (tmp_path / "evil").exists()


ASKING = """
import ctypes, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
for number in map(int, sys.argv[1:]):
    ctypes.set_errno(0)
    print(libc.syscall(number, 0, 0, 0, 0, 0, 0), ctypes.get_errno())
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
    try:
        print("made", socket.socket(family, socket.SOCK_RAW))
    except OSError as error:
        print(-1, error.errno)
socket.socket(socket.AF_UNIX)
subprocess.run(["true"], check=True)
threading.Thread(target=print, args=("works",)).start()
"""
ASKED = [  # those that do no harm where they are let
    *(
        "ptrace",
        "process_vm_readv",
        "pidfd_getfd",
        "kcmp",
        "mount",
        "move_mount",
        "fsopen",
        "unshare",
        "setns",
    ),
    *("open_by_handle_at", "add_key", "keyctl", "io_uring_setup", "bpf", "perf_event_open", "userfaultfd"),
    *("memfd_secret", "init_module"),
]


@pytest.mark.skipif(not can_refuse_calls(), reason="this kernel filters no system calls")
def test_F5_a_converter_asks_the_kernel_for_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    at = list(MACHINES).index(os.uname().machine)
    numbers = [str(REFUSED[each][at]) for each in ASKED]
    with private_folder(tmp_path) as folder:
        ran = run(folder, sys.executable, "-I", "-S", "-c", ASKING, *numbers)
    assert ran.output.decode().splitlines() == [*[f"-1 {EPERM}"] * (len(ASKED) + 4), "works"], ran.said


@pytest.fixture
def poor_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have programs started by a launcher that is granted neither namespaces nor Landlock."""
    rich = (process.ROOT / "tools/confine.py").read_text("utf-8")
    poor = rich.replace("granted = _unshare()", "granted: list[str] = []")
    poor = poor.replace("    version = _libc.syscall", "    return False\n    version = _libc.syscall")
    assert poor.count("\n") == rich.count("\n") + 1
    (tmp_path / "poor/tools").mkdir(parents=True)
    (tmp_path / "poor/tools/confine.py").write_text(poor, "utf-8")
    monkeypatch.setattr(process, "ROOT", tmp_path / "poor")
    isolation.cache_clear()
    yield
    isolation.cache_clear()


@pytest.mark.usefixtures("poor_kernel")
def test_where_the_kernel_grants_nothing_that_is_told_and_all_processes_end(tmp_path: Path) -> None:
    assert len(isolation().missing) == 3
    assert "can reach the network" in isolation().missing[0]
    script = f'(setsid setsid sleep {NAP} &) ; setsid sleep {NAP} & echo x >"$folder/out.txt"'
    (made,) = converted(tmp_path, script)
    assert made.outcome is Outcome.DONE, made.message
    (made,) = converted(tmp_path, f"{script}; sleep {NAP}", seconds=1)
    assert made.outcome is Outcome.TIMED_OUT
    (made,) = converted(tmp_path, "kill -KILL $$")
    assert "signal 9" in made.message


def test_converters_end_with_us_even_by_SIGKILL(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from tools.sandbox import *;"
        f"own = private_folder(Path({str(tmp_path)!r}));"
        f"Sandbox(own.__enter__()).run(['sh', '-c', 'echo x >tmp/on; sleep {NAP}'], [])"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2]) as ours:
        until(lambda: bool(list(tmp_path.glob("*/tmp/on"))))
        until(sleeping)
        ours.send_signal(signal.SIGKILL)
    until(lambda: not sleeping())
    clear(tmp_path)
