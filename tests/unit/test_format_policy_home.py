"""The home's own format policy: merged by rule, and judged with every fault named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas
from packages.errors import Invalid
from packages.format_policy import FormatPolicy, Kind, Outcome, Plan, default_policy, parts_of
from packages.format_policy_home import faults_of, merged
from packages.model import FileEntry
from packages.outside_tools import OutsideTools
from services.preservation_planning.policy import NAME, format_policy
from tools.normalise.adapters import recipes

JPEG = {"action": "make", "tool": "pillow", "recipe": "jpeg", "arguments": {"max_side": 100}}
OURS = default_policy().data


def faults(own: Any) -> list[str]:
    return faults_of(json.dumps(own).encode(), OURS, recipes)


def test_our_own_policy_has_no_faults() -> None:
    Draft202012Validator(schemas.load("format-policy.schema.json")).validate(OURS)
    assert faults({"rules": []}) == []


def test_a_rule_of_the_home_changes_the_fields_that_it_gives() -> None:
    own = {"rules": [{"name": "uncommon rasters", "thumbnail": None, "access": JPEG}]}
    assert faults(own) == []
    policy = FormatPolicy(merged(OURS, own))
    ours, rule = default_policy().rule("fmt/116"), policy.rule("fmt/116")
    assert ours is not None
    assert rule is not None
    assert (rule["puids"], rule["preservation"]) == (ours["puids"], ours["preservation"])
    assert (rule["access"], parts_of(rule, Kind.THUMBNAIL)) == (JPEG, [])


def test_a_format_that_the_home_names_belongs_to_that_rule_alone() -> None:
    own = {
        "version": "7",
        "limits": {"seconds": 5},
        "rules": [{"name": "mine", "puids": ["fmt/116", "fmt/1"]}],
    }
    assert faults(own) == []
    policy = FormatPolicy(merged(OURS, own), "0123456789abcdef")
    mine, theirs = policy.rule("fmt/116"), policy.rule("fmt/115")
    assert mine is not None
    assert theirs is not None
    assert (mine["name"], policy.rule("fmt/1")) == ("mine", mine)
    assert "fmt/116" not in theirs["puids"]
    assert (policy.name, policy.limits.seconds) == ("7+0123456789ab", 5)
    assert policy.limits.max_pixels == default_policy().limits.max_pixels


SOUND = {"fonts_not_embedded": 0, "encrypted": False, "javascript": False, "xfa": False, "attachments": 0}


@pytest.mark.parametrize(
    "lack",
    [
        {"fonts_not_embedded": 1}, {"encrypted": True}, {"javascript": True}, {"xfa": True},
        {"attachments": 2}, {"problems": 1}, {"objects_judged": 20_000}, {"fonts_not_embedded": None},
    ],
)  # fmt: skip  # a table
def test_a_sound_pdf_is_left_alone_and_no_other(lack: dict[str, Any]) -> None:
    def pdf(properties: dict[str, Any]) -> Plan:
        return default_policy().plan(
            FileEntry("data/original/a.pdf", "", 9, "", 0, puid="fmt/18", properties=properties)
        )

    (left,) = (each for each in pdf(SOUND).left if each.kind is Kind.PRESERVATION)
    assert left.outcome is Outcome.SKIPPED
    assert left.message == "It carries all its fonts and holds nothing active."
    assert Kind.PRESERVATION in {each.kind for each in pdf(SOUND | lack).actions}


@pytest.mark.parametrize(("files", "drawn"), [(0, True), (1_000, True), (1_001, False)])
def test_pages_are_drawn_only_where_somebody_might_look_at_all_of_them(files: int, *, drawn: bool) -> None:
    policy = default_policy().using(OutsideTools(), files)
    plan = policy.plan(FileEntry("data/original/a.pdf", "", 9, "", 0, puid="fmt/18", properties=SOUND))
    assert (Kind.THUMBNAIL in {each.kind for each in plan.actions}) is drawn
    why = [each.message for each in plan.left if each.kind is Kind.THUMBNAIL]
    assert why == ([] if drawn else ["The policy makes them in packages of at most 1,000 files."])


@pytest.mark.parametrize(
    ("puid", "properties", "recipes"),
    [
        ("fmt/132", {"audio_streams": 1}, ["audio-lossless", "audio-access"]),
        ("fmt/132", {"video_streams": 1}, ["video-lossless", "video-access", "still"]),
        ("fmt/569", {"container": "Matroska", "audio_streams": 1}, ["audio-access"]),
        ("fmt/569", {"container": "Matroska", "video_streams": 2}, ["video-access", "still"]),
        ("fmt/569", {}, ["video-access", "still"]),
    ],
)
def test_what_is_in_a_container_decides_what_is_made(
    puid: str, properties: dict[str, Any], recipes: list[str]
) -> None:
    entry = FileEntry("data/original/a", "", 9, "", 0, puid=puid, properties=properties)
    assert [each.recipe for each in default_policy().plan(entry).actions] == recipes


def test_a_rule_of_the_home_spares_files_by_their_properties() -> None:
    part = {**JPEG, "unless": {"width": [1, 2], "icc_profile": [None]}}
    own = {"rules": [{"name": "mine", "puids": ["fmt/116"], "access": part}]}
    assert faults(own) == []
    policy = FormatPolicy(merged(OURS, own))
    (action,) = policy.actions(policy.rule("fmt/116") or {})
    assert action.condition == "unless width is 1 or 2, icc_profile is not there"
    (left,) = (
        each
        for each in policy.plan(
            FileEntry("a", "", 9, "", 0, puid="fmt/116", properties={"width": 2, "height": 5})
        ).left
        if each.kind is Kind.ACCESS
    )
    assert left.message == "The original will do: width 2, icc_profile none."


@given(st.sets(st.sampled_from([p for rule in OURS["rules"] for p in rule["puids"]])))
def test_whatever_formats_the_home_takes_each_has_one_rule(taken: set[str]) -> None:
    policy = FormatPolicy(merged(OURS, {"rules": [{"name": "mine", "puids": sorted(taken)}]}))
    for rule in OURS["rules"]:
        for puid in rule["puids"]:
            found = policy.rule(puid)
            assert found is not None
            assert found["name"] == ("mine" if puid in taken else rule["name"])


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ([], ["the whole: [] is not of type 'object'"]),
        ({"rules": [{"name": "x"}]}, ["the rule “x” is new and names no formats (puids)"]),
        (
            {"rules": [{"name": "x", "puids": ["fmt/1"]}, {"name": "y", "puids": ["fmt/1"]}]},
            ["fmt/1 is in the rules “x” and “y”"],
        ),
        (
            {"rules": [{"name": "x", "puids": ["fmt/1"]}, {"name": "x", "puids": []}]},
            ["there are two rules “x”"],
        ),
        (
            {"rules": [{"name": "x", "puids": ["bmp"], "access": {"action": "make", "tool": "pillow"}}]},
            [
                "rule “x”, access: 'recipe' is a required property",
                "rule “x”, puids, 0: 'bmp' does not match '^(x-)?(fmt|sfw|chr)/[0-9]+$'",
            ],
        ),
        (
            {"rules": [{"name": "x", "puids": [], "access": {**JPEG, "arguments": {"max_side": 1}}}]},
            ["rule “x”, access, arguments: 1 is less than the minimum of 16"],
        ),
        (
            {
                "rules": [
                    {"name": "x", "puids": [], "access": {**JPEG, "recipe": "gif"}},
                    {"name": "y", "puids": [], "preservation": {**JPEG, "tool": "paint"}},
                ]
            },
            [
                "rule “x”, access: pillow has no recipe “gif”; it has jpeg, lossless",
                "rule “y”, preservation: there is no tool “paint”",
            ],
        ),
        (
            {"rules": [{"name": "x", "puids": [], "access": [JPEG, JPEG]}]},
            ["rule “x”, access: two copies could have one name; give one of them a label"],
        ),
        (
            {"rules": [{"name": "x", "puids": [], "access": {**JPEG, "within": {"pixels": 1}}}]},
            ["rule “x”, access: “within” names pixels, which is no check of it"],
        ),
        (
            {
                "rule": [],
                "rules": [
                    {"name": "x", "puids": ["bmp"]},
                    {"name": "y"},
                    {"name": "z", "puids": [], "access": {**JPEG, "tool": "paint"}},
                ],
            },
            [
                "the whole: Additional properties are not allowed ('rule' was unexpected)",
                "rule “x”, puids, 0: 'bmp' does not match '^(x-)?(fmt|sfw|chr)/[0-9]+$'",
                "the rule “y” is new and names no formats (puids)",
                "rule “z”, access: there is no tool “paint”",
            ],
        ),
    ],
)
def test_every_fault_is_named_with_its_rule(own: Any, told: list[str]) -> None:
    assert faults(own) == told


def test_a_home_without_rules_has_ours_and_a_wrong_one_none(tmp_path: Path) -> None:
    assert format_policy(tmp_path) is default_policy()
    own = tmp_path / NAME
    for text in ("{", "[" * 100_000):
        own.write_text(text, "utf-8")
        with pytest.raises(Invalid, match="it is not JSON"):
            format_policy(tmp_path)
    own.write_text('{"version": "mine", "rules": []}', "utf-8")
    assert format_policy(tmp_path).name.startswith("mine+")
