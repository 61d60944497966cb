"""The storage root: its declarations, the README for a stranger, and the marker that says whose it is."""

import json
from collections.abc import Callable
from importlib import resources

from packages.errors import Conflict, NotFound, Refused, Unavailable
from packages.ocfl import layout
from storage.archival.medium import Medium
from storage.ports import Problem, Verdict

MARKER = "extensions/holdfast-archive/archive.json"
README = "README.md"


def prepare(medium: Medium, archive_id: str) -> None:
    """Create the root, or complete and check it; the declaration comes last, so a crash is mended."""
    medium.make()
    names = {item.name for item in medium.list("")}
    if MARKER.split("/", 1)[0] not in names and names - {README, "ocfl_layout.json", layout.DECLARATION}:
        raise Refused(
            f"{medium.url} holds something else already: {', '.join(sorted(names)[:5])}.",
            hint="Name an empty or new folder for this store.",
        )
    _check_marker(medium, archive_id, missing_is_fine=layout.DECLARATION not in names)
    _put(medium, MARKER, _json({"archive": archive_id, "software": "Holdfast", "marker": 1}))
    _put(medium, README, (resources.files("storage.archival") / "root-readme.md").read_bytes())
    _put(medium, f"extensions/{layout.NAME}/config.json", _json(layout.CONFIG))
    _put(medium, "ocfl_layout.json", _json({"extension": layout.NAME, "description": layout.DESCRIPTION}))
    _put(medium, layout.DECLARATION, layout.DECLARATION_TEXT)


def check(medium: Medium, archive_id: str) -> None:
    """Raise Unavailable when the root is not there, Refused when it is not the archive's."""
    if not medium.present():
        raise Unavailable(
            f"The store {medium.url} is not there.", hint="Is its disk mounted and the network up?"
        )
    try:
        medium.read(layout.DECLARATION)
    except NotFound:
        raise Unavailable(
            f"{medium.url} is no OCFL storage root.",
            hint="Is its disk mounted? `holdfast init` prepares a new store.",
        ) from None
    _check_marker(medium, archive_id, missing_is_fine=False)


def inspect(medium: Medium, archive_id: str) -> list[Problem]:
    """Return what is missing or altered of the root's own files, as long as its marker says whose it is."""
    try:
        medium.read(MARKER)
    except NotFound:
        check(medium, archive_id)  # whose it is cannot be told: says so
        return []
    _check_marker(medium, archive_id, missing_is_fine=False)
    config = f"extensions/{layout.NAME}/config.json"
    parts: dict[str, Callable[[bytes], bool]] = {
        layout.DECLARATION: lambda data: data == layout.DECLARATION_TEXT,
        "ocfl_layout.json": lambda data: bool(json.loads(data)["extension"] == layout.NAME),
        config: lambda data: bool(json.loads(data) == layout.CONFIG),
    }
    found = []
    for key, is_sound in parts.items():
        try:
            if not is_sound(medium.read(key)):
                raise ValueError  # noqa: TRY301  # as a text that is no JSON raises
        except NotFound:
            found.append(Problem(key, Verdict.MISSING, None, None))
        except (ValueError, KeyError, TypeError):
            found.append(Problem(key, Verdict.CORRUPT, None, "not what `holdfast init` writes"))
        except Unavailable as error:
            found.append(Problem(key, Verdict.UNCHECKED, None, error.message))
    return found


def archive_id(medium: Medium) -> str | None:
    """Return the UUID of the archive whose marker the root bears, or None where there is no marker."""
    try:
        return str(json.loads(medium.read(MARKER))["archive"])
    except NotFound:
        return None
    except (ValueError, KeyError, TypeError):
        raise Refused(f"The archive's marker in {medium.url} cannot be read.") from None


def _check_marker(medium: Medium, archive_id: str, *, missing_is_fine: bool) -> None:
    try:
        found = json.loads(medium.read(MARKER))["archive"]
    except NotFound:
        if missing_is_fine:
            return
        raise Refused(
            f"{medium.url} is an OCFL storage root, but bears no marker of this archive.",
            hint=f"Is the right disk mounted? If it is, copy {MARKER} from another store of the archive.",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise Refused(f"The archive's marker in {medium.url} cannot be read.") from None
    if found != archive_id:
        raise Refused(
            f"{medium.url} belongs to another archive ({found}).",
            hint="Give each archive stores of its own.",
        )


def _put(medium: Medium, key: str, data: bytes) -> None:
    """Write what is not there; what is there stays, as an older release wrote it."""
    try:
        medium.read(key)
    except NotFound:
        try:
            medium.create(key, data)
        except Conflict:  # another process prepares the same root
            return


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
