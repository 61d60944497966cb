"""Which programs of others may be used: the setting, and that it knows every adapter there is."""

import pytest

from packages.errors import Invalid, Refused
from packages.format_policy import Kind, Outcome, default_policy
from packages.model import FileEntry
from packages.outside_tools import CONVERTERS, VALIDATORS, OutsideTools
from services.settings_sources import settings_from
from tests.conftest import PROJECT
from tools.normalise.adapters import MODULES
from tools.validity.validator import ADAPTERS

OURS = {"mail", "text", "jpylyzer"}
"""What converts or judges without a program of others; jpylyzer is a library that comes with us."""
PDF = FileEntry("data/original/a.pdf", "", 9, "", 0, puid="fmt/18")
BMP = FileEntry("data/original/a.bmp", "", 9, "", 0, puid="fmt/116")


def test_every_adapter_of_an_outside_program_can_be_switched_off() -> None:
    assert MODULES.keys() - OURS == CONVERTERS
    assert {each.name for each in ADAPTERS} - OURS == VALIDATORS


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("all", []),
        ("none", ["ghostscript", "jhove"]),
        ("jhove, vips", ["ghostscript"]),
        ("ghostscript", ["jhove"]),
    ],
)
def test_the_setting_names_what_may_be_used(text: str, off: list[str]) -> None:
    outside = OutsideTools.parse(text)
    assert [each for each in ("ghostscript", "jhove", "pillow", "xml") if outside.is_off(each)] == off


def test_a_name_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match="no such tool: word"):
        OutsideTools.parse("jhove,word")
    monkeypatch.setenv("HOLDFAST_OUTSIDE_TOOLS", "word")
    with pytest.raises(Refused, match=r"HOLDFAST_OUTSIDE_TOOLS: .*no such tool"):
        settings_from(PROJECT / "nowhere", {})


def test_what_is_switched_off_is_skipped_and_not_missing() -> None:
    policy = default_policy().using(OutsideTools.parse("none"))
    plan = policy.plan(PDF)
    assert [each.tool for each in plan.actions] == ["pdfium"]
    (one,) = (each for each in plan.left if each.kind is Kind.PRESERVATION)
    assert (one.outcome, one.tool) == (Outcome.SKIPPED, "ghostscript")
    assert "switched off (HOLDFAST_OUTSIDE_TOOLS)" in one.message
    assert {each.tool for each in policy.plan(BMP).actions} == {"pillow"}
    assert default_policy().plan(PDF).actions
