"""Which tool judges which PUID: `schemas/validation.json`, read and checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import schemas
from packages.errors import Invalid
from tools.validity.ports import Outcome, Validity

XML = "xml-schemas"
"""The tool that comes with us: `tools.validity.xml_schemas`."""
OVERRIDE = "validation.json"
"""The file in the home whose table is used instead of ours."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: files of `puids` are judged by `tool`, by its `module` or `profile`.

    `seconds` is how long one ordinary file may take, `largest` the bytes up to which files are judged,
    `suffix` what the tool expects at the end of a name. `accepts` are identifiers of messages that are no
    fault of such a file.
    """

    name: str
    tool: str
    puids: frozenset[str]
    module: str = ""
    profile: str = ""
    suffix: str = ""
    seconds: int = 60
    largest: int = 1 << 40
    accepts: frozenset[str] = frozenset()

    def judged(self, said: Validity) -> Validity:
        """Return what the tool `said` of a file, with messages that are accepted taken for none."""
        if said.outcome is not Outcome.NOT_VALID or said.more or not said.messages:
            return said
        if any(each.partition(":")[0] not in self.accepts for each in said.messages):
            return said
        return replace(said, outcome=Outcome.WELL_FORMED, messages=())


@dataclass(frozen=True, slots=True)
class Table:
    """All of it: `files` is how many a check judges of a package, `seconds` what all may take together."""

    version: str
    files: int
    seconds: int
    checks: tuple[Check, ...]

    def by_puid(self) -> Mapping[str, Check]:
        """Return the check of each PUID."""
        return {puid: check for check in self.checks for puid in check.puids}


def xml_check(table: Table) -> Check | None:
    """Return the check of XML, if the table has one."""
    return next((check for check in table.checks if check.tool == XML), None)


def load_table(home: Path | None = None) -> Table:
    """Return the table of the archive in `home`: its own ``validation.json``, else ours. Raises Invalid."""
    override = home / OVERRIDE if home else None
    if override is None or not override.is_file():
        return _made(schemas.load(OVERRIDE))  # a test holds it to its schema
    try:
        return table_of(json.loads(override.read_bytes()))
    except ValueError as error:
        raise Invalid(
            f"{override} is not JSON: {error}", hint="Mend it, or remove it to use ours."
        ) from error


def table_of(data: Any) -> Table:
    """Return the table that `data` says. Raises Invalid where it breaks its schema or contradicts itself."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # slow to load: most commands judge no file

    wrong = sorted(
        f"{each.json_path}: {each.message}"
        for each in Draft202012Validator(schemas.load("validation.schema.json")).iter_errors(data)
    )
    if not wrong:
        puids = [puid for check in data["checks"] for puid in check["puids"]]
        twice = sorted({each for each in puids if puids.count(each) > 1})
        wrong = [f"two checks for {each}" for each in twice]
    if wrong:
        raise Invalid(
            f"The table of validation tools is wrong: {'; '.join(wrong[:5])}",
            hint=f"schemas/validation.schema.json says what {OVERRIDE} may hold.",
        )
    return _made(data)


def _made(data: Any) -> Table:
    limits = data["limits"]
    checks = tuple(
        Check(**each | {name: frozenset(each.get(name, ())) for name in ("puids", "accepts")})
        for each in data["checks"]
    )
    return Table(data["version"], limits["files"], limits["seconds"], checks)
