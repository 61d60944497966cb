"""The format policy of an archive: ours, with the home's own rules before it; read, checked, tried out."""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from packages.errors import Invalid, NotFound
from packages.format_policy import Action, FormatPolicy, Kind, Outcome, default_policy, parts_of
from packages.model import Actor, FileEntry
from services.administration.people import require_archivist
from services.archive import Archive
from services.preservation_planning.derivatives import Derivative, Judges, derivatives
from tools.normalise.crew import installed_version, missing
from tools.sandbox import isolation

NAME = "format-policy.json"
"""The file of the home whose rules go before ours; where it is not there, ours hold alone."""
MOST_BYTES = 16 << 20
AT_ONCE = 4
"""Tools that are asked for their versions at once."""


@dataclass(frozen=True, slots=True)
class HomePolicy:
    """What the home's own file comes to: the policy that holds, or what is wrong with the file."""

    policy: FormatPolicy | None
    faults: tuple[str, ...] = ()


def format_policy(home: Path) -> FormatPolicy:
    """Return the policy that holds in `home`; read again when its file was written anew.

    Raises Invalid with every fault of the file named: nothing is made by half a policy.
    """
    found = home_policy(home)
    if found.policy is None:
        raise Invalid(
            f"{home / NAME} is no format policy: {'; '.join(found.faults)}",
            hint="mend it (`holdfast policy check` says when it is well), or take it away",
        )
    return found.policy


def home_policy(home: Path) -> HomePolicy:
    """Return what the home's own file comes to."""
    file = home / NAME
    try:
        facts = file.stat()
    except FileNotFoundError:
        return HomePolicy(default_policy())
    if facts.st_size > MOST_BYTES:
        return HomePolicy(None, (f"it has {facts.st_size} bytes; {MOST_BYTES} are allowed",))
    return _read(file, facts.st_mtime_ns, facts.st_size)


@lru_cache(8)
def _read(file: Path, _moment: int, _size: int) -> HomePolicy:
    return judged(file.read_bytes())


def judged(text: bytes) -> HomePolicy:
    """Return what a file of own rules with this content would come to."""
    from packages.format_policy_home import faults_of, merged  # noqa: PLC0415  # slow to load, seldom needed
    from tools.normalise.adapters import recipes  # noqa: PLC0415  # as above

    ours = default_policy().data
    faults = faults_of(text, ours, recipes)
    if faults:
        return HomePolicy(None, tuple(faults))
    return HomePolicy(FormatPolicy(merged(ours, json.loads(text)), hashlib.sha256(text).hexdigest()))


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the policy asks for: `missing` names what of it is not installed, `version` what is.

    One that is switched off is not looked for.
    """

    name: str
    version: str
    missing: str
    switched_off: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """The policy as archivists see it, with what this machine can do of it."""

    policy: FormatPolicy
    own_file: Path | None
    tools: tuple[Tool, ...]
    not_isolated: tuple[str, ...]

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules that apply to some format, as the API gives them."""
        absent = {each.name for each in self.tools if each.missing or each.switched_off}
        return [rule_json(self.policy, rule, absent) for rule in self.policy.data["rules"] if rule["puids"]]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.policy.name,
            "version": self.policy.version,
            "override": self.policy.override or None,
            "limits": asdict(self.policy.limits),
            "tools": [asdict(each) for each in self.tools],
            "not_isolated": list(self.not_isolated),
            "rules": self.rules(),
        }


def rule_json(policy: FormatPolicy, rule: Mapping[str, Any], absent: Iterable[str] = ()) -> dict[str, Any]:
    """Return one rule as JSON; actions of tools that are `absent` say so."""
    keeps = any(part.get("action") == "keep" for part in parts_of(rule, Kind.PRESERVATION))
    return {
        "name": rule["name"],
        "family": rule.get("family", ""),
        "reason": rule.get("reason", ""),
        "puids": list(rule["puids"]),
        "keeps_original": keeps,
        "actions": [
            {**_action_json(each, policy), "installed": each.tool not in set(absent)}
            for each in policy.actions(rule)
        ],
    }


def _action_json(action: Action, policy: FormatPolicy) -> dict[str, Any]:
    own_limits = asdict(action.limits)
    ours = asdict(policy.limits)
    return {
        "kind": str(action.kind),
        "tool": action.tool,
        "recipe": action.recipe,
        "arguments": dict(action.arguments),
        "label": action.label,
        "condition": action.condition,
        "expect": list(action.expect),
        "checks": list(action.checks),
        "within": dict(action.within),
        "significant": list(action.significant),
        "limits": {name: value for name, value in own_limits.items() if value != ours[name]},
    }


def shown_policy(archive: Archive, actor: Actor) -> Shown:
    """Return the policy that holds; raises Invalid where the home's own file is wrong, Refused for others."""
    require_archivist(actor, "see the format policy")
    policy = format_policy(archive.home)
    own = archive.home / NAME
    names, outside = sorted(policy.tools), archive.outside

    def look(name: str) -> Tool:
        if outside.is_off(name):
            return Tool(name, "", "", switched_off=True)
        return Tool(name, installed_version(name), missing(name), switched_off=False)

    with ThreadPoolExecutor(AT_ONCE) as threads:  # most say their version only when they are started
        tools = tuple(threads.map(look, names))
    return Shown(
        policy,
        own if policy.override else None,
        tools,
        isolation().missing,
    )


def checked(archive: Archive, actor: Actor, file: Path | None = None) -> HomePolicy:
    """Return what a file of own rules comes to: that of the home, or one that might become it."""
    require_archivist(actor, "check the format policy")
    if file is None:
        return home_policy(archive.home)
    try:
        return judged(file.read_bytes())
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Tried:
    """What the policy comes to for one file, done for real: nothing of it is kept."""

    path: str
    entry: FileEntry
    rule: str
    derivatives: tuple[Derivative, ...]

    @property
    def outcomes(self) -> list[Outcome]:
        """Return what became of each derivative."""
        return [each.made.outcome for each in self.derivatives]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "path": self.path,
            "puid": self.entry.puid,
            "format": self.entry.format_name,
            "rule": self.rule or None,
            "derivatives": [_derivative_json(each) for each in self.derivatives],
        }


def _derivative_json(one: Derivative) -> dict[str, Any]:
    made, entry = one.made, one.entry
    return {
        "kind": str(made.kind),
        "outcome": str(made.outcome),
        "message": made.message,
        "tool": made.tool or None,
        "command": made.command or None,
        "name": made.name,
        "size": entry.size if entry else None,
        "puid": entry.puid if entry else None,
        "format": entry.format_name if entry else None,
        "validity": one.validity.as_property() if one.validity else None,
        "checks": [
            {"check": each.name, "same": each.is_same, "source": each.before, "copy": each.after}
            for each in one.checks
        ],
        "changed": [
            {"property": each.name, "source": each.before, "copy": each.after} for each in one.changed
        ],
    }


def tried(archive: Archive, actor: Actor, files: Iterable[Path]) -> Iterator[Tried]:
    """Do for each of `files` what the policy says, in a folder that is gone afterwards; yield what came out.

    Raises NotFound for what is no file, Invalid where the home's own rules are wrong.
    """
    require_archivist(actor, "try the format policy out")
    policy = format_policy(archive.home).using(archive.outside)
    given = list(files)
    for each in given:
        if not each.is_file():
            raise NotFound(f"{each} is no file", hint="name files; folders are not walked")
    with tempfile.TemporaryDirectory(prefix="holdfast-policy-") as folder:
        archive.tools.let_read(Path(folder), *given)
        tools = Judges(archive.normaliser, archive.identifier, archive.characteriser, archive.validator)
        originals = zip(_entries(tools, given), given, strict=True)
        results = derivatives(originals, Path(folder) / "made", policy, tools, archive.limits)
        for each, (entry, made) in zip(given, results, strict=True):
            rule = policy.rule(entry.puid or "")
            yield Tried(str(each), entry, rule["name"] if rule else "", tuple(made))


def _entries(tools: Judges, given: Sequence[Path]) -> Iterator[FileEntry]:
    """Yield what an ingest would know of each of `given`."""
    matches = list(tools.identifier.identify(given))
    found = tools.characteriser.characterise_many(
        (each, match.mime) for each, match in zip(given, matches, strict=True)
    )
    for number, (each, match, facts) in enumerate(zip(given, matches, found, strict=True), 1):
        yield FileEntry(
            f"data/original/{number}/{each.name}",
            "",
            each.stat().st_size,
            "",
            0,
            puid=match.puid,
            format_name=match.name,
            mime=match.mime,
            properties=facts.properties,
        )
