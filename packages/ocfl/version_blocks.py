"""When, why and by whom a version was made (§3.5.3.1), as its block in the inventory says it."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
KEYS = frozenset({"created", "state", "message", "user"})
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:(?P<second>\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)\Z",
    re.ASCII,
)

Fault = Callable[[str, str], None]


def judge_version(name: str, said: Mapping[str, Any], fault: Fault) -> None:
    """Judge all of a version's block but its state's rows, telling `fault` codes and details."""
    for key in said.keys() - KEYS:
        fault("E102", f"{key!r} in {name}")
    for key in ("created", "state"):
        if key not in said:
            fault("E048", f"{key} of {name}")
    if "created" in said and not is_internet_time(said["created"]):
        fault("E049", f"{said['created']!r} of {name}")
    for key in ("message", "user"):
        if key not in said:
            fault("W007", f"{key} of {name}")
    if "message" in said and not isinstance(said["message"], str):
        fault("E094", name)
    if "user" in said:
        _user(name, said["user"], fault)


def is_internet_time(value: object) -> bool:
    """Tell whether a value is an RFC 3339 time: with seconds and a zone; a leap second is one."""
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return False
    text = str(value).upper()
    if match["second"] == "60":
        text = f"{text[:17]}59{text[19:]}"
    try:
        datetime.fromisoformat(f"{text[:19]}Z")
    except ValueError:
        return False
    return True


def _user(name: str, user: object, fault: Fault) -> None:
    if not isinstance(user, dict) or not isinstance(user.get("name"), str) or not user["name"]:
        fault("E054", name)
        return
    for key in user.keys() - {"name", "address"}:
        fault("E102", f"{key!r} in the user of {name}")
    address = user.get("address")
    if "address" not in user:
        fault("W008", name)
    elif not isinstance(address, str):
        fault("E054", f"the address in {name} is no string")
    elif not URI.match(address):
        fault("W009", f"{address} in {name}")
