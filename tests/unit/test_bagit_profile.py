"""BagIt profiles: each field of the specification is held, and what breaks it is named by its field."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from packages.bagit.profile import check_profile
from packages.bagit.profile_document import parse_profile
from packages.bagit.validate import validate_bag
from packages.errors import Invalid
from schemas import load
from tests.support.bags import make_bag
from tests.support.folders import FolderSubmission
from tests.unit.test_bagit_write import PROFILE, write_bag

OURS = "https://example.org/profile-1.0.json"
LEAST: dict[str, Any] = {
    "BagIt-Profile-Info": {
        "BagIt-Profile-Identifier": OURS,
        "BagIt-Profile-Version": "1.4.0",
        "Source-Organization": "Harbour Museum",
        "External-Description": "What the museum sends.",
        "Version": "1.0",
    },
    "Accept-BagIt-Version": ["0.97", "1.0"],
}
NAMED = f"BagIt-Profile-Identifier: {OURS}\n"


def violations(
    root: Path, profile: Mapping[str, object] = PROFILE, **more: str
) -> list[tuple[str, str | None]]:
    submission = FolderSubmission(root)
    found = check_profile(profile, validate_bag(submission), submission, **more)
    assert all(each.hint for each in found)
    return [(each.code, each.path) for each in found]


@pytest.mark.parametrize(
    "field", ["External_Identifier", "Bagging_Date", "Payload_Oxum", "BagIt_Profile_Identifier"]
)
def test_C10_a_missing_tag_is_named(tmp_path: Path, field: str) -> None:
    root = write_bag(tmp_path, {"data/a": b"a"}, **{field: None})
    submission = FolderSubmission(root)
    found = check_profile(PROFILE, validate_bag(submission), submission)
    assert [each.code for each in found] == ["profile.tag-missing"]
    assert field.replace("_", "-") in found[0].message


def test_C10_every_violation_at_once(tmp_path: Path) -> None:
    root = write_bag(tmp_path, {"data/a": b"a"}, BagIt_Profile_Identifier="other", Payload_Oxum="1.1")
    with (root / "bag-info.txt").open("a") as stream:
        stream.write("Bagging-Date: 2031-01-02\n")
    (root / "manifest-md5.txt").write_text("0cc175b9c0f1b6a831c399e269772661  data/a\n")
    (root / "tagmanifest-sha512.txt").unlink()
    (root / "metadata/record.json").unlink()
    (root / "notes.txt").write_text("x")
    (root / "fetch.txt").write_text("http://127.0.0.1:9/a 1 data/a\n")
    (root / "bagit.txt").write_text("BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")
    assert sorted(violations(root, serialization="application/x-rar"), key=str) == [
        ("profile.fetch", "fetch.txt"),
        ("profile.file-missing", "metadata/record.json"),
        ("profile.file-not-allowed", "notes.txt"),
        ("profile.manifest-missing", None),
        ("profile.manifest-not-allowed", "manifest-md5.txt"),
        ("profile.serialization-accepted", None),
        ("profile.tag-repeated", "bag-info.txt"),
        ("profile.tag-value", "bag-info.txt"),
        ("profile.version", "bagit.txt"),
    ]


def test_C10_a_foreign_profile_with_payload_rules(tmp_path: Path) -> None:
    root = write_bag(tmp_path, {"data/a.txt": b"a", "data/b.exe": b"b"})
    profile = {
        "BagIt-Profile-Info": {},
        "Payload-Files-Required": ["data/index.xml"],
        "Payload-Files-Allowed": ["data/*.txt"],
        "Fetch.txt-Required": True,
        "Data-Empty": True,
        "Serialization": "required",
    }
    assert violations(root, profile) == [
        ("profile.serialization", None),
        ("profile.file-missing", "data/index.xml"),
        ("profile.file-not-allowed", "data/b.exe"),
        ("profile.file-missing", "fetch.txt"),
        ("profile.payload-not-empty", "data"),
    ]


# Each row: what the profile says, what is in the bag beside, and the (code, field) that is found.
FIELDS: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    ({}, {}, []),
    ({"Bag-Info": {"Contact-Name": {}}}, {}, []),
    ({"Bag-Info": {"Contact-Name": {"required": True}}}, {}, [("tag-missing", "Contact-Name")]),
    ({"Bag-Info": {"Contact-Name": {"recommended": True}}}, {}, [("tag-recommended", "Contact-Name")]),
    ({"Bag-Info": {"X": {"repeatable": False}}}, {"info": NAMED + "X: 1\nx: 2\n"}, [("tag-repeated", "X")]),
    ({"Bag-Info": {"X": {"values": ["1", "2"]}}}, {"info": NAMED + "X: 3\n"}, [("tag-value", "X")]),
    ({}, {"info": "A: b\n"}, [("tag-missing", "BagIt-Profile-Identifier")]),
    ({}, {"info": NAMED.replace("1.0", "9")}, [("tag-value", "BagIt-Profile-Identifier")]),
    ({}, {"info": NAMED + NAMED.replace("1.0", "9")}, []),
    ({"Manifests-Required": ["sha512"]}, {}, []),
    ({"Manifests-Required": ["SHA-512"]}, {}, []),
    ({"Manifests-Required": ["md5"]}, {}, [("manifest-missing", "Manifests-Required")]),
    ({"Manifests-Allowed": ["md5"]}, {}, [("manifest-not-allowed", "Manifests-Allowed")]),
    ({"Tag-Manifests-Required": ["sha512"]}, {}, [("manifest-missing", "Tag-Manifests-Required")]),
    (
        {"Tag-Manifests-Allowed": ["sha256"]},
        {"extra": {"tagmanifest-md5.txt": b""}},
        [("manifest-not-allowed", "Tag-Manifests-Allowed")],
    ),
    ({"Tag-Files-Required": ["a/b.txt"]}, {}, [("file-missing", "Tag-Files-Required")]),
    ({"Tag-Files-Required": ["a/*.txt"]}, {"extra": {"a/b.txt": b""}}, []),
    ({"Tag-Files-Allowed": ["a/*"]}, {"extra": {"a/b/c": b""}}, []),
    ({"Tag-Files-Allowed": ["a/*"]}, {"extra": {"b/c": b""}}, [("file-not-allowed", "Tag-Files-Allowed")]),
    ({"Tag-Files-Allowed": []}, {}, []),
    ({"Payload-Files-Required": ["data/a.txt", "data/sub/"]}, {}, []),
    ({"Payload-Files-Required": ["data/none/"]}, {}, [("file-missing", "Payload-Files-Required")]),
    ({"Payload-Files-Allowed": ["data/a.txt", "data/sub/"]}, {}, []),
    ({"Payload-Files-Allowed": ["data/a.txt"]}, {}, [("file-not-allowed", "Payload-Files-Allowed")]),
    ({"Allow-Fetch.txt": False}, {"extra": {"fetch.txt": b""}}, [("fetch", "Allow-Fetch.txt")]),
    ({"Fetch.txt-Required": True}, {}, [("file-missing", "Fetch.txt-Required")]),
    ({"Data-Empty": True}, {}, [("payload-not-empty", "Data-Empty")]),
    ({"Data-Empty": True}, {"payload": {"data/.keep": b""}}, []),
    ({"Accept-BagIt-Version": ["0.97"]}, {}, [("version", "Accept-BagIt-Version")]),
    (
        {"Serialization": "required", "Accept-Serialization": ["application/zip"]},
        {},
        [("serialization", "Serialization")],
    ),
]


@pytest.mark.parametrize(("says", "bag", "expected"), FIELDS)
def test_C10_each_field_is_held_and_named(
    tmp_path: Path, says: dict[str, Any], bag: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    root = make_bag(tmp_path / "bag", **{"info": NAMED, **bag})
    submission = FolderSubmission(root)
    profile = parse_profile(json.dumps(LEAST | says).encode())
    found = check_profile(profile, validate_bag(submission), submission)
    assert [each.code for each in found] == [f"profile.{code}" for code, _ in expected]
    for each, (_, field) in zip(found, expected, strict=True):
        assert field in each.message


@pytest.mark.parametrize(
    ("wish", "came", "code"),
    [
        ("forbidden", None, None),
        ("forbidden", "application/zip", "profile.serialization"),
        ("optional", None, None),
        ("optional", "application/zip", None),
        ("required", "application/x-tar", None),
        ("required", "application/gzip", "profile.serialization-accepted"),
    ],
)
def test_C10_serialization(tmp_path: Path, wish: str, came: str | None, code: str | None) -> None:
    accepted = ["application/x-zip-compressed", "application/tar"]
    says = {"Serialization": wish, "Accept-Serialization": accepted}
    submission = FolderSubmission(make_bag(tmp_path / "bag", info=NAMED))
    found = check_profile(LEAST | says, validate_bag(submission), submission, serialization=came)
    assert [each.code for each in found] == ([code] if code else [])


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"BagIt-Profile-Info": {}}, "BagIt-Profile-Info/Version"),
    ({"BagIt-Profile-Info": None}, "BagIt-Profile-Info"),
    ({"Accept-BagIt-Version": []}, "Accept-BagIt-Version"),
    ({"Serialization": "sometimes"}, "Serialization"),
    ({"Serialization": "required"}, "Accept-Serialization"),
    ({"Manifests-Required": "md5"}, "Manifests-Required"),
    ({"Manifests-Required": ["md5"], "Manifests-Allowed": ["sha512"]}, "Manifests-Allowed"),
    ({"Tag-Files-Required": ["a"], "Tag-Files-Allowed": ["b*"]}, "Tag-Files-Allowed"),
    ({"Tag-Files-Allowed": [7]}, "Tag-Files-Allowed"),
    ({"Data-Empty": "true"}, "Data-Empty"),
    ({"Allow-Fetch.txt": False, "Fetch.txt-Required": True}, "Fetch.txt-Required"),
    ({"Bag-Info": []}, "Bag-Info"),
    ({"Bag-Info": {"X": []}}, "Bag-Info/X"),
    ({"Bag-Info": {"X": {"required": "yes"}}}, "Bag-Info/X/required"),
    ({"Bag-Info": {"X": {"values": "a"}}}, "Bag-Info/X/values"),
]


@pytest.mark.parametrize(("says", "field"), BROKEN)
def test_C10_what_is_wrong_with_a_profile_is_named_by_field(says: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_profile(json.dumps(LEAST | says).encode(), "profile.json")
    assert {each.code for each in caught.value.findings} == {"profile.field"}
    assert any(f"its {field} " in each.message for each in caught.value.findings)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"a": ' + b" " * (1 << 20) + b"1}"])
def test_C10_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse_profile(data)
    assert [each.code for each in caught.value.findings] == ["profile.not-a-profile"]


def test_our_own_profile_is_one() -> None:
    assert parse_profile(json.dumps(load("bagit-profile.json")).encode()) == PROFILE
