"""Move staged files on: whole folders at once, single files where the rule for paths differs.

Every move may be repeated after a crash: what has arrived is left where it is.
"""

from pathlib import Path

from packages.content_paths import content_path


def move_folder(old: Path, new: Path) -> None:
    """Rename the folder `old` to `new`; nothing happens when there is no `old`, or `new` is there already.

    The rename is one step, so a `new` that exists is the whole of what an earlier attempt has moved.
    """
    if old.is_dir() and not new.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)


def move_file(old: Path, new: Path) -> None:
    """Rename one file; nothing happens when it has arrived. Raises FileNotFoundError when it is nowhere.

    Folders that it leaves empty go too: an OCFL object has none (OCFL 1.1, 3.3.1).
    """
    if old == new:
        return
    if old.exists() or not new.exists():
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
    for folder in old.parents:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue  # removed by an attempt that was killed before it came to the next one
        except OSError:
            return


def carried(location: str, old_prefix: str, new_prefix: str) -> str:
    """Return where a file lies after the folder `old_prefix` has been renamed to `new_prefix`."""
    return new_prefix + location.removeprefix(old_prefix) if location.startswith(old_prefix) else location


def below(folder: str, path: str) -> str:
    """Return the location of the logical `path` in the folder, by the one rule for content paths."""
    return f"{folder}/{content_path(path)}"
