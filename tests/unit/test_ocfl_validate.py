"""Every code of the OCFL specification that can be seen, on objects made wrong on purpose; ocfl-py, too."""

import hashlib
import json
import logging
import os
import re
from pathlib import Path

import pytest
from ocfl.validator import Validator

import schemas
from services.archival_storage.ocfl_validation import Validated, validate_ocfl
from storage.archival import open_store
from tests.support.ocfl_cases import CASES, Case
from tests.support.ocfl_makers import Made, make_root
from tests.support.ocfl_objects import ODD_NAMES, first

FALLS_OVER = "ocfl-py ends with a Python error where it ought to say what is wrong"
ARGUED = {
    "declaration_is_a_folder": FALLS_OVER,
    "no_manifest": FALLS_OVER,
    "logical_path_no_string": FALLS_OVER,
    "content_path_no_string": FALLS_OVER,
    "declaration_without_newline": "§3.2: dvalue “followed by a newline”; ocfl-py strips the text first",
    "older_manifest_lacks_a_file": "§3.7: a version's inventory is one “of all content … up to” it",
    "inventory_with_a_key_twice": "RFC 8259 §4: what it means is unpredictable, so nobody can rely on it",
    "type_of_another_version": "§3.5.1: type is that of the version “matching the … declaration”",
    "unknown_key": "§3.5: “MUST NOT contain any keys not described”; ocfl-py does not look",
    "unknown_key_of_a_version": "§3.5, as for unknown_key",
    "fixity_misspelt": "§3.5, as for unknown_key",
    "good_with_fixity_of_extension_0009": "§3.5.4 admits a “table given in an Extension”, as 0009 has",
}
"""Where ocfl-py 2.1.0 says otherwise, and what the specification says."""


def validated(place: Path, **options: bool) -> Validated:
    return validate_ocfl(str(place), **options)


def codes(found: Validated) -> set[str]:
    return {each.code for each in found.findings}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_object(case: Case, tmp_path: Path) -> None:
    made = case.make()
    case.change(made)
    place = made.write(tmp_path / "object")
    found = validated(place)
    assert codes(found) == case.codes, [(each.code, each.path, each.message) for each in found.findings]
    assert found.kind == "object"
    right = not any(code.startswith("E") for code in case.codes)
    assert (found.verdict == "valid") is right
    theirs = ocfl_py(place)
    if case.name in ARGUED:
        assert theirs is not right, f"ocfl-py agrees by now: {ARGUED[case.name]}"
    else:
        assert theirs is right


def ocfl_py(place: Path) -> object:
    """Return whether ocfl-py finds the object valid, or the name of the error that it ends with."""
    logging.getLogger().setLevel(logging.ERROR)
    try:
        return Validator().validate_object(str(place))
    except Exception as error:  # noqa: BLE001  # it falls over some of these
        return type(error).__name__


def test_each_argued_difference_is_a_case() -> None:
    assert set(ARGUED) <= {case.name for case in CASES}


# --- storage roots ---

LAYOUT = {"extension": "0004-hashed-n-tuple-storage-layout", "description": "hashed"}


def place_0004(object_id: str) -> str:
    name = hashlib.sha256(object_id.encode()).hexdigest()
    return f"{name[:3]}/{name[3:6]}/{name[6:9]}/{name}"


@pytest.mark.parametrize(
    ("expected", "files", "objects"),
    [
        ("", {}, {"a/b": "urn:x:1", "a/c": "urn:x:2"}),
        ("", {"README.md": b"anything", "ocfl_1.1.md": b"spec"}, {"a": "urn:x:1"}),
        ("", {"ocfl_layout.json": json.dumps(LAYOUT).encode()}, {place_0004("urn:x:1"): "urn:x:1"}),
        ("E083", {"ocfl_layout.json": json.dumps(LAYOUT).encode()}, {"elsewhere": "urn:x:1"}),
        ("E037", {}, {"a": "urn:x:1", "b": "urn:x:1"}),
        ("E075", {"0=ocfl_1.1": None, "0=ocfl_1.1/x": b""}, {"a": "urn:x:1"}),
        ("E069 E076", {"0=ocfl_1.1": None, "ocfl_layout.json": json.dumps(LAYOUT).encode()}, {}),
        ("E076", {"0=ocfl_1.0": b"ocfl_1.0\n"}, {"a": "urn:x:1"}),
        ("E069 E076 E077", {"0=ocfl_1.1": None, "0_ocfl_1.1": b"ocfl_1.1\n"}, {"a": "urn:x:1"}),
        ("E069 E076 E078", {"0=ocfl_1.1": None, "1=ocfl_1.1": b"ocfl_1.1\n"}, {"a": "urn:x:1"}),
        ("E069 E076 E079", {"0=ocfl_1.1": None, "0=ocfl_9.9": b"ocfl_9.9\n"}, {"a": "urn:x:1"}),
        ("E080", {"0=ocfl_1.1": b"ocfl_1.1"}, {"a": "urn:x:1"}),
        ("E070", {"ocfl_layout.json": b"[]"}, {"a": "urn:x:1"}),
        ("E070", {"ocfl_layout.json": b'{"extension": "0002-flat-direct-storage-layout"}'}, {"a": "urn:x:1"}),
        ("E071", {"ocfl_layout.json": b'{"extension": "own", "description": ""}'}, {"a": "urn:x:1"}),
        ("E072 E084", {"a/stray.txt": b"x"}, {"a/b": "urn:x:1"}),
        ("E072 E085 E088", {"b/stray.txt": b"x"}, {"a": "urn:x:1"}),
        ("E073", {"a/empty/": None}, {"a/b": "urn:x:1"}),
        ("E112", {"extensions/readme.txt": b"x"}, {"a": "urn:x:1"}),
        ("W016", {"extensions/own/config.json": b"{}"}, {"a": "urn:x:1"}),
        ("W014", {}, {"a/b": "urn:x:1", "b/c/d": "urn:x:2"}),
        ("W015", {}, {"a": "urn:x:1", "b/c": "urn:x:2"}),
        ("E003 E063", {"a/0=ocfl_object_9": b"x"}, {"b": "urn:x:1"}),
    ],
)  # fmt: skip  # a table
def test_root(expected: str, files: dict[str, bytes | None], objects: dict[str, str], tmp_path: Path) -> None:
    place = make_root(tmp_path / "root", {path: Made(object_id=each) for path, each in objects.items()})
    for name, data in files.items():
        if name.endswith("/"):
            (place / name).mkdir(parents=True)
        elif data is None:
            (place / name).unlink()
        else:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
    found = validated(place)
    assert found.kind == "root"
    assert codes(found) - {"E006"} == set(expected.split()), [
        (each.code, each.path) for each in found.findings
    ]
    assert found.objects >= len(objects)
    assert (found.verdict == "valid") is not any(each.startswith("E") for each in codes(found))


def test_an_object_newer_than_its_root_and_links_in_the_hierarchy(tmp_path: Path) -> None:
    place = make_root(tmp_path / "root", {"a": Made()}, spec="1.0")
    (place / "link").symlink_to("a")
    assert codes(validated(place)) == {"E081", "E090"}


def test_a_root_that_is_an_object_too(tmp_path: Path) -> None:
    place = make_root(tmp_path / "root", {"a": Made()})
    (place / "0=ocfl_object_1.1").write_text("ocfl_object_1.1\n")
    assert "E082" in codes(validated(place))


def test_every_code_that_can_be_seen_has_a_case() -> None:
    here = {code for case in CASES for code in case.codes}
    roots = set(re.findall(r"\b[EW][0-9]{3}\b", Path(__file__).read_text(encoding="utf-8")))
    entries = schemas.load("ocfl-codes.json")
    assert {code for code, entry in entries.items() if "unseen" not in entry} - here - roots == set()
    assert here & {code for code, entry in entries.items() if "unseen" in entry} == set()
    numbers = {int(code[1:]) for code in entries if code.startswith("E")}
    assert set(range(1, 113)) - numbers == {65, 68, 86, 91, 109}, "those that the specification has not"
    assert {int(code[1:]) for code in entries if code.startswith("W")} == set(range(1, 17)) - {6}


# --- what else it does ---


def test_strict_fails_on_warnings_and_no_digests_reads_no_content(tmp_path: Path) -> None:
    made = Made(object_id="42")
    made.files["v1/content/a.txt"] = b"First\n"
    place = made.write(tmp_path / "object")
    found = validated(place, digests=False)
    assert (codes(found), found.verdict, found.digests) == ({"W005"}, "valid", False)
    assert validated(place, digests=False, strict=True).verdict == "invalid"
    assert codes(validated(place)) == {"W005", "E092"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_unchecked(tmp_path: Path) -> None:
    place = Made().write(tmp_path / "object")
    (place / "v1/content/a.txt").chmod(0)
    found = validated(place)
    assert found.verdict == "unchecked"
    assert "a.txt" in found.reason


def test_what_is_not_there_or_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("absent", "file"):
        found = validated(tmp_path / name)
        assert (found.verdict, found.kind) == ("invalid", None)
        assert found.reason


def test_a_store_that_is_no_folder(tmp_path: Path) -> None:
    store = open_store("m", "memory://test-ocfl-validate")
    store.prepare("archive-1")
    store.publish(first(tmp_path / "s", {name: name.encode() for name in ODD_NAMES}))
    found = validate_ocfl("memory://test-ocfl-validate")
    assert (found.verdict, found.objects, codes(found)) == ("valid", 1, {"W016"})


def test_a_million_faults_are_counted_not_kept(tmp_path: Path) -> None:
    made = Made()
    made.version({f"{each}": b"x" for each in range(1_500)})
    made.files.clear()
    made.files |= {f"v1/content/other/{each}": b"x" for each in range(1_500)}
    found = validated(made.write(tmp_path / "object"))
    counted = [each for each in found.findings if each.code == "findings.more"]
    assert len(counted) == 1
    assert "500" in counted[0].message


@pytest.mark.parametrize(
    "config",
    [
        {"numberOfTuples": 10**12},
        {"tupleSize": -1},
        {"numberOfTuples": 1.0},
        {"digestAlgorithm": []},
        {"digestAlgorithm": {}, "tupleSize": []},
    ],
)
def test_a_layout_that_asks_for_the_impossible_judges_no_place(config: object, tmp_path: Path) -> None:
    place = make_root(tmp_path / "root", {"a": Made(object_id="urn:x:1")})
    (place / "ocfl_layout.json").write_text(json.dumps(LAYOUT))
    folder = place / "extensions" / LAYOUT["extension"]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    assert codes(validated(place)) == set()


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_pipe_or_a_link_in_place_of_the_layout_is_named_and_never_opened(kind: str, tmp_path: Path) -> None:
    place = make_root(tmp_path / "root", {"a": Made(object_id="urn:x:1")})
    if kind == "pipe":
        os.mkfifo(place / "ocfl_layout.json")
    else:
        (place / "ocfl_layout.json").symlink_to("/etc/hostname")
    found = validated(place)
    assert (codes(found), found.objects) == ({"E090"}, 1)


def test_a_pipe_in_place_of_a_file_of_a_store_reads_as_empty_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "inventory.json")
    with open_store("store", tmp_path.as_uri()).medium.open("inventory.json") as stream:
        assert stream.read() == b""
