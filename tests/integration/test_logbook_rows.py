"""An entry of a log comes before its rows: what a writer that died in between has left is taken up later."""

from contextlib import closing
from pathlib import Path

import pytest

from packages.model import Event, now
from services.administration.people import local_actor
from services.agents import HOLDFAST
from services.archival_storage import copies, stores
from services.archival_storage.logbook import write_log
from services.archive import open_archive
from services.data_management.reconcile import reconcile
from tests.support.serving import house_with


def test_H1_an_event_whose_writer_died_before_the_row_is_taken_up(tmp_path: Path) -> None:
    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        package_id = house.deposit("owner", "mended")
        mended, held = (Event(each, each, now(), "success", "", (HOLDFAST,)) for each in ("recovery", "hold"))
        write_log(archive, package_id, [mended], {}, at=mended.at)
        write_log(archive, package_id, [held], {"hold": {"reason": "x"}}, at=held.at)
        said = reconcile(archive, me)
        assert said.disagreements == []
        assert f"{package_id}: 1 event of its log taken up into the catalogue" in said.actions
        with archive.catalogue.read() as view:
            told = [each.type for each in view.events(package_id)]
        assert told.count("recovery") == 1
        assert "hold" not in told  # who asked for it was not told that it holds, and asks again
        assert not [each for each in reconcile(archive, me).actions if "taken up" in each]


def test_H1_a_copy_whose_maker_died_after_the_entry_was_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """What no handler may keep alive."""

    def write_and_die(*said: object, **at: object) -> None:
        write_log(*said, **at)  # type: ignore[arg-type]  # handed on as it came
        raise Killed

    with house_with(tmp_path) as house:
        archive, me = house.archive, local_actor(house.archive)
        stores.add(archive, me, "vault", f"file://{tmp_path}/vault", {"required": False})
        package_id = house.deposit("owner", "copied")
    with closing(open_archive(tmp_path / "home")) as archive:
        me = local_actor(archive)
        with monkeypatch.context() as patch:
            patch.setattr(copies, "write_log", write_and_die)
            with pytest.raises(Killed):
                reconcile(archive, me)
        for _ in range(2):
            assert reconcile(archive, me).disagreements == []
        with archive.catalogue.read() as view:
            told = [each.note for each in view.events(package_id) if each.type == "replication"]
        assert sorted(told) == ["copy", "vault"]
