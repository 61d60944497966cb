"""What PRONOM calls the formats: for people by name, each PUID behind it."""

import importlib.util
import re
from pathlib import Path

import schemas
from packages.format_names import format_name, formats_told, with_version
from packages.format_policy import default_policy
from tools.pronom import PronomIdentifier


def test_every_format_of_our_policy_has_a_name() -> None:
    policy = default_policy()
    named = {puid for rule in policy.data["rules"] for puid in rule["puids"]}
    named |= {puid for rule in policy.data["rules"] for each in policy.actions(rule) for puid in each.expect}
    assert {each for each in named if not format_name(each)} == set()


def test_versions_of_one_format_stand_together() -> None:
    told = formats_told(["fmt/11", "fmt/3", "fmt/12", "fmt/18", "fmt/999999"])
    assert told == (
        "Portable Network Graphics 1.0 (fmt/11), 1.1 (fmt/12); Graphics Interchange Format 87a (fmt/3); "
        "Acrobat PDF 1.4 - Portable Document Format (fmt/18); fmt/999999"
    )
    assert formats_told([]) == ""


def test_a_version_is_said_once() -> None:
    assert format_name("fmt/18") == "Acrobat PDF 1.4 - Portable Document Format"
    assert format_name("fmt/13") == "Portable Network Graphics 1.2"
    assert with_version("Plain Text File", None) == "Plain Text File"
    assert format_name(None) == format_name("fmt/999999") == ""


def test_the_names_are_of_the_release_that_formats_are_identified_by() -> None:
    [release] = re.findall(r"DROID_SignatureFile_V\d+", schemas.load("pronom-names.json")["about"])
    with PronomIdentifier() as identifier:
        assert release in identifier.version


def test_the_names_are_what_the_identifier_that_we_ship_has() -> None:
    script = Path(__file__).parents[2] / "scripts" / "write_format_names.py"
    spec = importlib.util.spec_from_file_location("write_format_names", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    is_current = module.names_file() == module.FILE.read_text(encoding="utf-8")
    assert is_current, "schemas/pronom-names.json is old: run scripts/write_format_names.py"
