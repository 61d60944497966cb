"""H1: SIGKILL in an ingest whose primary store and copy are both in S3, then a restart an hour later."""

from pathlib import Path

import pytest

from packages.ledger import CopyState, PackageState
from packages.premis import package_urn
from services.administration.people import local_actor
from services.archive import init_archive
from services.data_management import reconcile as reconciling
from storage.archival import OcflStore
from storage.archival.medium import STAGING
from storage.archival.s3 import S3Medium
from storage.ports import Verdict
from tests.support import deposits, rounds, settled
from tests.support.killer import Killer
from tests.support.s3_media import medium_at
from tests.support.s3_server import server

pytest_plugins = ["tests.support.crash_fixtures"]

pytestmark = pytest.mark.server
MOMENTS = ((None, 0.3), ("store", 0.05), ("store", 0.2))
"""A step, and seconds after its beginning."""


def test_H1_I1_killed_in_an_ingest_to_s3(
    killer: Killer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = server(monkeypatch)
    urls = {name: s3.url() for name in settled.STORES}
    home.mkdir(parents=True)
    (home / "holdfast.toml").write_text(
        f'stores = "{",".join(f"{name}={url}" for name, url in urls.items())}"\n'
        f's3_endpoint_url = "{s3.endpoint}"\n'
    )
    archive, _ = init_archive(home)
    me = local_actor(archive)
    monkeypatch.setattr(reconciling, "ABANDONED_AFTER", 0.0)  # an hour is over, and nobody writes
    tally, made = rounds.Tally(), []
    for number, (step, seconds) in enumerate(MOMENTS):
        made.append(deposit := deposits.make("folder", tmp_path / "in", number))
        order = {"sources": [str(deposit.source)], "env": s3.environment()}
        rounds.strike(killer.order(home, "ingest", **order), step, seconds, tally)
        assert not reconciling.reconcile(archive, me).disagreements
    assert tally.kills >= len(MOMENTS) - 1, str(tally)

    with archive.catalogue.read() as view:
        packages = {each.source_name: each for each in view.iter_packages()}
        copies = {each.id: view.copies(each.id) for each in packages.values()}
        kinds = {each.id: [one.type for one in view.events(each.id)] for each in packages.values()}
    assert {each.state for each in packages.values()} == {PackageState.PUBLISHED}
    for name, store in archive.stores.items():
        assert isinstance(store, OcflStore)
        urns = sorted(package_urn(each.id) for each in packages.values())
        assert sorted(store.objects()) == urns
        assert all(store.verify(each).verdict is Verdict.INTACT for each in urns)
        assert not list(store.medium.list(STAGING))
        medium = medium_at(s3, s3.endpoint, urls[name])
        assert isinstance(medium, S3Medium)
        assert not list(medium.abort_uploads(0.0, lambda _key: False, dry_run=True))
    for deposit in made:
        package = packages.get(deposit.source.name)
        if package is None:
            assert deposit is made[0]  # killed before it was entered, and nobody was told that it was
            continue
        assert {each.state for each in copies[package.id]} == {CopyState.INTACT}
        assert kinds[package.id].count("publication") == 1
        assert settled.exported(archive, package, deposit) == []
    archive.close()
