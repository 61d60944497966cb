"""Group C of the edge cases: bags and checksum lists, through the whole pipeline and back."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.support.bags import PAYLOAD, bag_files, lines, make_bag, originals
from tests.support.depositor import Depositor, bag_report, put, tree

SUITE = SHARED / "conformance" / "bagit"
CASES = sorted(str(each.relative_to(SUITE)) for each in SUITE.glob("v*/*/*") if each.is_dir())
WELCOME = {"valid", "warning"}
HOLLOW = "v0.97/warning/special-system-files"  # its one payload file is a Thumbs.db


@pytest.mark.shared
@pytest.mark.parametrize("case", CASES or ["absent"])
def test_C1_C2_C3_the_conformance_suite_through_every_door(
    shared_depositor: Depositor, shared: Path, tmp_path: Path, case: str
) -> None:
    """Every bag of the Library of Congress's suite: kept and given back, or refused with reasons.

    Bags that are invalid on one platform only are refused everywhere: an archive outlives its platform. One
    bag is valid by the RFC and has nothing in it but what Windows left behind: A15 refuses it.
    """
    source = tmp_path / "bag"
    shutil.copytree(shared / "conformance/bagit" / case, source)
    if case.split("/")[1] not in WELCOME or case == HOLLOW:
        made = shared_depositor.rejected(source)
        assert ("submission.no-files" in made.codes) == (case == HOLLOW)
        return
    made = shared_depositor.accepted(source)
    if "warning" in case:
        assert any(
            each["severity"] == "warning" and "bag." in each["code"] for each in made.status["findings"]
        )
    data = source / "data"
    if not data.is_dir():  # one of the suite holds its bag one level down
        [data] = source.glob("*/data")
    aip = shared_depositor.prove_identical(made, tree(data), zips=False)
    tags = tree(aip / "metadata/submission")
    assert tags["bagit.txt"] == (data.parent / "bagit.txt").read_bytes()


def test_C1_foreign_encodings_repeated_labels_and_a_bag_in_a_bag(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    inner = {f"data/inner/{name}": data for name, data in bag_files().items()}
    info = "Source-Organization: Müller & Söhne\nContact-Name: Zoë\nContact-Name: Noël\n"
    for encoding, version in (("ISO-8859-1", "0.97"), ("UTF-16", "1.0"), ("UTF-8", "0.93")):
        source = make_bag(tmp_path / encoding, payload=inner, encoding=encoding, version=version, info=info)
        made = shared_depositor.accepted(source)
        aip = shared_depositor.prove_identical(made, originals(inner), zips=False)
        record = (aip / "metadata/record.json").read_text(encoding="utf-8")
        assert all(name in record for name in ("Müller & Söhne", "Zoë", "Noël"))
        assert (aip / "metadata/submission/bag-info.txt").read_bytes() == info.encode(encoding)


def test_C1_escaped_names_and_a_leading_dot(shared_depositor: Depositor, tmp_path: Path) -> None:
    payload = {"data/100%.txt": b"p", "data/line\nfeed": b"l"}
    listed = lines({"./data/100%25.txt": b"p", "./data/line%0Afeed": b"l"})
    source = make_bag(tmp_path / "bag", payload=payload, extra={"manifest-sha512.txt": listed.encode()})
    made = shared_depositor.accepted(source)
    assert "bag.manifest-dot" in made.codes
    shared_depositor.prove_identical(made, originals(payload))


def test_C1_more_tag_files_than_are_held_in_memory_are_all_kept(
    shared_depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.steps.build_aip.SOURCES", 3)
    notes = {f"notes/{number}.txt": b"%d" % number for number in range(9)}
    made = shared_depositor.accepted(make_bag(tmp_path / "bag", extra=notes))
    aip = shared_depositor.prove_identical(made, originals())  # which is a valid bag
    listed = (aip / "tagmanifest-sha512.txt").read_text()
    for name, data in notes.items():
        assert (aip / "metadata/submission" / name).read_bytes() == data
        assert f"  metadata/submission/{name}\n" in listed


def test_C2_everything_that_is_wrong_is_listed_at_once(shared_depositor: Depositor, tmp_path: Path) -> None:
    listed = lines({**PAYLOAD, "data/gone.txt": b"x", "data/late/gone.txt": b"y"}) + "no digest at all\n"
    source = make_bag(
        tmp_path / "bag",
        extra={
            "data/a.txt": b"ALPHA",
            "data/extra.txt": b"",
            "manifest-sha512.txt": listed.encode(),
            "bagit.txt": b"\xef\xbb\xbfBagIt-Version: 9.9\n",
            "tagmanifest-sha512.txt": lines({"bag-info.txt": b"other", "lost.txt": b""}).encode(),
        },
    )
    made = shared_depositor.rejected(source)
    errors = {(each["code"], each["path"]) for each in made.status["findings"] if each["severity"] == "error"}
    assert errors == {
        ("bag.declaration-bom", "bagit.txt"),
        ("bag.version-unknown", "bagit.txt"),
        ("bag.encoding-missing", "bagit.txt"),
        ("bag.manifest-line", "manifest-sha512.txt"),
        ("bag.payload-missing", "data/gone.txt"),
        ("bag.payload-missing", "data/late/gone.txt"),
        ("bag.payload-not-listed", "data/extra.txt"),
        ("bag.payload-corrupt", "data/a.txt"),
        ("bag.tag-missing", "lost.txt"),
        ("bag.tag-corrupt", "bag-info.txt"),
    }


def test_C2_a_bag_without_its_declaration_is_not_taken_for_plain_files(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = make_bag(tmp_path / "bag")
    (source / "bagit.txt").unlink()
    assert "bag.declaration-missing" in shared_depositor.rejected(source).codes


def test_C2_manifests_that_disagree_are_refused(shared_depositor: Depositor, tmp_path: Path) -> None:
    fewer = lines({"data/a.txt": b"alpha"}, "sha256").encode()
    source = make_bag(tmp_path / "fewer", extra={"manifest-sha256.txt": fewer})
    assert set(shared_depositor.rejected(source).found("bag.payload-not-listed")) == {"data/sub/b.txt"}
    twice = (lines(PAYLOAD) + lines({"data/a.txt": b"other"})).encode()
    source = make_bag(tmp_path / "twice", extra={"manifest-sha512.txt": twice})
    assert set(shared_depositor.rejected(source).found("bag.listed-twice-differently")) == {"data/a.txt"}


def test_C3_paths_out_of_the_bag_are_refused_and_nothing_outside_is_touched(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"s")
    before = secret.stat()
    outside = {"../secret.txt": b"s", "data/../../secret.txt": b"s", str(secret): b"s", "~/x": b""}
    outside |= {"\\\\host\\share\\x": b"", "C:\\x": b""}
    fetch = "https://example.org/x - ../secret.txt\nhttps://example.org/x 1 /etc/passwd\n"
    listed = lines(PAYLOAD) + lines(outside)
    source = make_bag(
        tmp_path / "bag", extra={"manifest-sha512.txt": listed.encode(), "fetch.txt": fetch.encode()}
    )
    made = shared_depositor.rejected(source)
    told = [each["message"] for each in made.status["findings"] if each["code"] == "bag.path-outside"]
    assert len(told) == len(outside) + 2
    after = secret.stat()
    assert (after.st_mtime_ns, after.st_atime_ns) == (before.st_mtime_ns, before.st_atime_ns)


def test_C4_a_holey_bag_is_refused_and_no_address_is_asked(
    shared_depositor: Depositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REJECT: the archive opens no address that a depositor wrote, so there is nothing to forge (SSRF)."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an address was asked")

    monkeypatch.setattr("socket.socket.connect", never)
    monkeypatch.setattr("socket.getaddrinfo", never)
    payload = {"data/a.txt": b"alpha", "data/far.bin": b"far away"}
    source = make_bag(
        tmp_path / "bag", payload=payload, extra={"fetch.txt": b"http://127.0.0.1:1/far.bin 8 data/far.bin\n"}
    )
    (source / "data/far.bin").unlink()
    made = shared_depositor.rejected(source)
    assert set(made.found("bag.fetch-needed")) == {"data/far.bin"}


def test_C4_a_bag_whose_fetch_list_is_fulfilled_is_kept_with_a_warning(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    source = make_bag(tmp_path / "bag", extra={"fetch.txt": b"http://127.0.0.1:1/a 5 data/a.txt\n"})
    made = shared_depositor.accepted(source)
    assert "bag.fetch-not-needed" in made.codes
    aip = shared_depositor.prove_identical(made, originals())
    assert (aip / "metadata/submission/fetch.txt").exists()
    assert not (aip / "fetch.txt").exists()


STYLES = {
    "asterisk": lines({f"*{name}": data for name, data in PAYLOAD.items()}, between=" "),
    "tab": lines(PAYLOAD, between="\t"),
    "crlf": lines(PAYLOAD, end="\r\n"),
    "cr": lines(PAYLOAD, end="\r"),
    "blank line at the end": lines(PAYLOAD) + "\n",
    "no line end": lines(PAYLOAD).rstrip("\n"),
    "upper case": "".join(
        f"{hashlib.sha512(data).hexdigest().upper()}  {name}\n" for name, data in PAYLOAD.items()
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_C5_manifests_of_every_style_are_read_and_checked(
    shared_depositor: Depositor, tmp_path: Path, style: str
) -> None:
    """The same manifest passes over the right bytes and fails over wrong ones: it was really parsed."""
    listed = STYLES[style].encode()
    made = shared_depositor.accepted(make_bag(tmp_path / "right", extra={"manifest-sha512.txt": listed}))
    shared_depositor.prove_identical(made, originals(), zips=False)
    wrong = {"manifest-sha512.txt": listed, "data/sub/b.txt": b"bad!"}
    made = shared_depositor.rejected(make_bag(tmp_path / "wrong", extra=wrong))
    assert set(made.found("bag.payload-corrupt")) == {"data/sub/b.txt"}


@pytest.mark.parametrize("manifest", [b"", b"\n\n", b"# only a remark\n", b"\x00\xff\xfe"])
def test_C5_a_manifest_of_which_nothing_was_parsed_never_passes(
    shared_depositor: Depositor, tmp_path: Path, manifest: bytes
) -> None:
    shared_depositor.rejected(make_bag(tmp_path / "bag", extra={"manifest-sha512.txt": manifest}))


def test_C6_a_wrong_payload_oxum_is_refused(shared_depositor: Depositor, tmp_path: Path) -> None:
    """The source is read once, with all digests, so there is no second reading to save.

    `check` on a folder compares the numbers first too; tests/unit/test_bagit_validate.py shows that a wrong
    Payload-Oxum is found without reading a byte.
    """
    made = shared_depositor.rejected(make_bag(tmp_path / "bag", info="Payload-Oxum: 10.3\n"))
    [found] = made.found("bag.oxum-mismatch").values()
    assert "10.3" in found["message"]
    assert found["path"] == "bag-info.txt"
    made = shared_depositor.rejected(make_bag(tmp_path / "odd", info="Payload-Oxum: many\n"))
    assert "bag.oxum-malformed" in made.codes


@pytest.mark.parametrize("algorithm", ["md5", "sha1"])
def test_C7_a_weak_bag_is_kept_with_stronger_digests_and_a_warning(
    shared_depositor: Depositor, tmp_path: Path, algorithm: str
) -> None:
    made = shared_depositor.accepted(make_bag(tmp_path / "bag", algorithms=(algorithm,)))
    [found] = made.found("bag.digests-weak").values()
    assert found["severity"] == "warning"
    aip = shared_depositor.prove_identical(made, originals())
    assert bag_report(aip).algorithms == ("sha512",)
    described = "".join(each.read_text() for each in (aip / "metadata/files").glob("*.xml"))
    assert hashlib.new(algorithm, b"alpha").hexdigest() in described, "what was supplied is PREMIS fixity"
    made = shared_depositor.rejected(
        make_bag(tmp_path / "wrong", algorithms=(algorithm,), extra={"data/a.txt": b"ALPHA"})
    )
    assert set(made.found("bag.payload-corrupt")) == {"data/a.txt"}


def zipped(target: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(target, "w") as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return target


def test_C8_a_zip_with_the_bag_at_the_top_or_one_level_down(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    """The rule: the bag lies at the top, or fills the only folder there; debris beside it is left out."""
    flat = bag_files()
    debris = {"__MACOSX/._a": b"junk", ".DS_Store": b"junk"}
    for name, files in (
        ("flat", flat),
        ("down", {f"my bag/{path}": data for path, data in flat.items()}),
        ("debris", {f"bäg/{path}": data for path, data in flat.items()} | debris),
    ):
        made = shared_depositor.accepted(zipped(tmp_path / f"{name}.zip", files))
        shared_depositor.prove_identical(made, originals())
        assert made.step("validate")["result"] == "bag"
        assert ("submission.debris-left-out" in made.codes) == (name == "debris")


def test_C8_where_it_is_not_clear_what_is_meant_is_refused_with_a_hint(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    bag = bag_files()
    two = {f"{top}/{path}": data for top in ("one", "two") for path, data in bag.items()}
    made = shared_depositor.rejected(zipped(tmp_path / "two.zip", two))
    assert "submission.several-bags" in made.codes
    beside = {f"one/{path}": data for path, data in bag.items()} | {"letter.txt": b"dear archivist"}
    made = shared_depositor.rejected(zipped(tmp_path / "beside.zip", beside))
    assert "submission.bag-beside-files" in made.codes


LISTED = {"scan.tif": b"scan", "sub/text.txt": b"text"}


@pytest.mark.parametrize(
    ("name", "algorithm"), [("checksums.md5", "md5"), ("SHA256SUMS", "sha256"), ("sha512sum.txt", "sha512")]
)
def test_C9_a_partial_list_is_checked_and_the_rest_is_a_warning(
    shared_depositor: Depositor, tmp_path: Path, name: str, algorithm: str
) -> None:
    files = {**LISTED, name: lines(LISTED, algorithm).encode(), "new.txt": b"n", "more.txt": b"m"}
    made = shared_depositor.accepted(put(tmp_path / "source", files))
    [found] = made.found("checksums.partial").values()
    assert found["message"].startswith("No checksum list names 2 files")
    shared_depositor.prove_identical(made, files)
    with shared_depositor.archive.catalogue.read() as view:
        given = {each.path: set(each.digests) for each in view.iter_files(made.id, 1)}
    theirs = {algorithm} - {"sha512"}  # PREMIS calls only those the depositor's that they gave
    assert [given[f"data/original/{path}"] for path in ("scan.tif", "new.txt")] == [theirs, set()]
    files["scan.tif"] = b"SCAN"
    del files["sub/text.txt"]
    made = shared_depositor.rejected(put(tmp_path / "wrong", files))
    assert set(made.found("checksums.mismatch")) == {"scan.tif"}
    assert set(made.found("checksums.file-missing")) == {"sub/text.txt"}


def test_C9_a_list_of_which_nothing_was_read_is_a_warning(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.accepted(put(tmp_path / "source", {"a.txt": b"a", "checksums.md5": b"nothing\n"}))
    assert "checksums.nothing-read" in made.codes


PROFILE = "BagIt-Profile-Identifier: https://holdfast.example/profiles/sip-1.0.json\n"


def test_C10_a_bag_that_breaks_the_profile_that_it_names_is_refused_by_field(
    shared_depositor: Depositor, tmp_path: Path
) -> None:
    made = shared_depositor.rejected(make_bag(tmp_path / "bag", algorithms=("md5",), info=PROFILE))
    told = "\n".join(each["message"] for each in made.status["findings"])
    for field in ("External-Identifier", "Bagging-Date", "Payload-Oxum", "Manifests-Required"):
        assert field in told
    assert "metadata/record.json" in {each["path"] for each in made.status["findings"]}


def test_C10_an_unknown_profile_is_named_as_not_checked(shared_depositor: Depositor, tmp_path: Path) -> None:
    info = "BagIt-Profile-Identifier: https://example.org/unknown.json\n"
    made = shared_depositor.accepted(make_bag(tmp_path / "bag", info=info))
    assert "profile.not-checked" in made.codes


def test_C10_our_own_sip_of_yesterday_is_welcome_again(shared_depositor: Depositor, tmp_path: Path) -> None:
    """An exported DIP, made by ourselves, is a valid submission."""
    made = shared_depositor.accepted(put(tmp_path / "source", {"a.txt": b"a"}))
    dip = shared_depositor.give_back(made, "dip")
    again = shared_depositor.accepted(dip)
    shared_depositor.prove_identical(again, {"original/a.txt": b"a"})
    assert again.status["title"] == made.status["title"]
