"""A whole archive with a store in S3, as a copy and as the primary: taken in, damaged, mended, made again."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ocfl.storage_root import StorageRoot

from packages.model import FileEntry
from packages.packing import Rule
from packages.record import CURRENT
from services.access.content import open_file
from services.administration import health
from services.administration.decisions import decide
from services.archival_storage import fixity, mending
from services.archive import Purpose, init_archive, open_archive
from services.data_management.rebuild import rebuild_catalogue, rebuild_index
from services.ingest.revision import update_record
from services.work.engine import run_job
from storage.archival import OcflStore
from storage.ports import Verdict
from tests.integration.test_update_files import change
from tests.support.depositor import Deposit, Depositor, depositor_of, put, tree
from tests.support.ocfl_objects import ODD_NAMES
from tests.support.s3_server import Server, server

pytestmark = pytest.mark.server
NAMES = (
    "x" * 255,
    "é" * 120 + ".text",
    "/".join(["d" * 6] * 200) + "/file.txt",
    "/".join(["e" * 99] * 15),
    *("fname-^~", "fname-~^", "fname-__", "=63on", "con"),
    *(".DS_Store", "mail/.mbox", "Thumbs.db", "\u202efdp.exe", "line\nbreak/\x01\x7f"),
)
"""A7, A8, A9, A10, A11, A15; what others call odd comes besides."""
FILES = {each.removeprefix("data/original/"): each.encode() for each in (*ODD_NAMES, *NAMES)} | {
    "a + b %2B?x=1&y#z.txt": b"plus, percent and the rest",
    "large.bin": bytes(range(256)) * (9 << 12),  # 9 MiB: in parts
    "zero": b"",
}
RECORD = {
    "$schema": CURRENT,
    "title": "Häfen der Lotsenkutter, v1.0…  " + "x" * 250,  # A12
    "creators": [{"name": "Ada Lovelace"}],
    "publicationYear": 1911,
    "resourceType": "Dataset",
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Server:
    return server(monkeypatch)


@contextmanager
def archive_of(s3: Server, folder: Path, *, primary: bool) -> Iterator[tuple[Depositor, OcflStore]]:
    """An archive with one store in S3 and one on disk, and the one in S3."""
    urls = [s3.url(), f"file://{folder}/disk"]
    first, second = urls if primary else urls[::-1]
    stores = f"primary={first},copy={second}"
    with depositor_of(
        folder / "home", folder / "out", stores=stores, s3_endpoint_url=s3.endpoint
    ) as depositor:
        found = depositor.archive.stores["primary" if primary else "copy"]
        assert isinstance(found, OcflStore)
        yield depositor, found


def updated(depositor: Depositor, made: Deposit) -> Deposit:
    record = json.dumps({**RECORD, "title": "A better title"}).encode()
    job = update_record(depositor.archive, depositor.actor, made.id, record, "a better title")
    assert job is not None
    again = depositor.again(run_job(depositor.archive, job.id))
    depositor.prove_accepted(again)
    return again


def judge(store: OcflStore, to: Path) -> None:
    """Download the whole root, and let ocfl-py judge it."""
    for key, _ in store.medium.walk(""):
        place = to / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(store.medium.read(key))
    told = io.StringIO()
    assert StorageRoot(root=str(to)).validate(log_warnings=True), told.getvalue()


@pytest.mark.parametrize("primary", [False, True], ids=["copy", "primary"])
def test_A_J1_a_package_in_s3_is_kept_damaged_mended_and_rebuilt(
    s3: Server, tmp_path: Path, primary: bool
) -> None:
    with archive_of(s3, tmp_path, primary=primary) as (depositor, store):
        source = put(tmp_path / "source", FILES)
        made = updated(depositor, depositor.accepted(source, record=json.dumps(RECORD).encode()))
        depositor.prove_identical(made, FILES, zips=False)
        judge(store, tmp_path / "downloaded")
        archive, actor = depositor.archive, depositor.actor

        victim = next(
            each for each in sorted(s3.file(store.url).rglob("*.bin")) if each.stat().st_size == 9 << 20
        )
        with victim.open("r+b") as file:  # a bit rots on the server's own disk
            file.seek(5 << 20)
            byte = file.read(1)[0]
            file.seek(5 << 20)
            file.write(bytes([byte ^ 1]))
        reports = {each.store: each for each in fixity.audit(archive, actor, [made.id])}
        assert [(each.verdict, each.path.endswith("large.bin")) for each in reports[store.name].problems] == [
            (Verdict.CORRUPT, True)
        ]
        assert sum(not each.problems for each in reports.values()) == 1
        mended = mending.repair(archive, actor, made.id)
        assert {each.verdict for each in mended} == {Verdict.INTACT}
        status = depositor.again(made.job).status
        home = archive.home
    rebuild_from_s3_alone(s3, store.url, home, tmp_path, made, status)


def test_a_package_in_packs_is_kept_changed_and_rebuilt(s3: Server, tmp_path: Path) -> None:
    files = {f"{number}.txt": b"%d\n" % number for number in range(9)}
    with archive_of(s3, tmp_path, primary=True) as (depositor, store):
        depositor.archive.packing = Rule(small=100, many=5, pack_members=4)
        made = depositor.accepted(put(tmp_path / "source", files))
        keys = [key for key, _ in store.medium.walk("") if key.endswith(".zip")]
        assert len(keys) == 3
        made = change(depositor, made, tmp_path, withdrawn=["5.txt"])
        del files["5.txt"]
        assert tree(depositor.give_back(made, "dip") / "data/original") == files
        archive, actor = depositor.archive, depositor.actor
        opened = open_file(archive, actor, made.id, "data/original/6.txt")
        assert b"".join(opened.whole()) == b"6\n"
        judge(store, tmp_path / "downloaded")

        def rows() -> list[FileEntry]:
            with archive.catalogue.read() as view:
                return sorted(view.iter_files(made.id, 2))

        before = rows()
        assert rebuild_catalogue(archive, actor, store="primary").failed == []
        assert rows() == before


def rebuild_from_s3_alone(
    s3: Server, url: str, home: Path, folder: Path, made: Deposit, status: dict[str, Any]
) -> None:
    """Lose the database, the index and every other store."""
    for each in [*home.glob("catalogue.db*"), *home.glob("search.db*")]:
        each.unlink()
    (folder / "disk").rename(folder / "lost")
    (home / "holdfast.toml").write_text(f'stores = "only={url}"\ns3_endpoint_url = "{s3.endpoint}"\n')
    archive, _ = init_archive(home, Purpose.REBUILD)
    try:
        again = Depositor(archive, folder / "again")
        (folder / "again").mkdir()
        done = rebuild_catalogue(archive, again.actor)
        assert (done.packages, done.failed) == (1, [])
        assert rebuild_index(archive, again.actor).failed == []
        assert archive.index.count() == 1
        known = again.again(made.job).status
        for part in ("id", "title", "state", "pid", "files", "bytes", "version", "created"):
            assert known.get(part) == status.get(part), part
        again.prove_identical(made, FILES, zips=False)
    finally:
        archive.close()


def test_I12_a_wrong_secret_is_one_clear_error_and_nothing_else_breaks(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with archive_of(s3, tmp_path, primary=False) as (depositor, store):
        tried = {each.part: each for each in health.try_all(depositor.archive)}
        assert tried[f"store {store.name}"].verdict == "ok", tried
        home = depositor.archive.home
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    archive = open_archive(home)
    try:
        tried = {each.part: each for each in health.try_all(archive)}
    finally:
        archive.close()
    told = tried[f"store {store.name}"]
    assert told.verdict == "error"
    assert "the secret does not fit the access key" in told.message
    assert "AWS_SECRET_ACCESS_KEY" in told.message
    assert s3.secret not in told.message
    assert tried["store primary"].verdict == "ok"


def test_I5_a_copy_in_s3_that_is_away_is_brought_up_later(s3: Server, tmp_path: Path) -> None:
    with archive_of(s3, tmp_path, primary=False) as (depositor, _):
        archive = depositor.archive
        archive.settings = archive.settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
        source = put(tmp_path / "source", {"a.txt": b"a"})
        made = depositor.deposit(source)
        assert made.step("store")["result"] == "copies_missing", depositor.why(made)
        assert {each["store"]: each["state"] for each in made.status["copies"]} == {
            "primary": "intact",
            "copy": "pending",
        }
        archive.settings = archive.settings.model_copy(update={"s3_endpoint_url": s3.endpoint})
        decide(archive, depositor.actor, "retry", [made.id])
        depositor.prove_accepted(depositor.again(run_job(archive, made.job.id)))
