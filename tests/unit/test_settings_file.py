"""Changing holdfast.toml: what people wrote stays, what comes of it is what was meant, or nothing changes."""

import os
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.errors import Invalid, Refused
from services.settings_file import _changed, facts_of, said_of_stores, write_stores
from services.settings_sources import load_settings
from services.store_settings import StoreFacts, masked
from storage.archival import open_store

URLS = {"primary": "file:///a", "copy": "file:///b"}
WRITTEN = """\
# The archive of the harbour office.
ark_naan = "12345"   # ours
# Two disks:
stores = "primary=file:///a,copy=file:///b"

[store.primary]
place = "Bergen"  # cellar
[store.copy]
# on the other side of the river
medium = "tape"
replace_by = 2031-06-30
"""


@pytest.fixture
def written(home: Path) -> Path:
    home.mkdir()
    (home / "holdfast.toml").write_text(WRITTEN)
    return home


def test_a_store_is_added_and_all_else_stays_as_it_was(written: Path):
    said = said_of_stores(written)
    write_stores(
        written, URLS | {"vault": "file:///c d"}, said | {"vault": {"required": False, "place": 'O"s\\lo\n'}}
    )
    text = (written / "holdfast.toml").read_text()
    assert text.startswith(WRITTEN.replace("copy=file:///b", "copy=file:///b,vault=file:///c d").rstrip())
    settings = load_settings(written)
    assert settings.store_urls["vault"] == "file:///c d"
    assert settings.facts("vault") == StoreFacts(required=False, purpose="replica", place='O"s\\lo\n')
    assert settings.facts("copy").replace_by == "2031-06-30"
    assert [each.name for each in written.iterdir()] == ["holdfast.toml"]


def test_a_store_goes_with_its_table(written: Path):
    said = said_of_stores(written)
    write_stores(written, {"primary": "file:///a"}, {"primary": said["primary"]})
    text = (written / "holdfast.toml").read_text()
    assert "ours" in text
    assert "cellar" in text
    assert "river" not in text
    assert load_settings(written).store_urls == {"primary": "file:///a"}


def test_a_file_without_stores_gets_them_before_its_tables(home: Path):
    home.mkdir()
    (home / "holdfast.toml").write_text("# nothing yet\n")
    write_stores(home, URLS, {})
    assert (home / "holdfast.toml").read_text() == (
        '# nothing yet\n\nstores = "primary=file:///a,copy=file:///b"\n'
    )


@pytest.mark.parametrize("said", ['store.primary.place = "Bergen"', 'store = {primary = {place = "Bergen"}}'])
def test_what_cannot_be_changed_safely_is_left_to_a_person(home: Path, said: str):
    home.mkdir()
    text = f'{said}\nstores = "primary=file:///a"\n'
    (home / "holdfast.toml").write_text(text)
    with pytest.raises(Refused, match="safely") as told:
        write_stores(home, URLS, {"primary": {"place": "Oslo"}})
    assert "by hand" in told.value.hint
    assert (home / "holdfast.toml").read_text() == text


def test_facts_that_contradict_each_other_are_not_written(written: Path):
    with pytest.raises(Refused, match="read-only"):
        write_stores(written, URLS, {"copy": {"read_only": True}})
    assert (written / "holdfast.toml").read_text() == WRITTEN


def test_the_environment_goes_before_the_file(written: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOLDFAST_STORES", "primary=file:///a")
    with pytest.raises(Refused, match="environment") as told:
        write_stores(written, URLS, {})
    assert "primary=file:///a,copy=file:///b" in told.value.hint
    assert os.environ["HOLDFAST_STORES"] == "primary=file:///a"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ('stores = "a=file:///x,b=file:///x/"', "same place"),
        ('stores = "a=file:///x,b=file:///y"\n[store.b]\npurpose = "primary"', "not the first"),
        ('stores = "a=file:///x,b=file:///y"\n[store.a]\nread_only = true', "it is the primary"),
        ('stores = "a=file:///x,b=file:///y"\n[store.a]\npurpose = "cold"', "it is the primary"),
        ('stores = "a=file:///x,b=file:///y"\n[store.b]\nread_only = true', "no package could"),
        ('stores = "a=file:///x"\n[store.a]\nreplace_by = "soon"', "2031-06-30"),
        ('stores = "a=file:///x"\n[store.a]\npurpose = "backup"', "replica"),
    ],
)
def test_facts_are_checked(home: Path, said: str, wrong: str):
    home.mkdir()
    (home / "holdfast.toml").write_text(said)
    with pytest.raises(Refused, match=wrong):
        _ = load_settings(home).store_urls


def test_facts_are_read_as_they_are_written_on_a_command_line():
    assert facts_of(["place=O=s lo", "required=no", "fixity_days=30", "medium="]) == {
        "place": "O=s lo",
        "required": False,
        "fixity_days": 30,
        "medium": "",
    }
    with pytest.raises(Invalid) as told:
        facts_of(["plce=x", "required=7", "tape"])
    assert all(each in told.value.message for each in ("plce=", "required=7", "tape"))
    assert "operator" in told.value.hint


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "place": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        "required": st.booleans(),
        "fixity_days": st.integers(1, 10_000),
        "replace_by": st.dates(date(2000, 1, 1), date(2099, 1, 1)),
    },
)
NAMES = st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), min_size=1, max_size=4, unique=True)


@given(NAMES, st.data())
def test_whatever_is_said_is_read_back(names: list[str], data: st.DataObject):
    wanted = {"ark_naan": "12345", "stores": ",".join(f"{name}=file:///{name}" for name in names)}
    text = 'ark_naan = "12345"\n'
    for _ in range(3):
        said = {name: facts for name in names if (facts := data.draw(FACTS))}
        after = wanted | ({"store": said} if said else {})
        text = _changed(text, tomllib.loads(text), after)
        assert tomllib.loads(text) == after


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "copy=s3://AKIA:a/b+c@bucket/x,vault=file:///a:b@c",
            "copy=s3://AKIA:***@bucket/x,vault=file:///a:b@c",
        ),
        ("postgresql://u:p@h:5432/d", "postgresql://u:***@h:5432/d"),
        ("http://h:80/x,b=s3://bucket/me@home", "http://h:80/x,b=s3://bucket/me@home"),
    ],
)
def test_no_secret_of_an_address_is_shown_also_with_a_slash_in_it(said: str, shown: str):
    assert masked(said) == shown


@pytest.mark.parametrize("url", ["s3://AKIA:a/b+c@bucket/x", "s3://AKIA:secret@bucket/x"])
def test_a_secret_in_the_address_of_a_store_is_refused_and_not_repeated(url: str):
    with pytest.raises(Refused) as caught:
        open_store("copy", url)
    assert "AKIA" not in caught.value.message + caught.value.hint
