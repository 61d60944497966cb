"""The policy's action *unpack*: what a rule may say, and what follows for a file."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.content_paths import content_path
from packages.format_policy import (
    UNPACKED_AT_MOST,
    FormatPolicy,
    Kind,
    Outcome,
    default_policy,
    derivative_name,
    member_name,
)
from packages.format_policy_home import faults_of, merged
from packages.model import FileEntry
from packages.outside_tools import OutsideTools
from services.preservation_planning.policy import rule_json
from tools.normalise.adapters import recipes

OURS = default_policy().data
ARCHIVES = ("x-fmt/263", "x-fmt/265", "x-fmt/266", "x-fmt/268", "fmt/1098", "fmt/484")


def own(**preservation: Any) -> dict[str, Any]:
    return {"rules": [{"name": "archives", "preservation": preservation}]}


def entry(puid: str | None, size: int = 9) -> FileEntry:
    return FileEntry("data/original/a.zip", "", size, "", 0, puid=puid)


@pytest.mark.parametrize("puid", ARCHIVES)
def test_archives_stay_closed_unless_the_home_says_otherwise(puid: str) -> None:
    assert default_policy().unpacking(entry(puid)) is None
    plan = default_policy().plan(entry(puid))
    assert (plan.actions, {each.outcome for each in plan.left}) == ((), {Outcome.NO_RULE})
    policy = FormatPolicy(merged(OURS, own(action="unpack", depth=5)))
    action = policy.using(OutsideTools.parse("none")).unpacking(entry(puid))
    assert action is not None
    assert (action.kind, action.rule, action.unpacks) == (Kind.PRESERVATION, "archives", True)
    assert action.arguments == {**UNPACKED_AT_MOST, "depth": 5}
    assert policy.plan(entry(puid)).actions == (action,)
    assert policy.unpacking(entry(puid, size=0)) is None


def test_what_is_no_archive_is_not_unpacked() -> None:
    policy = FormatPolicy(merged(OURS, own(action="unpack")))
    assert [policy.unpacking(entry(each)) for each in ("fmt/412", "fmt/43", None)] == [None] * 3
    rule = policy.rule("x-fmt/263")
    assert rule is not None
    [shown] = rule_json(policy, rule)["actions"]
    assert (shown["tool"], shown["recipe"], shown["arguments"]) == ("archives", "unpack", UNPACKED_AT_MOST)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"action": "unpack", "depth": 1, "members": 1, "bytes": 1, "ratio": 1}, []),
        ({"action": "unpack", "depth": 0}, ["preservation, depth: 0 is less than the minimum of 1"]),
        ({"action": "unpack", "depth": 21}, ["preservation, depth: 21 is greater than the maximum of 20"]),
        (
            {"action": "unpack", "tool": "unzip"},
            ["preservation: Additional properties are not allowed ('tool' was unexpected)"],
        ),
    ],
)
def test_the_limits_of_a_rule_are_judged(part: dict[str, Any], told: list[str]) -> None:
    found = faults_of(json.dumps(own(**part)).encode(), OURS, recipes)
    assert found == [f"rule “archives”, {each}" for each in told]


@pytest.mark.parametrize("kind", ["access", "thumbnail"])
def test_only_preservation_copies_come_out_of_archives(kind: str) -> None:
    wrong = {"rules": [{"name": "archives", kind: {"action": "unpack"}}]}
    assert faults_of(json.dumps(wrong).encode(), OURS, recipes) != []
    several = {"rules": [{"name": "archives", "preservation": [{"action": "unpack"}]}]}
    assert faults_of(json.dumps(several).encode(), OURS, recipes) != []


NAMES = st.lists(st.sampled_from(["a", "a.zip", "b", "é", "con"]), min_size=1, max_size=4).map("/".join)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_member_bears_the_name_of_another_file(one: str, within: str, other: str, beside: str) -> None:
    """What comes of two files of a deposit never meets, neither as file nor as folder."""
    if one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/"):
        return
    ours = content_path(member_name(one, within))
    for theirs in map(content_path, (member_name(other, beside), derivative_name(other, "png"))):
        assert not f"{ours}/".startswith(f"{theirs}/")
        assert not f"{theirs}/".startswith(f"{ours}/")
