"""Readers meet hostile bytes: one that was taken over finds nothing of ours, and can do no harm."""

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packages.errors import Unavailable
from tests.support.waiting import until
from tools import converter_calls, crew_confinement, crew_terms, own_folders, process, sandbox
from tools.characterise import Characteriser
from tools.crew import Crew
from tools.crew_child import Lost, Work
from tools.crew_confinement import can_refuse_calls
from tools.pronom import PronomIdentifier
from tools.sandbox import Sandbox, isolation, private_folder

WORK = Work("tests.support.hostile_reader", seconds=60, memory=1 << 30, batch=50, environment={})
SECRETS = {
    "AWS_ACCESS_KEY_ID": "hidden",
    "AWS_SECRET_ACCESS_KEY": "hidden",
    "HOLDFAST_DATABASE_URL": "postgresql://x:hidden@localhost/x",
    "HOLDFAST_WEBHOOK_SECRET": "hidden",
    "HOLDFAST_DATACITE_PASSWORD": "hidden",
    "PREFECT_API_KEY": "hidden",
    "https_proxy": "http://x:hidden@localhost",
    "HOME": "/root",
}
SHARED_WITH_NOBODY, GROWING = 0x21, 0x122
"""Flags of mmap: shared and anonymous; private, anonymous, and growing downwards."""
Try = Callable[..., list[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What a home holds: a catalogue beside the staging in which readers work."""
    (tmp_path / "staging/job").mkdir(parents=True)
    (tmp_path / "staging/job/deposited").write_text("words", "utf-8")
    (tmp_path / "catalogue.db").write_text("tokens", "utf-8")
    return tmp_path


def trying(home: Path) -> Iterator[Try]:
    crew = Crew(WORK, size=1)
    crew.terms.let_read(home / "staging")
    crew.terms.scratch = home / "scratch"

    def attempt(*jobs: tuple[str, object]) -> list[str]:
        answers = crew.map([[name, str(argument)] for name, argument in jobs])
        return [each.reason if isinstance(each, Lost) else each for each in answers]

    with closing(crew):
        yield attempt


@pytest.fixture
def attempt(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Try]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    yield from trying(home)


@pytest.fixture
def confined() -> None:
    """Ask that the kernel grants all that readers are held by, as it must where the project is judged."""
    missing = [each for each in isolation().missing if "readers" in each]
    if missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("; ".join(missing))


def test_F5_a_reader_finds_no_variable_of_ours(attempt: Try) -> None:
    assert attempt(*(("variable", name) for name in SECRETS if name != "HOME")) == ["KeyError"] * 7
    (home,) = attempt(("variable", "HOME"))
    assert home.endswith("/own")


def test_F5_a_reader_works_in_its_own_folder_which_goes_with_it(attempt: Try, home: Path) -> None:
    assert attempt(
        ("read", home / "staging/job/deposited"),
        ("write to its own folder", "a"),
        ("thread", ""),
        ("signal itself", ""),
    ) == ["did: words", "did: 4", "did: did: ran", "did: None"]
    (made,) = (home / "scratch").glob("reader-*/own/a")
    assert made.read_text("utf-8") == "mine"


def test_F5_its_folder_is_removed_in_the_end(home: Path) -> None:
    for attempt in trying(home):
        attempt(("write to its own folder", "a"))
    assert list((home / "scratch").iterdir()) == []


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_opens_nothing_but_what_it_is_to_read(attempt: Try, home: Path) -> None:
    catalogue = home / "catalogue.db"
    assert set(
        attempt(
            ("read", catalogue),
            ("read through its descriptors", catalogue),
            ("list", home),
            ("list", Path.home()),
            ("read", "/etc/passwd"),
            ("variables of its parent", ""),
            ("memory of its parent", ""),
        )
    ) == {"PermissionError"}
    assert attempt(("read in a thread", catalogue)) == ["did: PermissionError"]


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_changes_nothing_beside_its_own_folder(attempt: Try, home: Path) -> None:
    deposited, catalogue = home / "staging/job/deposited", home / "catalogue.db"
    before = [(each.stat().st_mode, each.stat().st_mtime_ns) for each in (deposited, catalogue)]
    said = attempt(
        *(
            (what, place)
            for place in (deposited, catalogue)
            for what in (
                "write",
                "append",
                "truncate",
                "remove",
                "rename",
                "link",
                "change rights",
                "change time",
            )
        ),
        ("write", home / "staging/job/more"),
        ("write", "/tmp/evil-of-a-reader"),  # where everybody else may write
    )
    assert set(said) <= {"PermissionError", "OSError"}, said  # a link across folders is *cross-device*
    assert before == [(each.stat().st_mode, each.stat().st_mtime_ns) for each in (deposited, catalogue)]
    assert (deposited.read_text("utf-8"), catalogue.read_text("utf-8")) == ("words", "tokens")


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_reaches_no_network(attempt: Try, home: Path) -> None:
    said = attempt(("connect", 9), ("send", 9), ("connect to a name", home / "s"), ("ring", ""))
    assert said == ["PermissionError"] * 4  # not ConnectionRefusedError


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_starts_no_program_and_touches_no_other_process(attempt: Try, home: Path) -> None:
    said = attempt(
        ("fork", ""),
        ("spawn", "/bin/true"),
        ("become", sys.executable),
        ("signal", os.getpid()),
        ("signal all", ""),
        ("renice", os.getpid()),
        ("limit", os.getpid()),
        ("mount", home),
        ("user", ""),
        *(("others in the kernel", each) for each in ("semctl", "semop", "shmctl", "msgctl", "msgsnd")),
    )
    assert said == ["PermissionError"] * len(said)


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_learns_no_name_of_what_others_deposited(attempt: Try, home: Path) -> None:
    staged = home / "staging"
    assert attempt(("read", staged / "job/deposited")) == ["did: words"]  # it was told this one
    said = attempt(("list", staged), ("list", staged / "job"), ("watch a folder", staged), ("watch all", ""))
    assert said == ["PermissionError"] * 4


@pytest.mark.usefixtures("confined")
def test_F5_an_archive_that_lies_among_libraries_is_read_by_no_program(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system"
    for name in ("lib/a", "share/b", "opt/archive/catalogue.db", "opt/archive/staging/job/deposited"):
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).write_text("words", "utf-8")
    (system / "share/link").symlink_to(system / "opt/archive/catalogue.db")
    (system / "opt/others").symlink_to(system / "opt/archive")
    for name in ("_own", "_above"):
        monkeypatch.setattr(own_folders, name, set())
    monkeypatch.setattr(crew_terms, "SYSTEM", (*crew_terms.SYSTEM, str(system)))
    monkeypatch.setattr(sandbox, "READABLE", (*sandbox.READABLE, str(system)))
    own_folders.hide(system / "opt/archive")
    crew = Crew(WORK, size=1)
    crew.terms.let_read(system / "opt/archive/staging")
    crew.terms.scratch = home / "scratch"
    places = (
        "lib/a",
        "share/b",
        "opt/archive/staging/job/deposited",
        "opt/archive/catalogue.db",
        "share/link",
    )
    with closing(crew):
        said = list(crew.map([["read", str(system / place)] for place in places]))
    assert said == ["did: words"] * 3 + ["PermissionError"] * 2
    with private_folder(tmp_path / "private") as folder:
        ran = [Sandbox(folder).run(["cat", str(system / place)], []) for place in places]
    assert [each.ok for each in ran] == [True, True, False, False, False]


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_has_the_kernel_do_nothing_to_others(attempt: Try, home: Path) -> None:
    said = attempt(
        ("signal by a pipe", os.getpid()),
        ("hold up a writer", home / "staging/job/deposited"),
        ("outlive its parent", ""),
        ("map", SHARED_WITH_NOBODY),
        ("map", GROWING),
        ("file in memory", ""),
        ("pair of sockets", ""),
        ("hide what it has open", ""),
        ("open files of its own", ""),
        ("thread with files of its own", ""),
    )
    assert said == ["PermissionError"] * len(said)


def test_F5_a_reader_that_does_not_want_to_ends_with_who_started_it(home: Path) -> None:
    program = (
        "import sys; from threading import Thread; from tests.integration.test_hostile_readers import *;"
        "attempt = next(trying(Path(sys.argv[1])));"
        "asked = lambda *job: print(*attempt(job), flush=True);"
        "first = Thread(target=asked, args=('status', 'Pid'));"
        "first.start(); first.join();"  # readers outlive the thread that asks for them first
        "asked('status', 'Pid'); asked('deaf', ''); input()"
    )
    command = [sys.executable, "-c", program, str(home)]
    with subprocess.Popen(
        command, cwd=process.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as ours:
        assert ours.stdout is not None
        first, again, deaf = (ours.stdout.readline() for _ in range(3))
        ours.kill()
    assert (again, deaf) == (first, "did: deaf\n")
    until(lambda: not is_alive(first.split()[1]))


def is_alive(pid: str) -> bool:
    try:
        return Path("/proc", pid, "cmdline").read_bytes() != b""  # that nobody has waited for it is no life
    except OSError:
        return False


@pytest.mark.usefixtures("confined")
def test_F5_a_reader_has_no_privileges_and_gains_none(attempt: Try) -> None:
    assert attempt(("status", "CapPrm"), ("status", "NoNewPrivs"), ("status", "Seccomp")) == [
        f"did: {4 if os.geteuid() == 0 else 0:016x}",  # root may read what others deposited, and no more
        "did: 1",
        "did: 2",
    ]


@pytest.mark.usefixtures("confined")
def test_F5_no_thread_may_be_older_than_the_confinement() -> None:
    program = (
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start();"
        "from tools.crew_confinement import shut_in; shut_in([], [], [])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=process.ROOT, capture_output=True, check=False, text=True
    )
    assert "RuntimeError: a thread was started before the confinement" in done.stderr
    assert threading.active_count() >= 1


def test_F5_what_it_may_read_later_a_new_child_reads(home: Path) -> None:
    crew = Crew(WORK, size=1)
    crew.terms.let_read(home / "staging/job", home / "staging", home / "staging/job/deposited")
    assert len(crew.terms.places) == 2  # the last is below one that was known
    with closing(crew):
        assert (
            list(crew.map([["read", str(home / "catalogue.db")]])) != ["did: tokens"] or isolation().missing
        )
        crew.terms.let_read(home)
        assert list(crew.map([["read", str(home / "catalogue.db")]])) == ["did: tokens"]


def test_a_folder_that_is_made_anew_can_be_read_by_who_works_there(home: Path) -> None:
    crew = Crew(WORK, size=1)
    job = [["read", str(home / "staging/job/deposited")]]
    crew.terms.work_in(home / "staging")
    with closing(crew):
        before = list(crew.map(job))
        (home / "staging").rename(home / "former")  # and it stays, so that no inode is given again
        shutil.copytree(home / "former", home / "staging")
        assert list(crew.map(job)) == before
        assert str(before[0]).startswith("did: ")


@pytest.mark.usefixtures("confined")
def test_F5_the_readers_of_every_ingest_are_held_down_to_their_last_thread(home: Path) -> None:
    with PronomIdentifier() as identifier, Characteriser(size=1) as characteriser:
        inside, outside = home / "staging/job/deposited", home / "catalogue.db"
        for tool in (identifier, characteriser):
            tool.let_read(home / "staging")
        assert [each.puid for each in identifier.identify([inside])] == ["x-fmt/111"]
        with pytest.raises(Unavailable, match=r"catalogue\.db cannot be read"):
            list(identifier.identify([outside]))
        found = characteriser.characterise_many([(inside, "text/plain"), (outside, "text/plain")])
        assert [bool(each.error) for each in found] == [False, True]


@pytest.fixture
def poor_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have readers started where the kernel grants neither Landlock nor filters of system calls."""
    code = tmp_path / "poor"
    for folder in ("tools", "tests/support"):
        (code / folder).mkdir(parents=True)
        for each in (process.ROOT / folder).iterdir():
            (code / folder / each.name).symlink_to(each)
    for name in ("packages", "schemas", "tests/__init__.py"):
        if (process.ROOT / name).exists():
            (code / name).symlink_to(process.ROOT / name)
    for name, step in (
        ("confine", "version = _libc.syscall"),
        ("crew_confinement", "machine = MACHINES.get"),
    ):
        rich = (process.ROOT / f"tools/{name}.py").read_text("utf-8")
        (code / f"tools/{name}.py").unlink()
        poor = rich.replace(f"    {step}", f"    return False\n    {step}")
        assert poor.count("\n") == rich.count("\n") + 1
        (code / f"tools/{name}.py").write_text(poor, "utf-8")
    monkeypatch.setattr(crew_terms, "ROOT", code)


@pytest.mark.usefixtures("poor_kernel")
def test_F5_where_the_kernel_grants_nothing_readers_still_know_no_secret(attempt: Try, home: Path) -> None:
    assert (
        attempt(("variable", "AWS_SECRET_ACCESS_KEY"), ("variable", "HOLDFAST_WEBHOOK_SECRET"))
        == ["KeyError"] * 2
    )
    assert attempt(("read", home / "staging/job/deposited")) == ["did: words"]
    assert attempt(("read", home / "catalogue.db")) == ["did: tokens"]  # and that is told:


@pytest.mark.usefixtures("_asked_anew")
def test_F5_what_readers_are_not_held_by_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_refuse_calls() is not any("start programs" in each for each in isolation().missing)
    isolation.cache_clear()
    monkeypatch.setattr("tools.sandbox.can_refuse_calls", lambda: False)
    assert "readers of files can reach the network" in " ".join(isolation().missing)


@pytest.mark.parametrize("machine", list(crew_confinement.MACHINES))
def test_F5_the_filter_names_calls_by_the_numbers_that_they_have_on_each_machine(machine: str) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")  # a second judge, on most machines
    except OSError:
        pytest.skip("libseccomp is not installed")
    at, number, _ = crew_confinement.MACHINES[machine]
    calls = {
        **crew_confinement.REFUSED,
        **crew_confinement.ONLY_ITSELF,
        **{name: numbers for name, (numbers, _, _) in crew_confinement.NOT_WITH.items()},
        "mmap": crew_confinement.MAP,
        "clone": crew_confinement.CLONE,
        "clone3": crew_confinement.CLONE3,
        **converter_calls.REFUSED,
        "socket": converter_calls.SOCKET,
    }
    known = {
        name: library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(number), name.encode())
        for name in calls
    }
    assert len([each for each in known.values() if each > 0]) > 60
    newer = {name for name, found in known.items() if found == -1}  # than the library
    assert {name: max(found, 0) for name, found in known.items() if name not in newer} == {
        name: numbers[at] for name, numbers in calls.items() if name not in newer
    }


@pytest.fixture
def _asked_anew() -> Iterator[None]:
    isolation.cache_clear()
    yield
    isolation.cache_clear()
