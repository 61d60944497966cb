"""An archive with an application before it, and people of every role who may call it, each with a token."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from packages.ledger import PackageState
from packages.model import Actor
from packages.record import CURRENT
from services.administration.people import create_token
from services.administration.sign_in import actor_of_token
from services.archive import Archive
from services.ingest.submission import Wanted, submit
from services.work.engine import run_job
from tests.support.depositor import depositor_of, put

BASE = "http://127.0.0.1:8000"
"""Where the clients say that they call; a host name that the guards let in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token of their own."""

    actor: Actor
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


REGISTRAR = Actor("os:registrar", "The registrar", frozenset({"admin"}))
"""Who makes everybody's tokens, and does nothing else: whoever makes a token may not be its second person."""


def caller_of(archive: Archive, role: str, name: str = "") -> Caller:
    """Make a person of a role (depositor, archivist, admin) with a token."""
    _, secret = create_token(archive, REGISTRAR, name=name or role, role=role, expires=None)
    actor = actor_of_token(archive, secret)
    assert actor is not None
    return Caller(actor, secret)


def client_of(
    archive: Archive, role: str | None = None, *, app: FastAPI | None = None, defects: bool = True
) -> TestClient:
    """Return a client of a new application (or of `app`) that bears the token of a new person of `role`.

    Without a role nobody is signed in. A defect of ours is raised in the test, unless `defects` is False.
    """
    headers = caller_of(archive, role).headers if role else {}
    return client_as(app or create_app(archive), headers, defects=defects)


def client_as(app: FastAPI, headers: Mapping[str, str] | None = None, *, defects: bool = True) -> TestClient:
    """Return a client of `app` that sends these headers with each request."""
    return TestClient(
        app,
        base_url=BASE,
        headers=dict(headers or {}),
        raise_server_exceptions=defects,
        follow_redirects=False,
    )


@dataclass
class House:
    """An archive in which two depositors have packages of every kind, and the people who come to it.

    `packages` are by name: those of the owner, and ``other`` and ``other_hidden``, which are another's.
    """

    archive: Archive
    folder: Path
    app: FastAPI
    people: dict[str, Caller]
    packages: dict[str, str] = field(default_factory=dict)

    def client(self, who: str | None = None, *, defects: bool = True) -> TestClient:
        """Return a client for ``owner``, ``other``, ``archivist``, ``admin``, or nobody."""
        return client_as(self.app, self.people[who].headers if who else {}, defects=defects)

    def deposit(
        self,
        who: str,
        name: str,
        *,
        access: Mapping[str, str] | None = None,
        until: str | None = None,
        files: Mapping[str, bytes] | None = None,
        **record: object,
    ) -> str:
        """Deposit a folder as `who`, walk its job (until a step, if one is given) and return the id."""
        source = put(self.folder / name, files or {"letter.txt": f"Letter of {name}\n".encode(), **PICTURE})
        if not files and name.startswith("rejected"):
            (source / "bagit.txt").write_bytes(b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        said: dict[str, object] = {**RECORD, "title": f"Title of {name}", **record}
        if access is not None:
            said["access"] = dict(access)
        job = submit(
            self.archive,
            self.people[who].actor,
            Wanted(source, record=json.dumps(said).encode(), new=True),
        )
        run_job(self.archive, job.id, until=until)
        self.packages[name] = job.package_id
        return job.package_id


PICTURE = {
    "pictures/dot.gif": b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
}
RECORD = {
    "$schema": CURRENT,
    "creators": ["Ada Lovelace"],
    "publisher": "Harbour museum",
    "publicationYear": 1911,
    "resourceType": "Dataset",
    "subjects": ["harbour"],
}
FAR = "2999-01-01"


@contextmanager
def house_with(folder: Path, **settings: str | int) -> Iterator[House]:
    """Open an archive with an application and people of every role, and nothing in it."""
    with depositor_of(folder / "home", folder / "out", **settings) as depositor:
        archive = depositor.archive
        people = {
            "owner": caller_of(archive, "depositor", "The owner"),
            "other": caller_of(archive, "depositor", "The other depositor"),
            "archivist": caller_of(archive, "archivist", "The archivist"),
            "admin": caller_of(archive, "admin", "The administrator"),
        }
        yield House(archive, folder / "sources", create_app(archive), people)


@contextmanager
def house_of(folder: Path, **settings: str | int) -> Iterator[House]:
    """Open an archive with a few packages of two depositors: use it for a whole module of tests.

    Owned by ``owner``: published, restricted_files, restricted (metadata too), embargoed, rejected, queued
    (received, not gone on with). Owned by ``other``: other, other_hidden (restricted metadata).
    """
    with house_with(folder, **settings) as house:
        hidden = {"metadata": "restricted", "files": "restricted"}
        house.deposit("owner", "published")
        house.deposit("owner", "restricted_files", access={"metadata": "open", "files": "restricted"})
        house.deposit("owner", "restricted", access=hidden)
        house.deposit(
            "owner", "embargoed", access={"metadata": "open", "files": "embargoed", "filesUntil": FAR}
        )
        house.deposit("owner", "rejected")
        house.deposit("owner", "queued", until="receive")
        house.deposit("other", "other")
        house.deposit("other", "other_hidden", access=hidden)
        prove(house)
        yield house


def prove(house: House) -> None:
    """Raise AssertionError unless the packages are in the states that their names promise."""
    with house.archive.catalogue.read() as view:
        found = {name: view.package(each).state for name, each in house.packages.items()}
    expected = dict.fromkeys(house.packages, PackageState.PUBLISHED)
    expected |= {"rejected": PackageState.REJECTED, "queued": PackageState.SUBMITTED}
    assert found == expected
