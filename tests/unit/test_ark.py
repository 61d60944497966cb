"""ARKs: the same name for ever, and a check character that finds slips of the pen."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packages.errors import Invalid
from packages.pids import ark
from tools.pids import ArkProvider

PINNED = "ark:99999/hf1qp4kv3xfbjm6v"
uuids = st.uuids(version=4).map(str)


def test_an_ark_is_pinned() -> None:
    """Identifiers outlive code: if this fails, stored PIDs no longer match their packages."""
    assert ark.mint("0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11") == PINNED


def test_the_check_character_is_that_of_NOID() -> None:
    """The worked example of NOID's own documentation (perldoc Noid, "NOID CHECK DIGIT ALGORITHM")."""
    assert ark.check_character("13030/xf93gt2") == "q"
    assert ark.is_intact("ark:/13030/xf93gt2q")


@given(uuids)
def test_minted_arks_are_intact_short_and_stable(package: str) -> None:
    made = ark.mint(package)
    assert made == ark.mint(package.upper()) == ark.normalise(made)
    assert ark.is_intact(made)
    base = made.removeprefix("ark:")
    assert len(base) < 29
    assert base.startswith("99999/hf1")
    assert set(base) <= {*ark.BETANUMERIC, "/"}


@given(uuids, st.data())
@settings(max_examples=200)
def test_one_wrong_character_is_found(package: str, data: st.DataObject) -> None:
    base = ark.mint(package).removeprefix("ark:")
    place = data.draw(st.integers(6, len(base) - 1))
    wrong = data.draw(st.sampled_from(ark.BETANUMERIC.replace(base[place], "")))
    assert not ark.is_intact(f"ark:{base[:place]}{wrong}{base[place + 1 :]}")


@given(uuids, st.integers(6, 20))
def test_two_characters_that_changed_places_are_found(package: str, place: int) -> None:
    base = ark.mint(package).removeprefix("ark:")
    swapped = base[:place] + base[place + 1] + base[place] + base[place + 2 :]
    assert swapped == base or not ark.is_intact(f"ark:{swapped}")


@pytest.mark.parametrize(
    "spelling",
    [
        "ark:{}",
        "ark:/{}",
        "ARK:/{}",
        " ark:{}\n",
        "https://n2t.net/ark:{}",
        "http://127.0.0.1:8000/ark:/{}",
        "ark:{}/data/a b.txt",
        "ark:{}.pdf",
        "ark:{}?info",
    ],
)
def test_every_spelling_is_one_ark(spelling: str) -> None:
    made = ark.mint("0d4ee2ff-6f3c-4e0a-9b43-5d9d5f3d6c11")
    assert ark.normalise(spelling.format(made.removeprefix("ark:"))) == made


@given(uuids, st.integers(10, 20), st.sampled_from("-\u2010\u2011\u2013"))
def test_hyphens_mean_nothing(package: str, place: int, hyphen: str) -> None:
    made = ark.mint(package)
    assert ark.normalise(made[:place] + hyphen + made[place:]) == made


@pytest.mark.parametrize(
    "text", ["", "ark:", "ark:99999", "ark:99999/", "ark:99999/-", "doi:10.5072/x", "ark:AEIOU/x"]
)
def test_what_is_no_ark_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        ark.parse(text)
    assert not ark.is_intact(text)


def test_the_qualifier_is_kept_apart() -> None:
    assert ark.parse("ark:/12345/x5-4/part.v2?info") == ark.Ark("12345", "x54", "/part.v2?info")


@pytest.mark.parametrize(
    ("naan", "shoulder"),
    [("9999", "hf1"), ("99999", "hf"), ("99999", ""), ("99999", "a1"), ("999999999", "bcdfgh1")],
)
def test_bad_settings_are_refused_at_the_start(naan: str, shoulder: str) -> None:
    with pytest.raises(Invalid):
        ArkProvider(naan, shoulder)


def test_the_provider_keeps_to_its_port() -> None:
    provider = ArkProvider()
    package = str(uuid.uuid4())
    pid = provider.reserve(package)
    assert provider.is_test
    assert pid == provider.reserve(package)
    provider.register(pid, "http://127.0.0.1/records/x", {})
    provider.register(pid, "http://127.0.0.1/records/x", {})
    assert not ArkProvider("12345").is_test
    for bad in (pid[:-1] + ("1" if pid[-1] == "0" else "0"), "ark:12345/hf1x", "x"):
        with pytest.raises(Invalid):
            provider.register(bad, "http://127.0.0.1/records/x", {})
    with pytest.raises(Invalid):
        provider.register(pid, "", {})
    with pytest.raises(Invalid):
        provider.reserve("not a uuid")
