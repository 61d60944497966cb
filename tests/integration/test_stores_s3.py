"""A store in S3 is added, filled and retired as any other; all buckets at one endpoint are one device."""

from pathlib import Path

import pytest

from packages.errors import HoldfastError
from packages.premis import package_urn
from services.archival_storage import copies, stores
from services.archival_storage.places import devices
from services.settings_file import NAME
from storage.ports import Verdict
from tests.support.many_stores import archive_with, deposit, states
from tests.support.s3_server import server

pytestmark = pytest.mark.server


def test_a_store_in_s3_is_added_filled_and_retired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    s3 = server(monkeypatch)
    with archive_with(tmp_path, ["primary", "copy"], "") as depositor:
        archive, actor = depositor.archive, depositor.actor
        file = archive.home / NAME
        file.write_text(f's3_endpoint_url = "{s3.endpoint}"\n{file.read_text()}')
        archive.settings = archive.settings.model_copy(update={"s3_endpoint_url": s3.endpoint})
        package_id = deposit(depositor, tmp_path)
        added = stores.add(archive, actor, "cloud", s3.url(), {"required": False})
        assert (added.to_copy, list(added.shares_device_with)) == (1, [])
        assert copies.fill(archive, actor, "cloud").made == 1
        assert archive.stores["cloud"].verify(package_urn(package_id)).verdict is Verdict.INTACT
        assert states(archive, package_id)["cloud"] == "intact"

        other = stores.add(archive, actor, "cloud2", s3.url(), {"required": False})
        assert list(other.shares_device_with) == ["cloud"]
        assert "cloud2" in archive.stores
        assert sorted(map(len, devices(archive.settings).values())) == [2, 2]
        with pytest.raises(HoldfastError, match="is not there"):
            stores.move(archive, actor, "cloud", s3.url())

        stores.retire(archive, actor, "cloud", "its price")
        assert list(archive.stores) == ["primary", "copy", "cloud2"]
        assert "s3_endpoint_url" in file.read_text()
