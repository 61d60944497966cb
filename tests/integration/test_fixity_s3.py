"""Fixity with a copy on an S3 server: harm is found and mended, and evidence and seals live there too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from packages.ocfl import layout
from packages.premis import package_urn
from services.archival_storage.fixity import audit
from services.archival_storage.mending import repair
from services.archival_storage.seals import check_seal, seal
from storage.ports import Verdict
from tests.support.depositor import Depositor, depositor_of, put
from tests.support.s3_server import server

pytestmark = pytest.mark.server
LETTER = "data/original/letter.txt"


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Depositor, str]]:
    """An archive with one package, the copy of which lies on S3."""
    copy = server(monkeypatch).url("copy")
    monkeypatch.setenv("HOLDFAST_STORES", f"primary={(tmp_path / 'primary').as_uri()},copy={copy}")
    with depositor_of(tmp_path / "home", tmp_path / "out") as depositor:
        yield depositor, depositor.accepted(put(tmp_path / "in", {"letter.txt": b"Dear harbour,\n"})).id


def test_J1_I7_harm_on_s3_is_found_named_mended_and_sealed(one: tuple[Depositor, str]) -> None:
    depositor, package = one
    archive, actor = depositor.archive, depositor.actor
    copy: Any = archive.stores["copy"]
    root = layout.object_path(package_urn(package))
    assert [each.verdict for each in audit(archive, actor)] == ["intact", "intact"]
    inventory = copy.inventory(package_urn(package))
    place, _ = inventory.locate(LETTER)
    for harm in ("replace", "remove"):
        if harm == "replace":
            copy.medium.replace(f"{root}/{place}", b"Dear Sir,\n")
        else:
            copy.medium.remove(f"{root}/{place}")
        _, bad = audit(archive, actor)
        assert [each.path for each in bad.problems] == [place]
        assert bad.verdict is (Verdict.CORRUPT if harm == "replace" else Verdict.MISSING)
        assert [each.verdict for each in repair(archive, actor, package)] == ["intact", "intact"]
    proofs = check_seal(archive, actor, seal(archive, actor))
    assert [each.problems for each in proofs] == [(), ()]
    assert proofs[0].links == proofs[1].links == 5
