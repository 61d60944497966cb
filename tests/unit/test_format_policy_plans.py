"""Plans of the format policy: one is shared by all files that are alike in what decides."""

from itertools import product

import pytest

from packages import format_policy
from packages.format_policy import Outcome, Plan, default_policy
from packages.model import FileEntry
from packages.outside_tools import OutsideTools

SIDES = (None, 9, 256, 257, 2000, 2001, 5001)
SAID = (
    {},
    {"encoding": "UTF-16LE"},
    {"encoding": "US-ASCII", "fonts_not_embedded": 0},
    {"fonts_not_embedded": 1, "problems": ["a list"]},
    {"encrypted": True, "javascript": False, "xfa": False, "attachments": 0, "fonts_not_embedded": 0},
    {"encrypted": False, "javascript": False, "xfa": False, "attachments": 0, "fonts_not_embedded": 0},
)


def entry(puid: str, size: int = 9, **properties: object) -> FileEntry:
    return FileEntry(f"data/original/a{size}", "", size, "", 0, puid=puid, properties=properties)


def told(plan: Plan) -> tuple[object, object]:
    return plan.actions, plan.left


def test_a_plan_that_is_remembered_is_the_one_that_would_be_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = default_policy().using(OutsideTools(), 2)
    formats = [rule["puids"][0] for rule in policy.data["rules"]]
    files = [entry(puid, size, width=9, height=9) for puid, size in product(formats, (1, 65_536, 65_537))]
    files += [entry(puid, width=side, height=9) for puid, side in product(formats, SIDES)]
    files += [entry(puid, **said) for puid, said in product(formats, SAID)]
    remembered = [(policy.plan(each), policy.plan(each)) for each in files]
    assert all(first is second for first, second in remembered)
    monkeypatch.setattr(format_policy, "MOST_PLANS", 0)
    for file, (plan, _) in zip(files, remembered, strict=True):
        assert told(policy.plan(file)) == told(plan), file


def test_what_one_archive_may_not_use_is_not_remembered_for_another() -> None:
    pdf = entry("fmt/18", fonts_not_embedded=1)
    everything, nothing = (default_policy().using(OutsideTools.parse(each), 2) for each in ("all", "none"))
    assert [each.tool for each in everything.plan(pdf).actions] == ["ghostscript", "pdfium"]
    assert [each.tool for each in nothing.plan(pdf).actions] == ["pdfium"]
    large = everything.using(OutsideTools(), 1001).plan(pdf)
    assert [each.tool for each in large.actions] == ["ghostscript"]
    assert {each.outcome for each in large.left} == {Outcome.NO_RULE, Outcome.SKIPPED}
