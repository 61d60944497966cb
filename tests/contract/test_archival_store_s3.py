"""What S3 alone can do wrong: parts, lost answers, silent servers, rights, races of machines, orphans."""

import hashlib
import io
import json
import os
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from packages.errors import Conflict, NotFound, Refused, Unavailable
from storage.archival.medium import Pace
from storage.archival.s3 import S3Medium
from storage.archival.s3_transfer import LARGEST, MIB, PARTS, SMALL, part_size
from storage.archival.wrappers import ReadOnlyMedium, RetryingMedium
from storage.ports import Verdict
from tests.support.faulty_server import faulty_server
from tests.support.ocfl_objects import OBJECT
from tests.support.s3_media import QUIET, medium, medium_at, put, s3, uploads
from tests.support.s3_server import Server
from tests.support.two_stores import ROOT, Two, keys

__all__ = ["medium", "s3"]  # the fixtures
pytestmark = pytest.mark.server
# --- parts --------------------------------------------------------------------------------------------------


@given(some.integers(min_value=0, max_value=LARGEST))
def test_I3_parts_are_never_too_many_nor_too_small(length: int) -> None:
    size = part_size(length)
    assert size % MIB == 0
    assert 5 * MIB <= size <= 5 << 30
    assert -(-length // size) <= PARTS


def test_I3_five_tebibytes_are_the_most() -> None:
    assert -(-LARGEST // part_size(LARGEST)) <= PARTS
    with pytest.raises(Refused):
        part_size(LARGEST + 1)


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 32 * MIB, 32 * MIB + 1])
def test_I3_every_size_arrives_and_reads_back(medium: S3Medium, size: int) -> None:
    data = os.urandom(min(size, MIB)) * (size // MIB + 1)
    data = data[:size]
    done: list[int] = []
    medium.write([("k", partial(io.BytesIO, data))], Pace(done.append))
    assert sum(done) == size
    reading = next(iter(medium.readings(["k"], QUIET)))
    assert (reading.sha512, reading.size) == (hashlib.sha512(data).hexdigest(), size)
    with medium.open("k") as stream:
        assert stream.seek(0, io.SEEK_END) == size
        stream.seek(max(0, size - 10))
        assert stream.read() == data[-10:]
    put(medium, "k", data)  # again: the same bytes are no conflict
    if size:
        with pytest.raises(Conflict):
            put(medium, "k", data[:-1] + bytes([data[-1] ^ 1]))
    assert medium.read("k") == data
    assert uploads(medium) == []


def test_a_source_that_breaks_in_the_middle_leaves_nothing(medium: S3Medium) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 20 * MIB:
                raise OSError("the disk is gone")
            return super().read(size)

    with pytest.raises(OSError, match="the disk is gone"):
        medium.write([("k", lambda: Breaking(b"x" * (40 * MIB)))], QUIET)
    assert list(medium.walk("")) == []
    assert uploads(medium) == []


# --- answers that are lost, late or no answers --------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_I1_an_answer_that_is_lost_after_the_server_has_done_it_is_no_conflict(
    s3: Server, method: str
) -> None:
    lost: list[str] = []

    def rule(verb: str, path: str) -> str:
        if verb == method and "uploads" not in path and not lost:
            lost.append(path)
            return "lose"
        return "pass"

    size = 100 if method == "PUT" else SMALL + 5
    with faulty_server(s3.endpoint, rule) as endpoint:
        medium = medium_at(s3, endpoint)
        put(medium, "k", b"x" * size)
        assert lost
        assert medium.read("k") == b"x" * size
        assert uploads(medium) == []


def test_I1_a_large_file_that_is_there_is_not_sent_again(s3: Server) -> None:
    sent: list[str] = []

    def rule(verb: str, _: str) -> str:
        sent.append(verb)
        return "pass"

    data = os.urandom(SMALL - 1)
    with faulty_server(s3.endpoint, rule) as endpoint:
        medium = medium_at(s3, endpoint)
        put(medium, "k", data)
        sent.clear()
        put(medium, "k", data)
        with pytest.raises(Conflict):
            medium.create("k", b"other" + data)
        assert "PUT" not in sent


def test_I1_a_server_that_hangs_up_on_who_comes_second_has_refused(s3: Server) -> None:
    data = os.urandom(SMALL - 1)

    def rule(verb: str, _: str) -> str:
        if verb != "PUT":
            return "pass"
        direct.replace("k", theirs)  # somebody else was quicker, between the look and the writing
        return "reset"

    direct = medium_at(s3, s3.endpoint)
    with faulty_server(s3.endpoint, rule) as endpoint:
        medium = medium_at(s3, endpoint, direct.url)
        theirs = data
        medium.create("k", data)  # the same bytes are no conflict
        direct.remove("k")
        theirs = b"other" + data
        with pytest.raises(Conflict):
            medium.create("k", data)


@pytest.mark.parametrize("happens", ["503", "lose"])
def test_I1_passing_trouble_passes(s3: Server, happens: str) -> None:
    count = iter(range(10_000))
    with faulty_server(s3.endpoint, lambda *_: happens if next(count) % 3 == 0 else "pass") as endpoint:
        medium = RetryingMedium(medium_at(s3, endpoint), (0.01, 0.01, 0.01))
        for number in range(4):
            medium.create(f"k{number}", b"%d" % number)
        put(medium, "large", b"x" * (SMALL + 1))
        assert [medium.read(f"k{number}") for number in range(4)] == [b"%d" % number for number in range(4)]
        wanted = [*(f"k{number}" for number in range(4)), "large"]
        assert all(each.sha512 for each in medium.readings(wanted, QUIET))
        medium.remove("k1")
        assert len(list(medium.walk(""))) == 4


def test_a_silent_server_is_given_up_in_time(s3: Server) -> None:
    with faulty_server(s3.endpoint, lambda *_: "hang") as endpoint:
        medium = medium_at(s3, endpoint, timeout=0.5)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer"):
            medium.create("k", b"x")
        assert time.monotonic() - began < 60


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed(medium: S3Medium) -> None:
    medium.replace("k", b"a" * (3 * MIB))
    with medium.open("k") as stream:
        assert stream.read(10) == b"a" * 10
        medium.replace("k", b"b" * (3 * MIB))
        with pytest.raises(Unavailable, match="replaced"):
            stream.read()


# --- what is not allowed ------------------------------------------------------------------------------------


def test_I12_what_is_wrong_for_good_is_said_once_with_what_to_do(
    s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = S3Medium("no-such-bucket", "x", endpoint_url=s3.endpoint)
    for call in (absent.present, absent.make, lambda: absent.create("k", b""), lambda: absent.read("k")):
        with pytest.raises(Refused, match="the bucket does not exist") as told:
            call()
        assert "create the bucket" in told.value.hint
    with pytest.raises(Unavailable):
        medium_at(s3, "http://127.0.0.1:9").present()
    for endpoint in ("127.0.0.1:9", "ftp://x"):
        with pytest.raises(Refused, match="HOLDFAST_S3_ENDPOINT_URL"):
            medium_at(s3, endpoint).present()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    medium = medium_at(s3, s3.endpoint)
    for call in (medium.present, lambda: medium.create("k", b""), lambda: medium.read("k")):
        with pytest.raises(Refused, match="the secret does not fit") as told:
            call()
        assert "AWS_SECRET_ACCESS_KEY" in told.value.hint
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(Refused, match="access key"):
        medium.present()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(Refused, match="no credentials"):
        medium.present()


@pytest.mark.parametrize("prefix", ["a/../b", "a//b", "x" * 33, "/"])
def test_prefixes_that_servers_understand_differently_are_refused(prefix: str) -> None:
    with pytest.raises(Refused):
        S3Medium("bucket", prefix)


def test_I12_without_the_right_to_delete_it_is_refused_and_said(
    s3: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user, secret = f"user{os.getpid()}", "a-secret-of-its-own"
    fs = s3.client()
    make_user(s3, user, secret)
    allowed = [
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
    ]
    resource = [f"arn:aws:s3:::{s3.bucket}", f"arn:aws:s3:::{s3.bucket}/*"]
    statement = {"Effect": "Allow", "Principal": {"AWS": [user]}, "Resource": resource}
    for actions in (allowed, [*allowed, "s3:DeleteObject"]):
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Action": actions}]}
        fs.call_s3("put_bucket_policy", Bucket=s3.bucket, Policy=json.dumps(policy))
        with monkeypatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", user)
            patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            two = Two(s3.url(), tmp_path / str(len(actions)))
            if actions is allowed:
                with pytest.raises(Refused, match="access is denied") as told:
                    two.primary.publish(two.first())
                assert "DeleteObject" in told.value.hint
            else:  # these rights are enough for all of it
                two.both()
                two.copy.medium.replace(f"{ROOT}/v1/content/data/a.txt", b"rot")
                report = two.copy.verify(OBJECT)
                assert two.copy.repair(two.primary, report).verdict is Verdict.INTACT
                two.copy.recover()
    fs.call_s3("delete_bucket_policy", Bucket=s3.bucket)


def make_user(s3: Server, user: str, secret: str) -> None:
    """Add an account by the server's own administration."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.httpsession import URLLib3Session

    account = f"<Account><Access>{user}</Access><Secret>{secret}</Secret><Role>user</Role></Account>"
    request = AWSRequest("PATCH", f"{s3.endpoint}/create-user", data=account.encode())
    S3SigV4Auth(Credentials(s3.key, s3.secret), "s3", "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code in {200, 201, 409}, answer.content


def test_a_read_only_store_changes_nothing(s3: Server, tmp_path: Path) -> None:
    two = Two(s3.url(), tmp_path).both()
    before = keys(two.copy)
    medium = ReadOnlyMedium(two.copy.medium)
    store = type(two.copy)("copy", medium)
    two.primary.publish(two.following({"data/x": b"x"}))
    for call in (
        lambda: store.publish(two.following({"data/y": b"y"})),
        lambda: store.replicate(two.primary, OBJECT),
        lambda: store.append_log(OBJECT, b"{}"),
        lambda: medium.remove(ROOT),
    ):
        with pytest.raises((Refused, Conflict)):
            call()
    assert store.recover() == []
    assert store.verify(OBJECT).verdict is Verdict.INTACT
    assert keys(two.copy) == before


# --- what it costs ------------------------------------------------------------------------------------------


def test_no_inventory_is_asked_for_more_often_than_needed(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.archival.attempts.RENEWED_EVERY", 1e6)  # a slow machine renews nothing
    asked: list[str] = []

    def rule(verb: str, _: str) -> str:
        asked.append(verb)
        return "pass"

    two, files = Two(s3.url(), tmp_path), {"bagit.txt": b"bag", "data/a": b"A"}
    two.primary.publish(two.first(files))
    with faulty_server(s3.endpoint, rule) as endpoint:
        store = type(two.primary)("primary", medium_at(s3, endpoint, two.primary.url))
        store.inventory(OBJECT)
        assert asked == ["GET"] * 3  # what the folder holds, inventory, sidecar
        asked.clear()
        assert store.verify(OBJECT).intact == len(files) + 5  # declaration, two inventories with sidecars
        assert asked == ["GET"] * (len(files) + 5 + 6)  # two listings, and what tells of the head beforehand
        asked.clear()
        store.publish(two.first(files, "urn:uuid:00000000-0000-4000-8000-00000000000f"))
        assert len(asked) == len(files) + 20  # one of them looks whether the server keeps to conditions


# --- listings and keys --------------------------------------------------------------------------------------


def test_I4_I8_listings_are_fresh_and_keys_exact(s3: Server, medium: S3Medium) -> None:
    for key in ("aip-1/x", "aip-10/x", "a[1]", "a1", "a*", "ab", "dir/a", "dir2/a", "=41/=FC %2B+"):
        medium.create(key, key.encode())
    assert {item.name for item in medium.list("")} == {
        "aip-1", "aip-10", "a[1]", "a1", "a*", "ab", "dir", "dir2", "=41",
    }  # fmt: skip  # fewer lines read better
    medium.remove("a[1]")
    medium.remove("a*")
    medium.remove("aip-1")
    medium.remove("dir")
    other = medium_at(s3, s3.endpoint, medium.url)
    other.create("new", b"")
    left = {"aip-10/x", "a1", "ab", "dir2/a", "=41/=FC %2B+", "new"}
    assert {key for key, _ in medium.walk("")} == left
    assert all(medium.read(key) == (key.encode() if key != "new" else b"") for key in left)
    medium.move("=41/=FC %2B+", "moved/=FC %2B+")
    assert medium.read("moved/=FC %2B+") == b"=41/=FC %2B+"
    with pytest.raises(NotFound):
        medium.read("=41/=FC %2B+")


def test_more_than_a_page_of_keys_is_listed_and_removed(s3: Server, medium: S3Medium) -> None:
    names = [f"many/{number:04}" for number in range(1_005)]
    s3.file(medium.url, "many").mkdir(parents=True)
    for name in names:
        s3.file(medium.url, name).touch()  # in the server's own folder: a thousand requests less
    assert [key for key, _ in medium.walk("many")] == names
    assert len(list(medium.list("many"))) == len(names)
    medium.remove("many")
    assert list(medium.walk("")) == []


def test_many_threads_create_one_key_and_one_wins(s3: Server, medium: S3Medium) -> None:
    media = [medium_at(s3, s3.endpoint, medium.url) for _ in range(8)]
    won: list[int] = []
    together = threading.Barrier(8)

    def create(each: int) -> None:
        together.wait()
        try:
            media[each].create("fence", b"%d" % each)
            won.append(each)
        except Conflict:
            pass

    threads = [threading.Thread(target=create, args=(each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert medium.read("fence") == b"%d" % won[0]
