"""Filling a store is killed at any instant, and goes on: nothing is lost, doubled, or copied twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from packages.premis import package_urn
from services.archival_storage import copies, stores
from services.data_management.reconcile import reconcile
from storage.archival.medium import STAGING
from storage.ports import Verdict
from tests.conftest import PROJECT
from tests.support.many_stores import archive_with, deposit, states

FILL = """
import sys
from pathlib import Path
from services.archival_storage import copies
from services.archive import open_archive
from services.administration.people import local_actor
copies.CHUNK = 2
archive = open_archive(Path(sys.argv[1]))
copies.fill(archive, local_actor(archive), "vault")
"""
PACKAGES = 5


def killed_after(home: Path, vault: Path, objects: int) -> bool:
    """Fill in a process of its own, kill it once the vault has so many objects; False if it ended before."""
    process = subprocess.Popen([sys.executable, "-c", FILL, str(home)], cwd=PROJECT, env=os.environ)
    while process.poll() is None and len(whole(vault)) < objects:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def whole(vault: Path) -> dict[Path, int]:
    """Return the objects that are published in the vault, each with what a second copying would change."""
    # os.walk passes over folders that go while it looks: the filling moves them.
    found = [Path(folder) / name for folder, _, names in os.walk(vault) for name in names]
    objects = [each for each in found if each.name == "0=ocfl_object_1.1" and STAGING not in str(each)]
    return {each: each.stat().st_ino for each in objects if each.exists()}


def test_a_fill_survives_sigkill(tmp_path: Path):
    with archive_with(tmp_path, ["primary", "copy"], "") as depositor:
        archive, vault = depositor.archive, tmp_path / "disks" / "vault"
        ids = [deposit(depositor, tmp_path, number) for number in range(PACKAGES)]
        stores.add(archive, depositor.actor, "vault", f"file://{vault}", {})
        before: dict[Path, int] = {}
        for objects in (1, 3):
            assert killed_after(archive.home, vault, objects)
            now_there = whole(vault)
            assert before.items() <= now_there.items(), "what was there was copied again"
            before = now_there
        done = copies.fill(archive, depositor.actor, "vault")
        assert (done.failed, done.left) == ([], 0)
        assert before.items() <= whole(vault).items()
        assert len(whole(vault)) == PACKAGES

        reconciled = reconcile(archive, depositor.actor)
        assert not reconciled.disagreements
        assert not list((vault / STAGING).iterdir())
        for each in ids:
            assert states(archive, each)["vault"] == "intact"
            assert archive.stores["vault"].verify(package_urn(each)).verdict is Verdict.INTACT
            with archive.catalogue.read() as view:
                notes = [event.note for event in view.events(each) if event.type == "replication"]
            assert notes == ["copy", "vault"]
