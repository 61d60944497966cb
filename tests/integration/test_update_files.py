"""Files added, replaced and withdrawn make a new version: all of it or nothing, and nothing stored twice."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from ocfl.validator import Validator

from packages.bagit.validate import validate_bag
from packages.errors import Conflict, Invalid
from packages.mets_reading import read_files_mets
from packages.ocfl import layout
from packages.premis_reading import read_events
from packages.record import CURRENT
from services.archival_storage.ocfl_validation import validate_ocfl
from services.data_management.rebuild import rebuild_catalogue
from services.data_management.views import versions
from services.ingest.revising_files import Revision, files_at, revise
from services.ingest.revision import update_record
from services.store_settings import path_of
from services.work.engine import run_job
from tests.support.depositor import Deposit, Depositor, depositor_of, put, tree
from tests.support.folders import FolderSubmission

FILES = {"a.txt": b"first\n", "folder/b.txt": b"second\n", "folder/c.txt": b"third\n"}
ODD = "100 %/line\nfeed é"


def change(depositor: Depositor, made: Deposit, scratch: Path, **wanted: Any) -> Deposit:
    """Revise with contents instead of paths, and prove that the new version is published."""
    for what in ("added", "replaced"):
        files = {}
        for number, (name, data) in enumerate(wanted.get(what, {}).items()):
            files[name] = scratch / f"{what}-{number}"
            files[name].write_bytes(data)
        wanted[what] = files
    job = revise(depositor.archive, depositor.actor, made.id, Revision(**wanted))
    changed = depositor.again(run_job(depositor.archive, job.id))
    depositor.prove_accepted(changed)
    return changed


def objects(depositor: Depositor, made: Deposit) -> list[Path]:
    roots = [path_of(url) for url in depositor.archive.settings.store_urls.values()]
    return [root / layout.object_path(f"urn:uuid:{made.id}") for root in roots]


def stored(depositor: Depositor, made: Deposit) -> list[str]:
    """Return the digests of every payload file that the primary store holds."""
    place = objects(depositor, made)[0]
    return [
        hashlib.sha512(each.read_bytes()).hexdigest()
        for each in place.glob("v*/content/**/data/**/*")
        if each.is_file()
    ]


def test_three_versions_each_a_valid_bag_and_nothing_twice(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", FILES))
    made = change(
        shared_depositor, made, tmp_path,
        added={ODD: b"odd", "again.txt": b"second\n"}, replaced={"a.txt": b"changed\n"},
        withdrawn=["folder/c.txt"], message="Mended",
    )  # fmt: skip  # fewer lines read better
    second = {"a.txt": b"changed\n", "folder/b.txt": b"second\n", ODD: b"odd", "again.txt": b"second\n"}
    shared_depositor.prove_identical(made, second)
    made = change(shared_depositor, made, tmp_path, replaced={"a.txt": b"first\n"}, withdrawn=[ODD])
    third = {"a.txt": b"first\n", "folder/b.txt": b"second\n", "again.txt": b"second\n"}
    shared_depositor.prove_identical(made, third)
    for number, files in ((1, FILES), (2, second), (3, third)):
        aip = shared_depositor.give_back(made, "aip", version=number)
        assert validate_bag(FolderSubmission(aip), "", digests_known=True).is_valid
        assert tree(aip / "data/original") == files
        described = {
            entry.path.removeprefix("data/original/"): entry.sha512
            for part in (aip / "metadata/files").iterdir()
            for entry in read_files_mets(io.BytesIO(part.read_bytes()))
        }
        assert described == {name: hashlib.sha512(data).hexdigest() for name, data in files.items()}
    digests = stored(shared_depositor, made)
    assert len(digests) == len(set(digests)) == 5, "unchanged bytes are stored once"
    told = versions(shared_depositor.archive, shared_depositor.actor, made.id)
    assert [(each["version"], each["files"]) for each in told] == [(1, 3), (2, 4), (3, 3)]
    assert told[1]["message"] == "Mended"
    assert (made.status["files"], made.status["bytes"]) == (3, 20)
    for place in objects(shared_depositor, made):
        assert Validator().validate_object(str(place))
        assert validate_ocfl(str(place), strict=True).verdict == "valid"


def test_the_event_names_the_files_and_premis_tells_what_was_done_to_them(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", FILES))
    made = change(shared_depositor, made, tmp_path, added={"new.txt": b"new"}, withdrawn=["a.txt"])
    aip = shared_depositor.give_back(made, "aip")
    with (aip / "metadata/premis/events-v2.xml").open("rb") as stream:
        events = list(read_events(stream))
    kinds = {each.type for each in events}
    assert {
        "modification",
        "ingestion",
        "message digest calculation",
        "virus check",
        "format identification",
    } <= kinds
    mended = next(each for each in events if each.type == "modification")
    assert set(mended.paths) >= {"data/original/new.txt", "data/original/a.txt"}


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        ({"added": {"a.txt": b"x"}}, {"change.file-there"}),
        ({"replaced": {"none": b"x"}}, {"change.file-absent"}),
        ({"withdrawn": ["none", "a.txt", "a.txt"]}, {"change.file-absent", "change.named-twice"}),
        ({"added": {"a.txt/b": b"x", "folder": b"x"}}, {"change.file-and-folder"}),
        ({"withdrawn": list(FILES)}, {"change.nothing-left"}),
    ],
)  # fmt: skip  # a table
def test_what_does_not_fit_is_refused_whole_with_every_finding(
    wanted: dict[str, Any], codes: set[str], shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", FILES))
    before = shared_depositor.held()
    with pytest.raises(Invalid) as refused:
        change(shared_depositor, made, tmp_path, **wanted)
    assert {each.code for each in refused.value.findings} == codes
    assert shared_depositor.held() == before


def test_a_file_that_the_record_names_cannot_go_without_it(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    record = {"$schema": CURRENT, "title": "Named", "files": [{"path": "a.txt"}]}
    made = shared_depositor.accepted(put(tmp_path / "source", FILES), record=json.dumps(record).encode())
    with pytest.raises(Invalid) as refused:
        change(shared_depositor, made, tmp_path, withdrawn=["a.txt"])
    assert [each.code for each in refused.value.findings] == ["record.file-missing"]
    renamed = record | {"title": "Renamed", "files": [{"path": "folder/b.txt"}]}
    made = change(shared_depositor, made, tmp_path, withdrawn=["a.txt"], record=json.dumps(renamed).encode())
    assert (made.status["title"], made.status["version"]) == ("Renamed", 2)


def test_a_hostile_name_is_rejected_and_the_package_stays_as_it_was(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", FILES))
    (tmp_path / "x").write_bytes(b"x")
    wanted = Revision(added={"../../x": tmp_path / "x"})
    job = revise(shared_depositor.archive, shared_depositor.actor, made.id, wanted)
    after = shared_depositor.again(run_job(shared_depositor.archive, job.id))
    assert (after.job.state, after.status["state"], after.status["version"]) == ("rejected", "published", 1)
    assert not list(shared_depositor.archive.staging.existing())
    shared_depositor.prove_identical(made, FILES)


def test_two_changes_at_once_and_access_copies(shared_depositor: Depositor, tmp_path: Path) -> None:
    samples = Path(__file__).parents[2] / "samples" / "harbour" / "images"
    image = (samples / "harbour-plan.tif").read_bytes()
    made = shared_depositor.accepted(put(tmp_path / "source", FILES | {"one.tif": image}))
    (tmp_path / "two.tif").write_bytes(image)
    wanted = Revision(added={"two.tif": tmp_path / "two.tif"}, withdrawn=["one.tif"])
    job = revise(shared_depositor.archive, shared_depositor.actor, made.id, wanted)
    with pytest.raises(Conflict):
        revise(shared_depositor.archive, shared_depositor.actor, made.id, wanted)
    made = shared_depositor.again(run_job(shared_depositor.archive, job.id))
    shared_depositor.prove_accepted(made)
    of = {each.derived_from for each in shared_depositor.archive.access.entries(made.id)}
    assert of == {"data/original/two.tif"}
    dip = shared_depositor.give_back(made, "dip")
    assert sorted(each.name for each in (dip / "data").rglob("one.tif*")) == []
    assert validate_bag(FolderSubmission(dip), "", digests_known=True).is_valid


def told_of(depositor: Depositor, made: Deposit) -> Any:
    """Return what the catalogue knows of three versions."""
    with depositor.archive.catalogue.read() as view:
        files = [sorted(view.iter_files(made.id, number)) for number in (1, 2, 3)]
    known = [[(each.path, each.location, each.sha512, each.puid) for each in some] for some in files]
    return known, versions(depositor.archive, depositor.actor, made.id)


def test_a_rebuild_knows_every_version(tmp_path: Path) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out") as own:
        made = own.accepted(put(tmp_path / "source", FILES))
        wanted = {"added": {"n": b"n"}, "replaced": {"a.txt": b"x"}, "withdrawn": ["folder/b.txt"]}
        made = change(own, made, tmp_path, **wanted)
        made = change(own, made, tmp_path, replaced={"a.txt": b"first\n"})
        before = told_of(own, made)
        assert not rebuild_catalogue(own.archive, own.actor).failed
        assert told_of(own, made) == before


def test_a_record_that_was_there_before_is_read_from_where_it_lies(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    first, second = ({"$schema": CURRENT, "title": title} for title in ("First", "Second"))
    made = shared_depositor.accepted(put(tmp_path / "source", FILES), record=json.dumps(first).encode())
    for record in (second, first):
        job = update_record(
            shared_depositor.archive, shared_depositor.actor, made.id, json.dumps(record).encode()
        )
        assert job is not None
        made = shared_depositor.again(run_job(shared_depositor.archive, job.id))
        shared_depositor.prove_accepted(made)
    aip = shared_depositor.give_back(made, "aip", version=3)
    assert json.loads((aip / "metadata/record.json").read_bytes())["title"] == "First"


def test_files_at_names_files_and_folders(tmp_path: Path) -> None:
    put(tmp_path / "folder", {"a": b"", "deep/b": b""})
    assert set(files_at(tmp_path / "folder", None)) == {"folder/a", "folder/deep/b"}
    assert set(files_at(tmp_path / "folder", "")) == {"a", "deep/b"}
    assert set(files_at(tmp_path / "folder" / "a", "other/name")) == {"other/name"}
    (tmp_path / "folder" / "link").symlink_to("a")
    with pytest.raises(Invalid):
        files_at(tmp_path / "folder", None)
