"""A hostile depositor: hands things in, looks at every place afterwards, and forgets nothing."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from packages.bagit.validate import BagReport, validate_bag
from packages.ledger import Job, PackageFilter
from packages.model import Actor
from services.access.export import Exported, export
from services.administration.people import local_actor
from services.archive import Archive, init_archive
from services.data_management import views
from services.ingest.submission import Wanted, submit
from services.work.engine import Observer, run_job
from tests.support.folders import FolderSubmission

Tree = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Deposit:
    """One submission after its job has ended or stopped, with its status as people see it."""

    job: Job
    status: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.status["id"])

    @property
    def codes(self) -> set[str]:
        return {each["code"] for each in self.status["findings"]}

    def found(self, code: str) -> dict[str | None, dict[str, Any]]:
        """Return the findings of a code by their paths."""
        return {each["path"]: each for each in self.status["findings"] if each["code"] == code}

    def step(self, name: str) -> dict[str, Any]:
        return next(each for each in self.status["steps"] if each["name"] == name)


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that an accepted package leaves: a rejected one must leave all of it as it was."""

    objects: dict[str, frozenset[str]]
    indexed: int
    pids: int
    staged: tuple[str, ...]


class Depositor:
    """Deposits into one archive, and proves what became of each deposit."""

    def __init__(self, archive: Archive, scratch: Path) -> None:
        self.archive = archive
        self.actor: Actor = local_actor(archive)
        self.scratch = scratch
        self._exports = 0

    def deposit(
        self, source: Path, observer: Observer | None = None, *, new: bool = True, **wanted: Any
    ) -> Deposit:
        """Take `source` in, whatever comes of it; the source must be untouched afterwards."""
        before = snapshot(source)
        job = submit(self.archive, self.actor, Wanted(source, new=new, **wanted))
        job = run_job(self.archive, job.id, observer)
        assert snapshot(source) == before, "the source was altered"
        return self.again(job)

    def again(self, job: Job) -> Deposit:
        """Look at a job's package once more."""
        with self.archive.catalogue.read() as view:
            job = view.job(job.id)
        return Deposit(job, views.status(self.archive, self.actor, job.package_id))

    def accepted(self, source: Path, **wanted: Any) -> Deposit:
        """Take `source` in and prove that it is published, found, in two intact copies, and staging empty."""
        made = self.deposit(source, **wanted)
        self.prove_accepted(made)
        return made

    def prove_accepted(self, made: Deposit) -> None:
        assert (made.job.state, made.status["state"]) == ("done", "published"), self.why(made)
        assert {each["store"]: each["state"] for each in made.status["copies"]} == {
            "primary": "intact",
            "copy": "intact",
        }
        assert made.status["pid"]
        assert not [each for each in made.status["findings"] if each["severity"] == "error"]
        held = self.held()
        assert all(f"urn:uuid:{made.id}" in objects for objects in held.objects.values())
        assert made.job.id not in held.staged

    def rejected(self, source: Path, **wanted: Any) -> Deposit:
        """Take `source` in and prove that it is refused with reasons and remedies and leaves nothing."""
        before = self.held()
        made = self.deposit(source, **wanted)
        self.prove_rejected(made, before)
        return made

    def prove_rejected(self, made: Deposit, before: Held) -> None:
        assert (made.job.state, made.status["state"]) == ("rejected", "rejected"), self.why(made)
        errors = [each for each in made.status["findings"] if each["severity"] == "error"]
        assert errors
        for each in errors:
            assert each["message"].strip(), each
            assert each["hint"].strip(), each
        assert made.status["pid"] is None
        assert made.status["copies"] == []
        assert self.held() == before, "a rejected submission left something"

    def held(self) -> Held:
        """Return what stores, index, PIDs and staging hold."""
        objects = {name: frozenset(store.objects()) for name, store in self.archive.stores.items()}
        with self.archive.catalogue.read() as view:
            pids = sum(len(view.pids_of(each.id)) for each in view.iter_packages(PackageFilter()))
        return Held(objects, self.archive.index.count(), pids, tuple(self.archive.staging.existing()))

    def give_back(
        self, made: Deposit, kind: str, *, zipped: bool = False, version: int | None = None
    ) -> Path:
        """Export the package and return where it lies."""
        return self.export(made, kind, zipped=zipped, version=version).path

    def export(
        self, made: Deposit, kind: str, *, zipped: bool = False, version: int | None = None
    ) -> Exported:
        self._exports += 1
        to = self.scratch / f"export-{self._exports}{'.zip' if zipped else ''}"
        return export(self.archive, self.actor, made.id, to, kind=kind, zipped=zipped, version=version)

    def prove_identical(
        self, made: Deposit, files: Mapping[str, bytes], directories: Iterable[str] = (), *, zips: bool = True
    ) -> Path:
        """Prove that DIP and AIP give back these files and empty directories and nothing else.

        Returns the folder of the exported AIP, which is a valid bag by our validator.
        """
        folders = {}
        for kind in ("dip", "aip"):
            folders[kind] = self.give_back(made, kind)
            assert tree(folders[kind] / "data/original") == dict(files)
            assert hollow(folders[kind] / "data/original") == set(directories)
            report = bag_report(folders[kind])
            assert report.is_valid, report.findings
            if zips:
                with zipfile.ZipFile(self.give_back(made, kind, zipped=True)) as bundle:
                    assert bundle.testzip() is None
                    assert zipped_originals(bundle) == dict(files)
        return folders["aip"]

    def why(self, made: Deposit) -> str:
        """Return what a failing test should print."""
        errors = [f"{each['code']} {each['path']!r}" for each in made.status["findings"]]
        return f"{made.job.state} at {made.job.step}: {made.job.reason}\n" + "\n".join(errors)


def bag_report(folder: Path) -> BagReport:
    """Validate a bag on disk, every digest of it."""
    return validate_bag(FolderSubmission(folder), "", digests_known=True)


@contextmanager
def depositor_of(home: Path, scratch: Path, **settings: str | int) -> Iterator[Depositor]:
    """Open a fresh archive with these settings and nothing of the environment's, and close it afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("HOLDFAST_"):
                patch.delenv(name)
        home.mkdir(parents=True)
        settings.setdefault("outside_tools", "none")  # a test of converters or validators says so
        lines = [
            f"{name} = {value}" if isinstance(value, int) else f'{name} = "{value}"'
            for name, value in settings.items()
        ]
        (home / "holdfast.toml").write_text("\n".join([*lines, ""]))
        archive, _ = init_archive(home)
    scratch.mkdir(exist_ok=True)
    try:
        yield Depositor(archive, scratch)
    finally:
        archive.close()


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files below `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


def tree(folder: Path) -> Tree:
    """Return every file below `folder` by its path; a name that is not UTF-8 stays in surrogates."""
    start = len(str(folder)) + 1
    places = [f"{top}/{name}" for top, _, names in os.walk(folder) for name in names]
    return {place[start:]: Path(place).read_bytes() for place in places}


def hollow(folder: Path) -> set[str]:
    """Return the empty directories below `folder`."""
    start = len(str(folder)) + 1
    return {top[start:] for top, folders, names in os.walk(folder) if not folders and not names}


def zipped_bag(bundle: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members of a bag in a ZIP, by their path in the one folder in which all have to lie."""
    (folder,) = {info.filename.partition("/")[0] for info in bundle.infolist()}
    return {info.filename.removeprefix(f"{folder}/"): info for info in bundle.infolist()}


def zipped_originals(bundle: zipfile.ZipFile) -> Tree:
    prefix = "data/original/"
    return {
        path.removeprefix(prefix): bundle.read(info)
        for path, info in zipped_bag(bundle).items()
        if path.startswith(prefix) and not info.is_dir()
    }


def snapshot(source: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be known of a source without following a link or reading a pipe."""
    found = {str(source): _look(source)}
    if source.is_dir() and not source.is_symlink():
        for top, folders, names in os.walk(source):
            found |= {f"{top}/{name}": _look(Path(top) / name) for name in (*folders, *names)}
    return found


def _look(place: Path) -> tuple[object, ...]:
    said = place.lstat()
    facts = (said.st_mode, said.st_uid, said.st_mtime_ns, said.st_size)
    if stat.S_ISLNK(said.st_mode):
        return (*facts, str(place.readlink()))
    if stat.S_ISREG(said.st_mode) and said.st_size < 1 << 20 and os.access(place, os.R_OK):
        return (*facts, hashlib.sha512(place.read_bytes()).hexdigest())
    return facts
