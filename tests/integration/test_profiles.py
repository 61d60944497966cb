"""BagIt profiles through the doors: of the settings, given with a check, and the archive a bag came in."""

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from packages.errors import Invalid, Refused
from services.administration.health import try_all
from services.ingest.checking import Beside, check
from services.ingest.profiles import Profiles, archive_profiles
from services.settings_sources import load_settings
from storage.sources import Limits
from tests.support.bags import make_bag
from tests.support.depositor import Depositor, put
from tests.unit.test_bagit_profile import LEAST, NAMED, OURS

LIMITS = Limits(members=1000, bytes=1 << 30, ratio=200, depth=100, path_bytes=4096, reserve=0)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    says = {
        "Bag-Info": {"Contact-Name": {"required": True}},
        "Serialization": "optional",
        "Accept-Serialization": ["application/zip"],
    }
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(LEAST | says))
    return path


def codes(source: Path, profiles: Profiles, **beside: object) -> list[str]:
    found = check(source, limits=LIMITS, profiles=profiles, beside=Beside(**beside))
    return [each.code for each in found.findings if each.code.startswith("profile.")]


def packed(root: Path, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for each in root.rglob("*"):
            archive.write(each, each.relative_to(root.parent))
    return to


def test_C10_a_given_profile_counts_for_whatever_is_checked(tmp_path: Path, profile: Path) -> None:
    given = archive_profiles(load_settings(tmp_path), profile)
    assert codes(make_bag(tmp_path / "good", info=NAMED + "Contact-Name: Ada\n"), given) == []
    assert codes(make_bag(tmp_path / "bad", info="A: b\n"), given) == ["profile.tag-missing"] * 2
    assert codes(put(tmp_path / "plain", {"a": b"a"}), given) == ["profile.no-bag"]


def test_C10_the_archive_that_a_bag_came_in_is_held_to_accept_serialization(
    tmp_path: Path, profile: Path
) -> None:
    given = archive_profiles(load_settings(tmp_path), profile)
    root = make_bag(tmp_path / "bag", info=NAMED + "Contact-Name: Ada\n")
    assert codes(packed(root, tmp_path / "bag.zip"), given) == []
    tar = tmp_path / "bag.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(root, "bag")
    assert codes(tar, given) == ["profile.serialization-accepted"]
    assert codes(tar, given, is_made=True) == []  # the depositor sent single files


def test_C10_the_settings_name_further_profiles_and_those_that_are_asked_for(
    tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag = make_bag(tmp_path / "bag", info=NAMED)
    assert codes(bag, archive_profiles(load_settings(tmp_path))) == ["profile.not-checked"]
    monkeypatch.setenv("HOLDFAST_BAGIT_PROFILES", str(profile))
    assert codes(bag, archive_profiles(load_settings(tmp_path))) == ["profile.tag-missing"]
    monkeypatch.setenv("HOLDFAST_BAGIT_PROFILES_REQUIRED", OURS)
    asked = archive_profiles(load_settings(tmp_path))
    assert codes(bag, asked) == ["profile.tag-missing"]
    assert codes(make_bag(tmp_path / "other", info="A: b\n"), asked) == ["profile.none-required"]
    assert codes(put(tmp_path / "plain", {"a": b"a"}), asked) == []


def test_C10_settings_and_files_that_are_no_profile_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(LEAST | {"Data-Empty": "yes"}))
    with pytest.raises(Invalid) as caught:
        archive_profiles(load_settings(tmp_path), broken)
    assert "Data-Empty" in caught.value.findings[0].message
    monkeypatch.setenv("HOLDFAST_BAGIT_PROFILES", "broken.json")
    with pytest.raises(Refused, match="Data-Empty"):
        archive_profiles(load_settings(tmp_path))
    monkeypatch.setenv("HOLDFAST_BAGIT_PROFILES", "")
    monkeypatch.setenv("HOLDFAST_BAGIT_PROFILES_REQUIRED", "https://example.org/none.json")
    with pytest.raises(Refused, match=r"none\.json"):
        archive_profiles(load_settings(tmp_path))


def test_C10_health_says_what_bags_are_held_to_and_where_files_are_fetched_from(
    shared_depositor: Depositor, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shared_depositor.archive.settings.__dict__
    monkeypatch.setitem(settings, "bagit_profiles", f"{profile},none.json")
    monkeypatch.setitem(settings, "fetch_allowed", "https://a.example.org/x")
    tried = {each.part: each for each in try_all(shared_depositor.archive)}
    assert (tried["BagIt profiles"].verdict, tried["fetch.txt"].verdict) == ("error", "ok")
    assert "none.json" in tried["BagIt profiles"].message
    assert "https://a.example.org:443/x" in tried["fetch.txt"].message


def test_C10_an_ingest_holds_a_bag_to_the_archive_it_came_in(
    shared_depositor: Depositor, tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        shared_depositor.archive.settings.__dict__, "bagit_profiles", str(profile)
    )  # the settings are frozen, and are read anew by nobody here
    root = make_bag(tmp_path / "bag", info=NAMED + "Contact-Name: Ada\n")
    shared_depositor.accepted(packed(root, tmp_path / "bag.zip"))
    with tarfile.open(tmp_path / "bag.tgz", "w:gz") as archive:
        archive.add(root, "bag")
    made = shared_depositor.rejected(tmp_path / "bag.tgz")
    assert "profile.serialization-accepted" in made.codes
