"""The format policy of an archive: ours, with the home's own rules before it."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packages.errors import Invalid
from packages.format_policy import FormatPolicy, default_policy

NAME = "format-policy.json"
"""The file of the home whose rules go before ours; where it is not there, ours hold alone."""
MOST_BYTES = 16 << 20


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
