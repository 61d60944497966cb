"""Packages with very many small files: packed in storage, single files to everybody, and read without us."""

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import bagit
import pytest
from ocfl.validator import Validator

from packages.errors import Corrupt
from packages.ledger import CopyState, JobState
from packages.model import FileEntry, Role
from packages.ocfl.inventory import Inventory
from packages.packing import RULE, Rule
from services.access.content import open_file
from services.access.landing import Landing, files_shown, landing
from services.archival_storage.mending import repair
from services.data_management import views
from services.data_management.rebuild import rebuild_catalogue
from services.ingest.revision import update_record
from services.ingest.steps import build_aip, packing
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from storage.archival import OcflStore
from storage.ports import Progress, StagedVersion
from storage.staging import Workspace
from tests.integration.test_update_files import change
from tests.support.depositor import Deposit, Depositor, depositor_of, put, tree, zipped_bag
from tests.support.harm import object_in, root_of

LOW = Rule(small=100, many=5, pack_bytes=250, pack_members=4)
FILES = {
    **{f"letters/{number}.txt": b"Dear %d, " % number * 5 for number in range(9)},
    "empty": b"",
    "é %41/ünï 漢.txt": b"named\n",
    "line\nfeed.txt": b"stays loose\n",
    "large.bin": bytes(range(256)) * 8,
}
LOOSE = {"line\nfeed.txt", "large.bin"}


@pytest.fixture(scope="module")
def depositor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    folder = tmp_path_factory.mktemp("packing")
    with depositor_of(folder / "home", folder / "out") as made:
        made.archive.packing = LOW
        yield made


@pytest.fixture(scope="module")
def packed(depositor: Depositor, tmp_path_factory: pytest.TempPathFactory) -> Deposit:
    return depositor.accepted(put(tmp_path_factory.mktemp("source"), FILES))


def rows(depositor: Depositor, made: Deposit, version: int | None = None) -> list[FileEntry]:
    with depositor.archive.catalogue.read() as view:
        package = view.package(made.id)
        return sorted(view.iter_files(made.id, version or package.version or 0))


def packs_in(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "data/packed").glob("*"))


def unpacked(aip: Path, to: Path) -> Path:
    """Return a copy of the bag in which `unzip` and `sha512sum` did what its README says."""
    shutil.copytree(aip, to)
    commands = re.findall(r"^    (.*)$", (to / "metadata/packed/README.txt").read_text(), re.MULTILINE)
    assert len(commands) == 2
    for each in commands:
        subprocess.run(["sh", "-ec", each], cwd=to, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    return to


def test_staging_keeps_what_was_packed_until_the_primary_store_has_it(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(depositor.archive, depositor.actor, Wanted(put(tmp_path, {"a/new": b"other", **FILES})))
    sip = depositor.archive.staging.workspace(job.id).sip
    publish, discard = OcflStore.publish, Workspace.discard
    seen: list[bool] = []

    def published(store: OcflStore, staged: StagedVersion, *, progress: Progress | None = None) -> Inventory:
        inventory = publish(store, staged, progress=progress)
        seen.append(len([each for each in sip.rglob("letters/*") if each.is_file()]) == 9)
        return inventory

    def discarded(workspace: Workspace) -> None:
        seen.append(sip.exists())
        discard(workspace)

    monkeypatch.setattr(OcflStore, "publish", published)
    monkeypatch.setattr(Workspace, "discard", discarded)
    assert run_job(depositor.archive, job.id).state is JobState.DONE
    assert seen == [True, False]


def test_small_files_are_packed_and_come_back_one_by_one(depositor: Depositor, packed: Deposit) -> None:
    aip = depositor.give_back(packed, "aip")
    originals = {name.removeprefix("data/original/") for name in tree(aip) if name.startswith("data/orig")}
    assert originals == LOOSE
    assert packs_in(aip) == ["0001.zip", "0002.zip", "0003.zip"]
    assert tree(depositor.give_back(packed, "dip") / "data/original") == FILES
    with zipfile.ZipFile(depositor.give_back(packed, "dip", zipped=True)) as bundle:
        assert [each for each in zipped_bag(bundle) if "packed" in each] == []
    assert packed.status["files"] == len(FILES)
    for name, data in FILES.items():
        opened = open_file(depositor.archive, depositor.actor, packed.id, f"data/original/{name}")
        assert b"".join(opened.whole()) == data
        assert b"".join(opened.part(2, 5)) == data[2:5]
    seen = landing(depositor.archive, depositor.actor, packed.id)
    assert isinstance(seen, Landing)
    assert {each.path for each in files_shown(depositor.archive, seen).files} == FILES.keys()


def test_others_read_it(depositor: Depositor, packed: Deposit, tmp_path: Path) -> None:
    aip = depositor.give_back(packed, "aip")
    bagit.Bag(str(aip)).validate()
    for store in depositor.archive.stores:
        assert Validator().validate_object(str(object_in(depositor.archive, packed.id, store)))
    for each in (aip / "data/packed").iterdir():
        with zipfile.ZipFile(each) as bundle:
            assert bundle.testzip() is None
            assert all(info.compress_type == zipfile.ZIP_STORED for info in bundle.infolist())
        subprocess.run(["unzip", "-tq", str(each)], check=True, stdout=subprocess.DEVNULL)
    loose = unpacked(aip, tmp_path / "loose")
    assert tree(loose / "data/original") == FILES


def test_the_readme_of_the_root_brings_packed_files_back(
    depositor: Depositor, packed: Deposit, tmp_path: Path
) -> None:
    alone = tmp_path / "store"
    shutil.copytree(root_of(depositor.archive, "copy"), alone)
    script = re.search(r"```python\n(.*?)```", (alone / "README.md").read_text(), re.DOTALL)
    assert script is not None
    (alone / "bring_back.py").write_text(script[1])
    wanted = [sys.executable, "-I", "-S", "bring_back.py", f"urn:uuid:{packed.id}"]
    for name in ("é %41/ünï 漢.txt", "letters/7.txt", "large.bin"):
        run = subprocess.run(
            [*wanted, f"data/original/{name}", "x"],
            cwd=alone, capture_output=True, text=True, timeout=300, check=False, env={"LC_ALL": "C.UTF-8"},
        )  # fmt: skip  # what is always said stands in one line
        assert "as it was archived" in run.stdout, run.stderr
        assert (alone / "x").read_bytes() == FILES[name]


def test_rows_tell_where_members_lie_and_come_back_from_storage(depositor: Depositor, tmp_path: Path) -> None:
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    change(depositor, made, tmp_path, withdrawn=["letters/1.txt"])
    before = {number: rows(depositor, made, number) for number in (1, 2)}
    members = [each for each in before[1] if each.packed_offset is not None]
    assert len(members) == len(FILES) - len(LOOSE)
    place = object_in(depositor.archive, made.id)
    for each in members:
        with (place / each.location).open("rb") as stream:
            stream.seek(each.packed_offset or 0)
            assert hashlib.sha512(stream.read(each.size)).hexdigest() == each.sha512
    assert sum(each.role is Role.PACK for each in before[1]) == 3
    assert rebuild_catalogue(depositor.archive, depositor.actor).failed == []
    assert {number: rows(depositor, made, number) for number in (1, 2)} == before


def raw_rows(depositor: Depositor, made: Deposit) -> list[Any]:
    """Return the rows of a package's payload, as they stand: since which version, until before which."""
    query = """select path, since, until, location, packed_offset, hex(sha512) from files
        where package = ? and path like 'data/%'"""
    with closing(sqlite3.connect(depositor.archive.home / "catalogue.db")) as catalogue:
        return sorted(map(repr, catalogue.execute(query, [uuid.UUID(made.id).bytes])))


def test_every_row_comes_back_though_descriptions_go_and_files_move_between_them(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_aip, "PART_LIMIT", 4)
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    become_loose, gone = {"letters/0.txt": b"anew"}, ["letters/8.txt"]
    made = change(depositor, made, tmp_path, replaced=become_loose, withdrawn=gone)
    many = {f"{number}.txt": b"%d" % number for number in range(5)}
    made = change(depositor, made, tmp_path, added=many, replaced={"large.bin": b"small"})
    parts = {
        each.name: each.read_text() for each in depositor.give_back(made, "aip").glob("metadata/files/*")
    }
    assert {each.partition("-")[0] for each in parts} == {"v1", "v2", "v3"}, "some stay, and some do not"
    stayed = [
        each.path for each in rows(depositor, made) if each.location.startswith("v1/content/data/packed")
    ]
    later = "".join(text for name, text in parts.items() if not name.startswith("v1"))
    assert any(path in later for path in stayed), "described anew because of its neighbours only"
    own = depositor.archive.primary.inventory(f"urn:uuid:{made.id}")
    assert own.locate("data/original/large.bin") is None, (
        "what was loose is not left beside what is packed now"
    )
    before = raw_rows(depositor, made), views.versions(depositor.archive, depositor.actor, made.id)
    assert rebuild_catalogue(depositor.archive, depositor.actor).failed == []
    after = raw_rows(depositor, made), views.versions(depositor.archive, depositor.actor, made.id)
    assert after == before


def test_a_new_version_writes_only_the_packs_concerned(depositor: Depositor, tmp_path: Path) -> None:
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    first = {each.path: each for each in rows(depositor, made)}
    gone = first["data/original/letters/1.txt"].location
    kept = {each.location for each in first.values() if each.role is Role.PACK} - {gone}
    made = change(
        depositor, made, tmp_path, added={"late.txt": b"late"}, replaced={"letters/0.txt": b"anew"},
        withdrawn=["letters/1.txt"],
    )  # fmt: skip  # fewer lines read better
    files = {**FILES, "late.txt": b"late", "letters/0.txt": b"anew"}
    del files["letters/1.txt"]
    second = {each.path: each for each in rows(depositor, made)}
    assert kept <= {each.location for each in second.values()}, "packs without a change stay where they are"
    assert second["data/original/late.txt"].packed_offset is None, "few files stay loose"
    aip = depositor.give_back(made, "aip")
    bagit.Bag(str(aip)).validate()
    members = [name for each in (aip / "data/packed").iterdir() for name in zipfile.ZipFile(each).namelist()]
    assert not {"data/original/letters/1.txt", "data/original/letters/0.txt"} & set(members)
    assert len(members) == len(set(members))
    assert tree(unpacked(aip, tmp_path / "loose") / "data/original") == files
    assert tree(depositor.give_back(made, "dip") / "data/original") == files
    assert tree(depositor.give_back(made, "dip", version=1) / "data/original") == FILES
    job = update_record(depositor.archive, depositor.actor, made.id, b'{"title": "Mended"}')
    assert job is not None
    assert run_job(depositor.archive, job.id).state == "done"
    assert tree(depositor.give_back(made, "dip") / "data/original") == files


def test_many_files_that_come_later_are_packed_and_an_empty_pack_goes(
    depositor: Depositor, tmp_path: Path
) -> None:
    loose = {"a.txt": b"a", "b.txt": b"b"}
    made = depositor.accepted(put(tmp_path / "source", loose))
    many = {f"{number}.txt": b"%d" % number for number in range(7)}
    made = change(depositor, made, tmp_path, added=many)
    aip = depositor.give_back(made, "aip")
    assert packs_in(aip) == ["0001.zip", "0002.zip"]
    assert tree(aip / "data/original") == loose, "what was loose stays loose"
    assert tree(depositor.give_back(made, "dip") / "data/original") == loose | many
    made = change(depositor, made, tmp_path, withdrawn=[f"{number}.txt" for number in range(4)])
    assert packs_in(depositor.give_back(made, "aip")) == ["0002.zip"]
    made = change(depositor, made, tmp_path, withdrawn=[f"{number}.txt" for number in range(4, 7)])
    aip = depositor.give_back(made, "aip")
    assert tree(aip / "data") == {f"original/{name}": data for name, data in loose.items()}
    assert not (aip / "metadata/packed").exists()
    before = rows(depositor, made)
    assert rebuild_catalogue(depositor.archive, depositor.actor).failed == []
    assert rows(depositor, made) == before
    for store in depositor.archive.stores:
        assert Validator().validate_object(str(object_in(depositor.archive, made.id, store)))


def test_a_damaged_member_is_read_from_the_next_store_and_the_pack_is_mended(
    depositor: Depositor, tmp_path: Path
) -> None:
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    entry = next(each for each in rows(depositor, made) if each.path.endswith("letters/3.txt"))
    pack = object_in(depositor.archive, made.id, "primary") / entry.location
    harm(pack, entry)
    opened = open_file(depositor.archive, depositor.actor, made.id, entry.path)
    assert b"".join(opened.whole()) == FILES["letters/3.txt"]
    copies = {each["store"]: each["state"] for each in depositor.again(made.job).status["copies"]}
    assert copies == {"primary": CopyState.CORRUPT, "copy": CopyState.INTACT}
    assert tree(depositor.give_back(made, "dip") / "data/original") == FILES
    repair(depositor.archive, depositor.actor, made.id)
    assert hashlib.sha512(pack.read_bytes()).hexdigest() in {
        each.sha512 for each in rows(depositor, made) if each.role is Role.PACK
    }
    other = next(each for each in rows(depositor, made) if each.location == entry.location and each != entry)
    harm(pack, entry)
    harm(object_in(depositor.archive, made.id, "copy") / entry.location, other)
    assert tree(depositor.give_back(made, "dip") / "data/original") == FILES, "each member is judged alone"
    harm(object_in(depositor.archive, made.id, "copy") / entry.location, entry)
    with pytest.raises(Corrupt):
        b"".join(open_file(depositor.archive, depositor.actor, made.id, entry.path).whole())


def test_a_pack_that_no_store_has_whole_is_put_together_from_its_members(
    depositor: Depositor, tmp_path: Path
) -> None:
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    first, second, *_ = (each for each in rows(depositor, made) if each.packed_offset and each.size)
    packs = {
        name: object_in(depositor.archive, made.id, name) / first.location for name in ("primary", "copy")
    }
    before = packs["copy"].read_bytes()
    assert second.location == first.location
    harm(packs["primary"], first)
    harm(packs["copy"], second)
    with pytest.raises(Corrupt) as told:
        depositor.give_back(made, "aip")
    assert told.value.hint == "run `holdfast repair`"
    reports = repair(depositor.archive, depositor.actor, made.id)
    assert [each.verdict for each in reports] == ["intact", "intact"]
    assert {each.read_bytes() for each in packs.values()} == {before}
    for each in packs.values():
        harm(each, first)
    with pytest.raises(Corrupt, match="no store has"):
        repair(depositor.archive, depositor.actor, made.id)


def test_a_member_that_every_store_has_lost_comes_from_another_version(
    depositor: Depositor, tmp_path: Path
) -> None:
    made = depositor.accepted(put(tmp_path / "source", FILES), new=True)
    gone, kept, *_ = (each for each in rows(depositor, made) if each.packed_offset is not None and each.size)
    made = change(depositor, made, tmp_path, withdrawn=[gone.path.removeprefix("data/original/")])
    entry = next(each for each in rows(depositor, made) if each.path == kept.path)
    assert entry.location != kept.location
    for name in depositor.archive.stores:
        harm(object_in(depositor.archive, made.id, name) / entry.location, entry)
    repair(depositor.archive, depositor.actor, made.id)
    assert depositor.again(made.job).status["copies"][0]["state"] == CopyState.INTACT


def harm(pack: Path, entry: FileEntry) -> None:
    """Flip a bit of one member."""
    data = bytearray(pack.read_bytes())
    data[entry.packed_offset or 0] ^= 1
    pack.write_bytes(data)


def test_the_same_files_make_the_same_packs(depositor: Depositor, tmp_path: Path) -> None:
    source = put(tmp_path / "source", FILES)
    for each in source.rglob("*"):
        os.utime(each, (1_700_000_000, 1_700_000_000))
    made = [depositor.accepted(source) for _ in range(2)]
    found = [
        {each.path: each.sha512 for each in rows(depositor, one) if each.role is Role.PACK} for one in made
    ]
    assert found[0] == found[1]


def test_packing_that_was_broken_off_is_repeated(
    depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(tmp_path / "source", FILES)
    job = submit(depositor.archive, depositor.actor, Wanted(source, new=True))
    with monkeypatch.context() as patch:
        calls = iter([packing.write_pack])

        def broken(*given: Any) -> list[FileEntry]:
            for real in calls:
                return real(*given)
            raise KeyboardInterrupt

        patch.setattr(packing, "write_pack", broken)
        with pytest.raises(KeyboardInterrupt):
            run_job(depositor.archive, job.id)
    made = depositor.again(run_job(depositor.archive, job.id))
    depositor.prove_accepted(made)
    assert tree(depositor.give_back(made, "dip") / "data/original") == FILES
    bagit.Bag(str(depositor.give_back(made, "aip"))).validate()


def test_the_real_threshold(tmp_path: Path) -> None:
    files = {f"{number:04d}.txt": b"%d\n" % number for number in range(RULE.many)}
    files["large.bin"] = bytes(RULE.small)
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        made = depositor.accepted(put(tmp_path / "many", files))
        inside = [each for each in rows(depositor, made) if each.packed_offset is not None]
        assert len(inside) == RULE.many
        assert tree(depositor.give_back(made, "dip") / "data/original") == files
