"""A worker makes the copies that no package waited for, and stops when it is told to."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.dispatcher import follow_copies
from packages.ledger import CopyRecord, CopyState
from tests.support.depositor import Depositor
from tests.support.many_stores import archive_with, deposit, states


@pytest.fixture
def depositor(tmp_path: Path) -> Iterator[Depositor]:
    with archive_with(tmp_path) as made:
        yield made


def shop_of(depositor: Depositor) -> Any:
    """What a worker's thread needs to know of its workshop."""
    return SimpleNamespace(archive=depositor.archive, halting=threading.Event())


def test_I5_a_worker_makes_optional_copies_by_itself(depositor: Depositor, tmp_path: Path):
    package_id = deposit(depositor, tmp_path)
    assert states(depositor.archive, package_id)["vault"] == "pending"
    follow_copies(shop_of(depositor))
    assert states(depositor.archive, package_id)["vault"] == "intact"


def test_what_could_not_be_made_is_left_to_reconcile(depositor: Depositor, tmp_path: Path):
    package_id = deposit(depositor, tmp_path)
    with depositor.archive.catalogue.write() as unit:
        unit.set_copy(CopyRecord(package_id, "vault", 1, CopyState.PENDING, None, "no space"))
    follow_copies(shop_of(depositor))
    assert states(depositor.archive, package_id)["vault"] == "pending"


def test_a_worker_that_ends_leaves_the_rest_pending(depositor: Depositor, tmp_path: Path):
    package_id = deposit(depositor, tmp_path)
    shop = shop_of(depositor)
    shop.halting.set()
    follow_copies(shop)
    assert states(depositor.archive, package_id)["vault"] == "pending"
    with depositor.archive.catalogue.read() as view:
        assert all(each.worker is None for each in view.stores())
    shop.halting.clear()
    follow_copies(shop)
    assert states(depositor.archive, package_id)["vault"] == "intact"
