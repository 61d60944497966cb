"""Class C: what only the database knows survives its loss by `holdfast backup` and `restore`."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.errors import Conflict, Corrupt, Invalid, NotFound, Refused
from packages.ledger import IdempotencyKey, JobState, PackageState
from packages.model import Actor
from services.administration.people import (
    confirm_tokens,
    hash_secret,
    list_tokens,
    local_actor,
    revoke_token,
    token_json,
)
from services.administration.sign_in import actor_of_session, actor_of_token, open_by_token
from services.archive import Archive, init_archive
from services.data_management import views
from services.data_management.backup import FORMAT, HEAD, SIDECAR, backup, restore
from services.data_management.rebuild import rebuild_catalogue, rebuild_index
from services.work.engine import run_job
from tests.support.serving import House, caller_of, house_of, house_with

LARGE, LARGE_TIMES = b" " * (1 << 20), 200  # made whole by the test, not by each process that loads it


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of(tmp_path_factory.mktemp("house")) as made:
        key = IdempotencyKey(
            "owner", "key-1", "digest", made.packages["queued"], "2026-01-01T00:00:00.000000Z"
        )
        with made.archive.catalogue.write() as unit:
            unit.add_idempotency_key(key)
        yield made


@pytest.fixture
def saved(house: House, tmp_path: Path) -> Path:
    done = backup(house.archive, local_actor(house.archive), tmp_path / "saved.zip")
    assert done.rows["tokens"] == 4
    return done.path


def lost(house: House, home: Path) -> Archive:
    """Return another home on the same stores, without a catalogue: what a total loss leaves."""
    home.mkdir()
    stores = ",".join(f"{name}={url}" for name, url in house.archive.settings.store_urls.items())
    (home / "holdfast.toml").write_text(
        f'stores = "{stores}"\nstaging_url = "{house.archive.settings.staging_root.as_uri()}"\n'
    )
    archive, _ = init_archive(home)
    return archive


def answers(archive: Archive, names: dict[str, str]) -> dict[str, Any]:
    actor = Actor("admin", "admin", frozenset({"admin"}))
    found: dict[str, Any] = {}
    for name, package_id in names.items():
        found[name] = views.status(archive, actor, package_id)
        found[name]["copies"] = []
        found[f"events of {name}"] = sorted(
            views.events(archive, actor, package_id), key=lambda each: each["id"]
        )
    with archive.catalogue.read() as view:
        found["tokens"] = view.tokens()
        found["key"] = view.idempotency_key("owner", "key-1")
    return found


def test_a_rebuild_and_a_restore_bring_everything_back(house: House, saved: Path, tmp_path: Path) -> None:
    before = answers(house.archive, house.packages)
    archive = lost(house, tmp_path / "again")
    try:
        me = local_actor(archive)
        assert rebuild_catalogue(archive, me).failed == []
        rebuild_index(archive, me)
        done = restore(archive, me, saved)
        assert done.rows["packages"] == 2  # the rejected and the queued one
        assert done.suspended == 4  # whether they were revoked since, nobody knows any more
        assert not any(actor_of_token(archive, who.secret) for who in house.people.values())
        assert len(confirm_tokens(archive, me, [])) == 4
        assert answers(archive, house.packages) == before
        for who in house.people.values():
            assert actor_of_token(archive, who.secret) == who.actor
        with archive.catalogue.read() as view:
            job = view.open_job(house.packages["queued"])
        assert job is not None
        assert run_job(archive, job.id).state is JobState.DONE  # the bytes were in staging still
    finally:
        archive.close()


def test_a_backup_is_readable_without_us_and_holds_no_secret(house: House, saved: Path) -> None:
    assert saved.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(saved) as bundle:
        head = json.loads(bundle.read(HEAD))
        assert set(bundle.namelist()) == {
            "README.txt",
            HEAD,
            SIDECAR,
            *(f"tables/{name}.jsonl" for name in head["tables"]),
        }
        text = b"".join(bundle.read(each) for each in bundle.namelist()).decode()
        rows = [json.loads(line) for line in bundle.read("tables/tokens.jsonl").splitlines()]
    assert head["archive"] == house.archive.archive_id
    for who in house.people.values():
        assert who.secret not in text
        assert hash_secret(who.secret) in {each["hash"] for each in rows}


def test_a_restore_does_not_mix_unless_told(house: House, saved: Path) -> None:
    archive = house.archive
    me = local_actor(archive)
    with pytest.raises(Refused, match="4 tokens"):
        restore(archive, me, saved)
    before = answers(archive, house.packages)
    done = restore(archive, me, saved, replace=True)
    assert done.rows["tokens"] == 4
    assert answers(archive, house.packages) == before


def test_a_token_that_was_revoked_since_the_backup_opens_nothing_after_it(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive, me = house.archive, local_actor(house.archive)
        saved = backup(archive, me, tmp_path / "saved.zip").path
        session = open_by_token(archive, house.people["archivist"].secret)
        with archive.catalogue.read() as view:
            ids = {each.name: each.id for each in view.tokens()}
        revoke_token(archive, me, ids["The archivist"])
        late = caller_of(archive, "archivist", "Since then")
        done = restore(archive, me, saved, replace=True)
        assert done.suspended == 0
        assert actor_of_token(archive, house.people["archivist"].secret) is None
        assert actor_of_session(archive, session.secret) is None
        assert actor_of_token(archive, late.secret) is None
        assert actor_of_token(archive, house.people["admin"].secret) == house.people["admin"].actor
        revoked = next(each for each in list_tokens(archive, me) if each.name == "The archivist")
        assert token_json(revoked)["state"] == "revoked"


def test_what_was_archived_since_the_backup_stays_archived(tmp_path: Path) -> None:
    with house_with(tmp_path / "house") as house:
        archive = house.archive
        package_id = house.deposit("owner", "queued", until="receive")
        saved = backup(archive, local_actor(archive), tmp_path / "saved.zip").path
        with archive.catalogue.read() as view:
            job = view.open_job(package_id)
        assert job is not None
        assert run_job(archive, job.id).state is JobState.DONE
        restore(archive, local_actor(archive), saved, replace=True)
        with archive.catalogue.read() as view:
            assert view.package(package_id).state is PackageState.PUBLISHED
            assert view.open_job(package_id) is None


def test_only_administrators_back_up_and_restore(house: House, saved: Path, tmp_path: Path) -> None:
    for who in ("owner", "archivist"):
        with pytest.raises(Refused):
            backup(house.archive, house.people[who].actor, tmp_path / "x.zip")
        with pytest.raises(Refused):
            restore(house.archive, house.people[who].actor, saved)


def test_a_damaged_or_foreign_backup_changes_nothing(house: House, saved: Path, tmp_path: Path) -> None:
    archive, me = house.archive, local_actor(house.archive)
    before = answers(archive, house.packages)
    with pytest.raises(Conflict):
        backup(archive, me, saved)
    with pytest.raises(NotFound):
        restore(archive, me, tmp_path / "absent.zip")
    data = saved.read_bytes()
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(Invalid):
        restore(archive, me, tmp_path / "cut.zip", replace=True)
    for name in ("tables/tokens.jsonl", HEAD):
        altered = tmp_path / f"{name.replace('/', '-')}.zip"
        with zipfile.ZipFile(saved) as old, zipfile.ZipFile(altered, "w") as new:
            for each in old.namelist():
                said = old.read(each)
                new.writestr(each, said.replace(b"depositor", b"admin", 1) + b" " if each == name else said)
        with pytest.raises(Corrupt):
            restore(archive, me, altered, replace=True)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a", "b")
    with pytest.raises(Invalid, match="no backup of ours"):
        restore(archive, me, tmp_path / "other.zip", replace=True)
    stranger, _ = init_archive(tmp_path / "stranger")
    try:
        with pytest.raises(Refused, match="a backup of the archive"):
            restore(stranger, local_actor(stranger), saved)
    finally:
        stranger.close()
    assert answers(archive, house.packages) == before


def made_anew(saved: Path, to: Path, members: dict[str, bytes]) -> Path:
    """A backup with other members in place of those of the same names."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for each in old.namelist():
            new.writestr(each, members.get(each, old.read(each)))
    return to


@pytest.mark.parametrize(
    ("head", "sidecar", "told"),
    [
        (None, b"", "damaged"),
        (None, b"\n", "damaged"),
        (b"{", None, "no backup of ours"),
        (b"[1]", None, "no backup of ours"),
        (b'{"$schema": "%s"}' % FORMAT.encode(), None, "'tables'"),
        (b'{"$schema": "%s", "tables": {"tokens": {}}}' % FORMAT.encode(), None, "'sha512'"),
        (b'{"$schema": "%s", "tables": []}' % FORMAT.encode(), None, "no backup of ours"),
        (LARGE, None, "too large"),
        (None, LARGE, "too large"),
    ],
)
def test_a_head_that_is_none_of_ours_is_told_and_never_unpacked_whole(
    house: House, saved: Path, tmp_path: Path, head: bytes | None, sidecar: bytes | None, told: str
) -> None:
    members = {}
    head, sidecar = (each * LARGE_TIMES if each is LARGE else each for each in (head, sidecar))
    if head is not None:
        members = {HEAD: head, SIDECAR: hashlib.sha512(head).hexdigest().encode()}
    if sidecar is not None:
        members[SIDECAR] = sidecar
    made = made_anew(saved, tmp_path / "made.zip", members)
    with pytest.raises(Corrupt, match=told):
        restore(house.archive, local_actor(house.archive), made, replace=True)


@pytest.mark.parametrize("row", [b"{\n", b"1\n"])
def test_a_line_that_is_no_row_changes_nothing(house: House, saved: Path, tmp_path: Path, row: bytes) -> None:
    archive, me = house.archive, local_actor(house.archive)
    before = answers(archive, house.packages)
    with zipfile.ZipFile(saved) as old:
        head = json.loads(old.read(HEAD))
    head["tables"]["tokens"]["sha512"] = hashlib.sha512(row).hexdigest()
    data = json.dumps(head).encode()
    members = {
        HEAD: data,
        SIDECAR: hashlib.sha512(data).hexdigest().encode(),
        "tables/tokens.jsonl": row,
    }
    with pytest.raises(Corrupt, match="a line of the backup"):
        restore(archive, me, made_anew(saved, tmp_path / "made.zip", members), replace=True)
    assert answers(archive, house.packages) == before
