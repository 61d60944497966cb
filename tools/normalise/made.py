"""What became of one derivative of one original."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packages.format_policy import Action, Kind, Outcome
from packages.model import NOTHING


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one derivative of one original.

    Where it is done, `file` holds the bytes, `name` is its logical path within the tree of its kind, and
    `tool` names the converter with its version; `lossless` tells that every pixel was compared with the
    original's. `command` is the command line without paths of this machine; `before` and `after` are what
    the converter's adapter measured, by the name of a check. `action` is what the policy wanted, where it
    wanted something.
    """

    kind: Kind
    outcome: Outcome
    message: str
    tool: str = ""
    name: str | None = None
    file: Path | None = None
    lossless: bool = False
    action: Action | None = None
    command: str = ""
    before: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    after: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
