"""Which digests and paths an inventory may name (§3.5.3.1)."""

from collections.abc import Sequence
from typing import Any


def are_digests(names: Sequence[str], digits: int) -> bool:
    """Tell whether all `names` are hexadecimal and of so many digits."""
    if set(map(len, names)) != {digits}:
        return False
    try:
        return len(bytes.fromhex("".join(names))) * 2 == digits * len(names)  # white space would be left out
    except ValueError:
        return False


def are_safe(paths: list[Any]) -> bool:
    """Tell whether all `paths`, of which there is one at least, surely are strings that are safe."""
    if set(map(type, paths)) != {str}:
        return False
    text = "\n".join(("", *paths, ""))
    return not any(odd in text for odd in ("//", "./", ".\n", "\n/", "/\n", "\n\n"))


def is_safe(path: str) -> bool:
    """Tell whether a path is relative and has no empty segment, no ``.`` and no ``..`` (§3.5.3.1)."""
    if "//" not in path and "./" not in path and not path.endswith(".") and path[:1] not in {"/", ""}:
        return not path.endswith("/")  # the quick way for nearly all paths
    return not any(segment in {"", ".", ".."} for segment in path.split("/"))
