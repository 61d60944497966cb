"""Archives unpacked by the home's policy: members beside the archive, all of them or none."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bagit
import py7zr
import pytest
from lxml import etree
from ocfl.validator import Validator
from PIL import Image

from packages.errors import Unavailable
from packages.model import ORIGINALS, Event, FileEntry, Role
from packages.packing import Rule
from packages.premis_reading import read_events
from services.administration.decisions import decide
from services.data_management.rebuild import rebuild_catalogue
from services.preservation_planning import unpacking
from services.preservation_planning.migration import MigrationPlan, enter_migration, plan_migration
from services.preservation_planning.policy import tried
from services.work.engine import run_due
from storage.sources import has_members
from tests.support.depositor import Deposit, Depositor, depositor_of, put, tree
from tests.support.harm import object_in

PREMIS = {"p": "http://www.loc.gov/premis/v3"}
MEMBERS = {"read me.txt": b"high water\n", "sub/b.csv": b"a,b\n1,2\n", "sub/empty": b""}
ODD = {name: name.encode() for name in ("CON", "-a:b\\c", "é\nü", "long" * 60, "/".join(["d"] * 100))}
ZIP = "x-fmt/263"


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], links: Iterable[str] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_000_000_000
            archive.addfile(member, io.BytesIO(data))
        for name in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return out.getvalue()


def seven_zipped(files: Mapping[str, bytes], password: str | None = None) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", password=password) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


KINDS: dict[str, Callable[[Mapping[str, bytes]], bytes]] = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": lambda files: gzip.compress(tarred(files)),
    "a.tar.bz2": lambda files: bz2.compress(tarred(files)),
    "a.tar.xz": lambda files: lzma.compress(tarred(files)),
    "a.7z": seven_zipped,
}


def unpack(depositor: Depositor, **limits: int) -> None:
    """Have the home's policy unpack archives, within these limits."""
    own = {"rules": [{"name": "archives", "preservation": {"action": "unpack", **limits}}]}
    (depositor.archive.home / "format-policy.json").write_text(json.dumps(own), "utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depositor]:
    folder = tmp_path_factory.mktemp("unpacking")
    with depositor_of(folder / "home", folder / "out") as made:
        yield made


def members(depositor: Depositor, made: Deposit) -> dict[str, FileEntry]:
    with depositor.archive.catalogue.read() as view:
        version = view.package(made.id).version or 0
        return {
            each.path.removeprefix("data/preservation/"): each
            for each in view.iter_files(made.id, version)
            if each.role is Role.PRESERVATION
        }


def events(depositor: Depositor, made: Deposit) -> list[Event]:
    with depositor.archive.catalogue.read() as view:
        return [each for each in view.events(made.id) if each.type == "unpacking"]


def prove(depositor: Depositor, made: Deposit, files: dict[str, bytes], come: dict[str, bytes]) -> Path:
    """Prove the package whole for us and for others, with these files out of its archives; return the AIP."""
    depositor.prove_accepted(made)
    assert set(members(depositor, made)) == set(come)
    aip = depositor.prove_identical(made, files, zips=False)
    preserved = aip / "data/preservation"
    assert (tree(preserved) if preserved.exists() else {}) == come
    bagit.Bag(str(aip)).validate()
    for store in depositor.archive.stores:
        assert Validator().validate_object(str(object_in(depositor.archive, made.id, store)))
    assert not list((depositor.archive.home / "access").rglob("preservation"))
    return aip


def under(name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{name}/{each}": data for each, data in files.items()}


def test_each_kind_of_archive_becomes_its_members(house: Depositor, tmp_path: Path) -> None:
    unpack(house)
    files = {f"deep é/{name}": make(MEMBERS) for name, make in KINDS.items()}
    lone = {"words.txt.gz": gzip.compress(b"words\n"), "book.kmz": zipped({"doc.kml": b"<kml/>"})}
    come = {path: data for name in files for path, data in under(name, MEMBERS).items()}
    files["odd.tar"] = tarred(ODD)
    come |= under("odd.tar", ODD)
    made = house.deposit(put(tmp_path / "source", files | lone))
    aip = prove(house, made, files | lone, come)
    assert made.step("normalise")["message"] == "9 files: 7 done, 2 skipped"
    found = members(house, made)
    text = found["deep é/a.tar.gz/read me.txt"]
    assert (text.puid, text.derived_from) == ("x-fmt/111", f"{ORIGINALS}deep é/a.tar.gz")
    assert (text.modified, text.properties["encoding"]) == ("2001-09-09T01:46:40Z", "US-ASCII")
    assert text.properties["conversion_command"].startswith("archives: unpack depth=3 members=10000 ")
    assert found["deep é/a.7z/sub/empty"].size == 0
    [event] = events(house, made)
    assert (event.outcome, event.detail) == ("success", "7 archives unpacked: 23 files")
    assert set(event.paths) == {ORIGINALS + name for name in files}
    assert event.agents[0].name == "Holdfast's archive reader on Python"
    [sealed] = [
        each for each in read_events(aip / "metadata/premis/events-v1.xml") if each.type == "unpacking"
    ]
    assert (sealed.id, sealed.paths) == (event.id, event.paths)
    for each in aip.glob("metadata/files/*.xml"):
        relations = etree.parse(each).xpath("//p:relationship", namespaces=PREMIS)
        said = {r.findtext(".//p:relatedEventIdentifierValue", namespaces=PREMIS) for r in relations}
        assert (len(relations), said) == (23, {event.id})


def test_archives_inside_are_opened_to_the_depth_of_the_rule(house: Depositor, tmp_path: Path) -> None:
    unpack(house, depth=2)
    third = zipped({"third.txt": b"3"})
    second = tarred({"second.txt": b"2", "third.zip": third})
    files = {"first.zip": zipped({"first.txt": b"1", "second.tar": second, "report.docx": third})}
    made = house.deposit(put(tmp_path / "source", files))
    come = {
        "first.zip/first.txt": b"1",
        "first.zip/report.docx": third,
        "first.zip/second.tar/second.txt": b"2",
        "first.zip/second.tar/third.zip": third,
    }
    prove(house, made, files, come)
    [told] = made.found("normalise.not-opened").values()
    assert "first.zip/second.tar/third.zip: archives are opened to a depth of 2" in told["message"]
    [event] = events(house, made)
    assert (event.outcome, event.detail) == (
        "warning",
        "1 archive unpacked, 1 inside of them left closed: 4 files",
    )
    unpack(house, depth=1)
    made = house.deposit(put(tmp_path / "source", files))
    shallow = {"first.zip/first.txt": b"1", "first.zip/second.tar": second, "first.zip/report.docx": third}
    prove(house, made, files, shallow)


def locked_zip() -> bytes:
    """A ZIP that marks one member as encrypted."""
    data = bytearray(zipped({"secret.txt": b"x", "open.txt": b"y"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    return bytes(data)


Cases = dict[str, tuple[bytes, str, str]]


def hostile() -> Cases:
    """Return archives that stay closed, each with what is found of it and why."""
    return {
        "locked.zip": (locked_zip(), "failed", "“secret.txt” is encrypted."),
        "locked.7z": (seven_zipped({"a": b"x"}, "word"), "failed", "is encrypted."),
        "climbs.zip": (zipped({"good.txt": b"x", "../../evil.txt": b"y"}), "failed", "../../evil.txt"),
        "linked.tar": (tarred({"a": b"x"}, ["passwd"]), "failed", "“passwd” is a link"),
        "short.tar.gz": (
            gzip.compress(tarred({"a": os.urandom(40_000)}))[:20_000],
            "failed",
            "ends too early",
        ),
        "twice.tar": (tarred({"a": b"x"})[:1024] + tarred({"a": b"y"}), "failed", "more than once"),
        "both.tar": (tarred({"a": b"x", "a/b": b"y"}), "failed", "both a file and a folder"),
        "bomb.zip": (zipped({"zeros": bytes(70 << 20)}), "too-large", "100 times its own size"),
        "hollow.zip": (zipped({}), "failed", "It holds no files."),
    }


def too_much() -> Cases:
    """Return sound archives that are above a limit."""
    return {
        "many.zip": (zipped({str(n): b"" for n in range(60)}), "too-large", "more than 50 files and folders"),
        "large.zip": (zipped({"a": os.urandom(2_000_000)}), "too-large", "more than 1,000,000 bytes"),
    }


@pytest.mark.parametrize(
    ("made_of", "limits"), [(hostile, {}), (too_much, {"members": 50, "bytes": 1_000_000})]
)
def test_archives_that_no_deposit_may_be_stay_closed(
    house: Depositor, tmp_path: Path, made_of: Callable[[], Cases], limits: dict[str, int]
) -> None:
    unpack(house, **limits)
    cases = made_of()
    files = {name: data for name, (data, _, _) in cases.items()}
    made = house.deposit(put(tmp_path / "source", files))
    prove(house, made, files, {})
    for name, (_, outcome, reason) in cases.items():
        assert reason in made.found(f"normalise.{outcome}")[ORIGINALS + name]["message"]
    [event] = events(house, made)
    assert (event.outcome, event.detail) == (
        "failure",
        f"0 archives unpacked, {len(files)} left closed: 0 files",
    )
    assert set(event.paths) == {ORIGINALS + name for name in files}


def test_a_bad_archive_inside_stays_a_file_and_no_bound_grows_with_depth(
    house: Depositor, tmp_path: Path
) -> None:
    unpack(house, depth=20, members=100)
    bomb = zipped({"inner.zip": zipped({"zeros": bytes(65 << 20)}), "more.zip": zipped({"zeros": bytes(9)})})
    crowd = zipped({f"{n:02}.zip": zipped({str(m): b"x" for m in range(30)}) for n in range(6)})
    files = {"bad.zip": zipped({"good.txt": b"x", "locked.zip": locked_zip()}), "bomb.zip": bomb}
    made = house.deposit(put(tmp_path / "source", files | {"crowd.zip": crowd}))
    house.prove_accepted(made)
    come = set(members(house, made))
    assert {"bad.zip/good.txt", "bad.zip/locked.zip", "bomb.zip/inner.zip", "bomb.zip/more.zip/zeros"} <= come
    assert sum(each.startswith("crowd.zip/") for each in come) == 3 * 30 + 3, "6 + 90 of 100 members"
    [*told] = (each["message"] for each in made.status["findings"] if each["code"] == "normalise.not-opened")
    assert len(told) == 5
    bagit.Bag(str(house.give_back(made, "aip"))).validate()


def test_what_came_out_of_an_archive_inside_before_it_was_refused_counts(
    house: Depositor, tmp_path: Path
) -> None:
    unpack(house, bytes=9_400_000)
    cut = gzip.compress(tarred({str(n): os.urandom(400_000) for n in range(6)}))[:2_300_000]  # in the sixth
    inside = {f"{n}.tar.gz": cut for n in range(3)}  # 6,900,000 bytes
    files = {"crowd.zip": zipped(inside)}
    made = house.deposit(put(tmp_path / "source", files))
    prove(house, made, files, under("crowd.zip", inside))
    first, *others = (
        each["message"] for each in made.status["findings"] if each["code"] == "normalise.not-opened"
    )
    assert "ends too early" in first
    assert ["It holds more than" in each for each in others] == [True, True]


def test_what_comes_out_of_all_archives_of_a_package_is_no_more_than_a_deposit_may_hold(
    tmp_path: Path,
) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out", max_members=70) as house:
        unpack(house)
        files = {f"{n}.zip": zipped({str(m): b"x" for m in range(30)}) for n in range(4)}
        made = house.deposit(put(tmp_path / "source", files))
        come = {path: b"x" for n in range(2) for path in under(f"{n}.zip", {str(m): b"" for m in range(30)})}
        prove(house, made, files, come)
        assert set(made.found("normalise.too-large")) == {f"{ORIGINALS}{n}.zip" for n in (2, 3)}


def test_very_many_members_lie_in_packs_and_no_second_time(tmp_path: Path) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out") as house:
        unpack(house)
        house.archive.packing = Rule(small=100, many=5, pack_bytes=250, pack_members=4)
        lots = {f"{n // 10}/{n}.txt": f"tide {n}\n".encode() for n in range(20)}
        made = house.deposit(put(tmp_path / "source", {"lots.tar": tarred(lots), "a.bmp": bitmap()}))
        house.prove_accepted(made)
        found = members(house, made)
        assert set(found) >= set(under("lots.tar", lots))
        assert found["lots.tar/1/19.txt"].packed_offset is not None
        assert not list((house.archive.home / "access" / made.id).rglob("*.txt"))
        bagit.Bag(str(house.give_back(made, "aip"))).validate()


def bitmap() -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(out, "BMP")
    return out.getvalue()


def test_what_was_broken_off_begins_anew_and_by_the_rule_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out") as house:
        unpack(house)
        inner = tarred({"second.txt": b"2"})
        files = {"a.zip": zipped({"first.txt": b"1", "inner.tar": inner}), "b.zip": zipped(MEMBERS)}

        def full(source: Path, name: str) -> bool:
            if name == "b.zip":
                raise Unavailable("the disk is full")
            return has_members(source, name)

        with monkeypatch.context() as patch:
            patch.setattr(unpacking, "has_members", full)
            made = house.deposit(put(tmp_path / "source", files))
        assert (made.job.state, made.job.step) == ("failed", "normalise")
        unpack(house, depth=1)  # where there was a folder, there must be a file now
        [decided] = decide(house.archive, house.actor, "retry", [made.id])
        assert decided.error is None
        run_due(house.archive)
        closed = {"first.txt": b"1", "inner.tar": inner}
        prove(house, house.again(made.job), files, under("a.zip", closed) | under("b.zip", MEMBERS))


def test_what_is_archived_already_is_unpacked_by_a_migration(tmp_path: Path) -> None:
    with depositor_of(tmp_path / "home", tmp_path / "out") as house:
        files = {"a.zip": zipped(MEMBERS), "b.txt": b"tide\n"}
        made = house.accepted(put(tmp_path / "source", files))
        assert members(house, made) == {}, "our own policy leaves archives closed"
        unpack(house)
        plan = plan_migration(house.archive, house.actor, [ZIP])
        assert {(each.puid, each.tool, each.recipe) for each in plan.made} == {(ZIP, "archives", "unpack")}
        migrate(house, plan)
        prove(house, house.again(made.job), files, under("a.zip", MEMBERS))
        assert [each.outcome for each in events(house, made)] == ["success"]
        assert plan_migration(house.archive, house.actor, [ZIP]).due == []
        migrate(house, plan_migration(house.archive, house.actor, [ZIP], again=True))
        with house.archive.catalogue.read() as view:
            assert view.package(made.id).version == 2, "nothing would be different"
        known = members(house, made)
        assert rebuild_catalogue(house.archive, house.actor).failed == []
        assert members(house, made) == known


def migrate(house: Depositor, plan: MigrationPlan) -> None:
    assert [each.kind for each in enter_migration(house.archive, house.actor, plan)] == ["migrate"]
    run_due(house.archive)


def test_a_try_unpacks_and_keeps_nothing(house: Depositor, tmp_path: Path) -> None:
    unpack(house)
    source = put(tmp_path / "source", {"a.zip": zipped(MEMBERS)}) / "a.zip"
    [found] = tried(house.archive, house.actor, [source])
    told: list[dict[str, Any]] = [each for each in found.as_json()["derivatives"] if each["tool"]]
    assert [(each["name"], each["outcome"]) for each in told] == [
        *((f"1/a.zip/{name}", "done") for name in MEMBERS),
        (None, "done"),
    ]
