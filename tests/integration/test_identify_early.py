"""What was identified while files were still being received is taken over where it fits, and only there."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from packages.errors import Unavailable
from packages.model import evolved
from services.archive import Archive
from services.ingest.steps.early import FOUND, FROM, Early
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.staging import Staging, Workspace
from tests.support.depositor import Depositor, depositor_of
from tools.ports import Identification
from tools.pronom import PronomIdentifier

FILES = 2 * FROM


class Recording(PronomIdentifier):
    """Siegfried, with a memory of what it was asked."""

    named: str | None = None
    broken = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @property
    def version(self) -> str:  # type: ignore[override]  # a property here
        return self.named or "siegfried"

    def identify(self, paths: Iterable[Path | str]) -> Iterator[Identification]:
        def noted() -> Iterator[Path | str]:
            for path in paths:
                if self.broken:
                    raise Unavailable("the tool is gone")
                self.asked.append(str(path))
                yield path

        return super().identify(noted())


@pytest.fixture(scope="module")
def depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    folder = tmp_path_factory.mktemp("early")
    with depositor_of(folder / "home", folder / "out") as depositor:
        depositor.archive.tools.__dict__["identifier"] = made = Recording()
        made.let_read(folder)
        yield depositor


@pytest.fixture
def tool(depositor: Depositor) -> Recording:
    tool = depositor.archive.tools.__dict__["identifier"]
    tool.named, tool.broken = None, False
    return tool


@pytest.fixture
def received(tmp_path: Path, depositor: Depositor, tool: Recording) -> tuple[str, Workspace]:
    """A job whose files have been received, and its workspace."""
    tool.asked.clear()
    job = submit(depositor.archive, depositor.actor, Wanted(source_of(tmp_path), new=True)).id
    run_job(depositor.archive, job, until="receive")
    return job, depositor.archive.staging.workspace(job)


def source_of(folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    for number in range(FILES):
        (source / f"{number:04d}.xml").write_text(f'<?xml version="1.0"?><n>{number}</n>')
    return source


def identified(archive: Archive, job: str) -> None:
    run_job(archive, job, until="identify")


def test_no_file_is_identified_twice_and_none_left_out(received, depositor, tool) -> None:
    job, workspace = received
    early = [each.path for each in workspace.read_sheet(FOUND)]
    assert len(early) >= FROM
    identified(depositor.archive, job)
    assert len(tool.asked) == len(set(tool.asked)) == FILES
    rows = list(workspace.read_sheet("identified"))
    assert [each.path for each in rows] == [each.path for each in workspace.read_sheet("received")]
    assert {each.puid for each in rows} == {"fmt/101"}
    assert {each.properties["encoding"] for each in rows} == {"US-ASCII"}


def test_what_a_killed_attempt_left_of_other_bytes_is_not_believed(received, depositor, tool) -> None:
    job, workspace = received
    rows = list(workspace.read_sheet(FOUND))
    rows[1] = evolved(rows[1], sha512="0" * 128, puid="fmt/0")
    workspace.write_sheet(FOUND, rows)
    tool.asked.clear()
    identified(depositor.archive, job)
    assert {each.puid for each in workspace.read_sheet("identified")} == {"fmt/101"}
    assert len(tool.asked) == FILES - 1  # the first one fits; from the second one on nothing does


def test_what_another_tool_found_is_not_taken_over(received, depositor, tool) -> None:
    tool.asked.clear()
    tool.named = "siegfried with newer signatures"
    identified(depositor.archive, received[0])
    assert len(tool.asked) == FILES


def test_without_its_sheet_everything_is_identified_by_the_step(received, depositor, tool) -> None:
    job, workspace = received
    workspace.remove_sheet(FOUND)
    tool.asked.clear()
    identified(depositor.archive, job)
    assert len(tool.asked) == FILES
    assert {each.puid for each in workspace.read_sheet("identified")} == {"fmt/101"}


def test_a_tool_in_trouble_does_not_trouble_reception(tmp_path: Path, depositor, tool) -> None:
    tool.broken = True
    job = submit(depositor.archive, depositor.actor, Wanted(source_of(tmp_path), new=True)).id
    assert run_job(depositor.archive, job, until="receive").step == "validate"
    assert not depositor.archive.staging.workspace(job).has_sheet(FOUND)


def test_few_files_are_left_to_the_step(tmp_path: Path, tool, received) -> None:
    workspace = Staging(tmp_path / "staging").workspace("few")
    entries = list(received[1].read_sheet("received"))[: FROM - 1]
    tool.asked.clear()
    with Early(tool, workspace) as early:
        for each in entries:
            early.landed(each)
    assert not tool.asked
    assert not workspace.has_sheet(FOUND)


def test_an_interrupted_reception_ends_what_it_began(tool, received) -> None:
    _, workspace = received
    entries = list(workspace.read_sheet("received"))
    with pytest.raises(KeyboardInterrupt), Early(tool, workspace) as early:  # noqa: PT012  # the block is what ends
        for each in entries:
            early.landed(each)
        raise KeyboardInterrupt
    assert early._thread is not None
    assert not early._thread.is_alive()
