"""Several writers of one store in S3: races, leases, processes that die or fork."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from packages.errors import Conflict, NotFound, Unavailable
from packages.ocfl.segments import own_folder
from storage.archival.medium import STAGING, Pace
from storage.archival.s3 import S3Medium
from storage.archival.s3_connection import Connection
from storage.archival.s3_transfer import MIB
from storage.ports import StagedVersion
from tests.support.ocfl_objects import OBJECT
from tests.support.s3_media import medium, medium_at, s3, uploads
from tests.support.s3_server import Server
from tests.support.two_stores import FILES, Two, is_clean
from tests.support.waiting import until

__all__ = ["medium", "s3"]  # the fixtures
pytestmark = pytest.mark.server
PROJECT = Path(__file__).resolve().parents[2]


def contested(staged: StagedVersion) -> StagedVersion:
    return StagedVersion(staged.object_id, staged.root, staged.inventory, staged.base, contested=True)


@pytest.mark.parametrize("number", [1, 2])
def test_two_writers_race_one_wins_and_the_other_leaves_nothing(
    s3: Server, tmp_path: Path, number: int
) -> None:
    for turn in range(2):
        two = Two(s3.url(), tmp_path / str(turn))
        if number == 2:
            two.primary.publish(contested(two.first()))
        rivals = [
            contested(two.following(files) if number == 2 else two.first(files))
            for files in ({"data/x": b"%d" % each, f"data/own{each}": b"o", **FILES} for each in range(3))
        ]
        together, outcomes = threading.Barrier(3), {}

        def write(each: int) -> None:
            store = two.open("rival", two.primary.url)  # noqa: B023  # as another machine would
            together.wait()  # noqa: B023  # the threads end within the round
            try:
                outcomes[each] = store.publish(rivals[each])  # noqa: B023  # the threads end within the round
            except Conflict as error:
                outcomes[each] = error  # noqa: B023  # the threads end within the round

        threads = [threading.Thread(target=write, args=(each,)) for each in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [each for each in range(3) if not isinstance(outcomes.get(each, Conflict("died")), Conflict)]
        assert len(won) == 1, outcomes
        inventory = two.primary.inventory(OBJECT)
        assert inventory == outcomes[won[0]]
        assert own_folder(inventory, number).startswith("=by-")
        assert two.primary.verify(OBJECT).problems == ()  # nor is there anything else
        assert is_clean(two.primary)
        two.primary.publish(rivals[won[0]])  # again: no error, nothing changes
        two.copy.replicate(two.primary, OBJECT)
        assert two.copy.verify(OBJECT).problems == ()


def test_two_writers_race_on_a_server_that_ignores_conditions(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Connection.put
    monkeypatch.setattr(Connection, "put", lambda self, key, data, **_named: put(self, key, data))
    two = Two(s3.url(), tmp_path)
    stores = [two.open(f"rival {each}", two.primary.url) for each in range(2)]
    rivals = [contested(two.first({"data/x": b"%d" % each, **FILES})) for each in range(2)]
    together, won = threading.Barrier(2), []

    def write(each: int) -> None:
        together.wait()
        for turn in range(5):  # both may give up when they meet
            try:
                won.append(stores[each].publish(rivals[each]))
            except Conflict:
                time.sleep(0.2 * 4**turn * each)  # the longer, the slower the machine
            else:
                return

    threads = [threading.Thread(target=write, args=(each,)) for each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [two.primary.inventory(OBJECT)] == won
    assert not all(store.capabilities.conditional_write for store in stores)
    two.primary.recover()
    assert two.primary.verify(OBJECT).problems == ()
    assert list(two.primary.medium.walk("extensions/holdfast-claims")) == []


def test_what_is_just_being_written_is_not_called_extra(s3: Server, tmp_path: Path) -> None:
    two = Two(s3.url(), tmp_path)
    two.primary.publish(contested(two.first()))
    seen = []

    class Looking(S3Medium):
        def hold(self, attempt: str) -> None:
            seen.append(two.primary.verify(OBJECT))
            (writer,) = two.primary.writers()
            assert (writer.object_id, writer.silent < 60) == (OBJECT, True)
            assert str(os.getpid()) in writer.who
            super().hold(attempt)

    prefix = two.primary.url.removeprefix(f"s3://{s3.bucket}/")
    store = type(two.primary)("looking", Looking(s3.bucket, prefix, endpoint_url=s3.endpoint))
    store.publish(contested(two.following({"data/new": b"new"})))
    assert [(each.verdict, each.problems) for each in seen] == [("intact", ())]


def test_a_writer_that_was_taken_for_dead_does_not_commit(s3: Server, tmp_path: Path) -> None:
    two = Two(s3.url(), tmp_path)

    class Slow(S3Medium):
        def write(self, files: Any, pace: Pace) -> None:
            super().write(files, pace)
            said.extend(two.primary.recover())  # somebody clears away what is silent for so long

    said: list[str] = []
    prefix = two.primary.url.removeprefix(f"s3://{s3.bucket}/")
    slow = type(two.primary)("slow", Slow(s3.bucket, prefix, endpoint_url=s3.endpoint))
    staged = contested(two.first())
    with pytest.raises(Conflict, match="taken for dead"):
        slow.publish(staged)
    assert any(line.startswith("Removed") for line in said)
    assert list(two.primary.objects()) == []
    two.primary.publish(staged)
    two.primary.recover()
    assert two.primary.verify(OBJECT).problems == ()
    assert is_clean(two.primary)


def test_a_store_may_have_a_bucket_to_itself(s3: Server, tmp_path: Path) -> None:
    alone = f"{s3.bucket}-alone"
    s3.client().call_s3("create_bucket", Bucket=alone)
    store = s3.open("alone", f"s3://{alone}")
    with pytest.raises(Unavailable):
        store.check("archive-1")
    store.prepare("archive-1")
    two = Two(s3.url(), tmp_path).both()
    store.replicate(two.primary, OBJECT)
    assert store.verify(OBJECT).problems == ()
    assert list(store.objects()) == [OBJECT]
    assert is_clean(store)
    s3.client().rm(alone, recursive=True)


def test_a_lease_is_renewed_visible_and_not_taken_from_the_living(
    medium: S3Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = json.dumps({"object": OBJECT}).encode()
    monkeypatch.setattr("storage.archival.attempts.RENEWED_EVERY", 0.05)
    with medium.attempt(intent) as attempt:
        first_at = next(note for _, note in medium.live_attempts(60))["at"]
        until(lambda: next(note for _, note in medium.live_attempts(60))["at"] > first_at)
        ((key, note),) = medium.live_attempts(60)
        assert (key, note["object"]) == (attempt, OBJECT)
        assert note["at"] > first_at
        assert str(os.getpid()) in note["writer"]
        assert list(medium.dead_attempts(60)) == []
    monkeypatch.setattr("storage.archival.attempts.RENEWED_EVERY", 60.0)
    with medium.attempt(None) as attempt:
        medium.hold(attempt)
        assert list(medium.dead_attempts(0)) == [attempt]
        with pytest.raises(Conflict):
            medium.hold(attempt)
    assert list(medium.walk(STAGING)) == []


WRITER = """
import io, sys
from storage.archival.medium import Pace
from storage.archival.s3 import S3Medium
from storage.archival.wrappers import PacedMedium
class Endless(io.BytesIO):
    def read(self, size=-1):
        print("reading", self.tell(), flush=True)
        return super().read(size)
medium = S3Medium(sys.argv[1], sys.argv[2], endpoint_url=sys.argv[3])
with medium.attempt(b'{"object": "o"}'):
    PacedMedium(medium, 20 << 20).write([("k", lambda: Endless(b"x" * (200 << 20)))], Pace())
"""


def test_I1_a_process_killed_in_an_upload_leaves_nothing_that_a_reader_sees(s3: Server) -> None:
    url = s3.url()
    medium = medium_at(s3, s3.endpoint, url)
    arguments = [sys.executable, "-c", WRITER, s3.bucket, url.rpartition("/")[2], s3.endpoint]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line.split()[1]) >= 80 * MIB:
                break
        writer.send_signal(signal.SIGKILL)
    with pytest.raises(NotFound):
        medium.read("k")
    assert [key for key, _ in medium.walk("")] == [
        each for each, _ in medium.walk(STAGING)
    ]  # nothing else is seen
    assert uploads(medium) == ["k"]
    store = s3.open("s", url)
    store.prepare("archive-1")
    assert store.recover(older_than=3600) == []  # it may still live
    assert store.recover(dry_run=True) == ["Would abort an upload to k."]
    assert uploads(medium)
    assert any("Aborted an upload to k" in line for line in store.recover())
    assert uploads(medium) == []
    assert is_clean(store)


def test_a_forked_process_makes_a_connection_of_its_own(medium: S3Medium) -> None:
    medium.create("k", b"x")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put(medium.read("k")))
    child.start()
    assert queue.get(timeout=120) == b"x"
    child.join(120)
    assert child.exitcode == 0
    assert medium.read("k") == b"x"
