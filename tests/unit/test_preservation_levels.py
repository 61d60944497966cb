"""The NDSA levels follow from facts: each fact that is missing costs the level that asks for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.preservation_levels import Care, Holding, State, levels

CARE = Care(
    packages=7,
    copies=21,
    never_read=0,
    damaged=0,
    oldest="2026-11-01T00:00:00.000000Z",
    interval_days=90,
    overdue=(),
    scans=True,
    unscanned=0,
    today="2026-11-21",
)
BEST = [
    Holding("primary", "disk 1", True, "Bergen", "disk", "the archive", "flood", "2031-01-01"),
    Holding("copy", "disk 2", True, "Oslo", "disk", "the university", "fire", "2030-01-01"),
    Holding("vault", "bucket", True, "Tromsø", "tape", "a company", "insolvency", "2035-01-01"),
]


def missing(column):
    return [(each.level, each.missing) for each in column.lines if each.state is State.UNMET]


def test_everything_said_and_done_is_level_four():
    storage, integrity = levels(BEST, CARE)
    assert (storage.level, integrity.level) == (4, 4)
    assert [each.says for each in integrity.lines if each.state is State.UNSEEN] == [
        "write-blockers are used with original media"
    ]


def test_a_new_archive_with_two_folders_on_one_disk_has_no_level():
    stores = [Holding("primary", "disk 1", True), Holding("copy", "disk 1", True)]
    storage, _ = levels(stores, CARE)
    assert storage.level == 0
    assert missing(storage)[0] == (1, "1 more complete on a device of its own")
    assert (1, "medium of primary, copy") in missing(storage)


def test_two_copies_on_one_device_count_as_one():
    storage, _ = levels([BEST[0], replace(BEST[1], device="disk 1"), BEST[2]], CARE)
    assert storage.level == 1
    assert (2, "1 more complete on a device of its own") in missing(storage)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"place": ""}, 0),
        ({"medium": ""}, 0),
        ({"is_complete": False}, 1),
        ({"operator": ""}, 1),
        ({"disaster": ""}, 2),
        ({"replace_by": ""}, 2),
        ({"disaster": " Flood"}, 3),
        ({"replace_by": "2026-11-20"}, 3),
    ],
)
def test_each_missing_fact_of_storage_costs_its_level(change, level):
    storage, _ = levels([BEST[0], BEST[1], replace(BEST[2], **change)], CARE)
    assert storage.level == level
    assert all(line.missing for line in storage.lines if line.state is State.UNMET)


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"scans": False}, 0),
        ({"unscanned": 2}, 0),
        ({"never_read": 1}, 1),
        ({"overdue": ("copy",)}, 2),
        ({"oldest": None}, 2),
        ({"damaged": 3}, 3),
        ({"packages": 0, "copies": 0, "oldest": None}, 1),
    ],
)
def test_each_missing_fact_of_integrity_costs_its_level(change, level):
    _, integrity = levels(BEST, replace(CARE, **change))
    assert integrity.level == level


FACT = st.sampled_from(["", "A", "B", "C"])
STORES = st.lists(
    st.builds(
        Holding,
        name=st.sampled_from(["primary", "copy", "vault"]),
        device=st.sampled_from(["1", "2", "3"]),
        is_complete=st.booleans(),
        place=FACT,
        medium=FACT,
        operator=FACT,
        disaster=FACT,
        replace_by=st.sampled_from(["", "2020-01-01", "2040-01-01"]),
    ),
    max_size=5,
)


@given(STORES, st.integers(0, 4), st.sampled_from(["place", "medium", "operator", "disaster", "replace_by"]))
def test_saying_less_never_raises_a_level(stores, at, fact):
    before, _ = levels(stores, CARE)
    silenced = [replace(each, **{fact: ""}) if i == at else each for i, each in enumerate(stores)]
    if fact != "replace_by":  # a date that is past counts against the level; saying none does so earlier
        assert levels(silenced, CARE)[0].level <= before.level
    assert levels([], CARE)[0].level == 0
