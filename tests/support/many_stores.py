"""An archive with several stores: two that are required, a vault that is not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.archive import Archive, init_archive
from tests.support.depositor import Depositor, put

FACTS = """
[store.vault]
required = false
purpose = "cold"
"""


def stores_at(folder: Path, names: Sequence[str]) -> str:
    return ",".join(f"{name}={(folder / name).as_uri()}" for name in names)


@contextmanager
def archive_with(
    folder: Path, names: Sequence[str] = ("primary", "copy", "vault"), facts: str = FACTS
) -> Iterator[Depositor]:
    """Open a fresh archive whose stores are folders below `folder`."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "holdfast.toml").write_text(f'stores = "{stores_at(folder / "disks", names)}"\n{facts}')
    archive, _ = init_archive(home)
    (folder / "out").mkdir()
    try:
        yield Depositor(archive, folder / "out")
    finally:
        archive.close()


def deposit(depositor: Depositor, folder: Path, number: int = 1) -> str:
    """Take a small package in, and return its id."""
    source = put(
        folder / f"source-{number}",
        {"a.txt": b"A %d" % number, "b/c.txt": b"%d" % (number * 7), "empty": b""},
    )
    made = depositor.deposit(source)
    assert made.status["state"] == "published", depositor.why(made)
    return made.id


def states(archive: Archive, package_id: str) -> dict[str, str]:
    """Return how each copy of a package stands."""
    with archive.catalogue.read() as view:
        return {each.store: str(each.state) for each in view.copies(package_id)}
