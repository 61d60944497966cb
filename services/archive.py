"""The composition root: opens an archive's catalogue, stores, index, staging and tools from its settings.

Everything else in `services` gets an `Archive` and asks it; no other module constructs a backend.
"""

import logging
import time
import uuid
from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packages.errors import HoldfastError, NotFound, Refused, Unavailable
from packages.ledger import KEPT_STATES, CopyState
from packages.outside_tools import OutsideTools
from packages.packing import RULE
from packages.wording import counted
from services.home import MARKER, mark, require_owner, stamp
from services.settings import Settings
from services.settings_sources import load_settings
from services.toolbox import Toolbox
from storage.access_copies import AccessCopies
from storage.archival import open_store
from storage.catalogue import open_catalogue
from storage.catalogue.port import Catalogue, WriteSession
from storage.ports import ArchivalStore
from storage.quarantine import Quarantine
from storage.search import open_search_index
from storage.search.port import SearchIndex
from storage.sources import Limits
from storage.staging import Staging
from tools.characterise import Characteriser
from tools.clamav import ClamdScanner, NotConfigured
from tools.clamav import Limits as ScanLimits
from tools.normalise import Normaliser
from tools.own_folders import hide
from tools.pids import ArkProvider
from tools.ports import FormatIdentifier, PidProvider, VirusScanner
from tools.validity import load_table

if TYPE_CHECKING:
    from tools.validity import Validator

log = logging.getLogger("holdfast.archive")

LOOK_SECONDS = 1.0
"""Seconds between two looks at the settings' file while nobody asks for stores."""
CATALOGUE = "catalogue.db"
SCRATCH = "scratch"
"""The folder of those that the processes which read deposits may write to, one each; gone with them."""


class Archive:
    """One open archive. Parts are opened when they are first used, so that a small command starts quickly.

    May be shared between threads. `close` may be called twice.
    """

    def __init__(self, settings: Settings, tools: Toolbox | None = None) -> None:
        self._tools = tools or Toolbox()
        self.packing = RULE
        self._settings = settings
        self._stamp = stamp(settings.home)
        self._stores: dict[str, ArchivalStore] | None = None
        self._written: tuple[Mapping[str, ArchivalStore], Mapping[str, ArchivalStore]] = ({}, {})
        self._looked = time.monotonic()

    @property
    def settings(self) -> Settings:
        """Return the settings.

        A process that runs for long follows ``holdfast.toml`` in what it says of stores: one that is added,
        moved or retired there is so a second later, and at once for who asks for `stores`. All else is as it
        was when it was opened.
        """
        if time.monotonic() > self._looked + LOOK_SECONDS:  # steps ask at each file
            self._look()
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings, self._stores = settings, None

    @property
    def home(self) -> Path:
        """Return the archive's home."""
        return self._settings.home

    @cached_property
    def catalogue(self) -> Catalogue:
        """Return the catalogue, migrated to this release."""
        catalogue = open_catalogue(self.settings.catalogue_url)
        catalogue.migrate()
        return catalogue

    @cached_property
    def archive_id(self) -> str:
        """Return the archive's own UUID, which every store bears as its marker."""
        with self.catalogue.read() as view:
            known = view.archive_id()
        if known is None:
            raise NotFound(f"{self.home} is no archive yet", hint="run `holdfast init`")
        return known

    @property
    def stores(self) -> Mapping[str, ArchivalStore]:
        """Return the archival stores by name, primary first; whoever writes to one checks it before.

        They may be others at the next question: who asks several things asks once, and keeps the answer.
        """
        self._look()
        if self._stores is None:
            said = self._settings
            self._stores = {name: open_by(said, name, url) for name, url in said.store_urls.items()}
        return self._stores

    @property
    def written_stores(self) -> Mapping[str, ArchivalStore]:
        """Return the stores that new packages and events are written to, primary first."""
        stores, (known, written) = self.stores, self._written
        if known is not stores:  # each package asks several times
            said = self.settings.facts
            written = {name: each for name, each in stores.items() if not said(name).read_only}
            self._written = stores, written
        return written

    @property
    def stores_to_read(self) -> Mapping[str, ArchivalStore]:
        """Return the stores in the order in which they are read from: cold ones, and those to ask, last."""
        said = self.settings.facts

        def is_slow(name: str, store: ArchivalStore) -> tuple[bool, bool]:
            facts = said(name)
            return store.capabilities.recall or facts.recall, facts.purpose == "cold"

        return dict(sorted(self.stores.items(), key=lambda each: is_slow(*each)))

    @property
    def primary(self) -> ArchivalStore:
        """Return the primary store."""
        return next(iter(self.stores.values()))

    @cached_property
    def index(self) -> SearchIndex:
        """Return the search index."""
        return open_search_index(self.settings.search_url, self.home, may_begin=self._is_nothing_kept)

    @cached_property
    def staging(self) -> Staging:
        """Return the staging area."""
        return Staging(self.settings.staging_root)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Return the place of infected files."""
        return Quarantine(self.home / "quarantine")

    @cached_property
    def access(self) -> AccessCopies:
        """Return the place of access copies."""
        return AccessCopies(self.home / "access")

    @cached_property
    def tools(self) -> Toolbox:
        """Return the tools in child processes, which read what is staged and nothing else of the archive."""
        hide(*self.settings.own_folders())
        self._tools.work_in(self.settings.staging_root, self.home / SCRATCH)
        return self._tools

    @property
    def identifier(self) -> FormatIdentifier:
        """Return the format identifier."""
        return self.tools.identifier

    @cached_property
    def scanner(self) -> VirusScanner:
        """Return the virus scanner, or one that says that none is configured."""
        said = self.settings
        if not said.clamd:
            return NotConfigured()
        return ClamdScanner(
            said.clamd, ScanLimits(largest=said.clamd_max_bytes, max_age_days=said.clamd_max_age_days or None)
        )

    @property
    def characteriser(self) -> Characteriser:
        """Return what reads technical metadata."""
        return self.tools.characteriser

    @property
    def normaliser(self) -> Normaliser:
        """Return what makes derivatives."""
        return self.tools.normaliser

    @cached_property
    def validator(self) -> "Validator":
        """Return what holds files to the rules of their formats."""
        from tools.validity import Validator  # noqa: PLC0415  # slow to load, and most commands judge no file

        said = self.settings
        hide(*said.own_folders())
        validator = Validator(load_table(self.home), said.tools_folder, said.schemas_folder, self.outside)
        validator.xml.work_in(said.staging_root, self.home / SCRATCH)
        return validator

    @property
    def outside(self) -> OutsideTools:
        """Return which converters and validators of others may be used."""
        return OutsideTools.parse(self.settings.outside_tools)

    @cached_property
    def pids(self) -> PidProvider:
        """Return who gives persistent identifiers."""
        return ArkProvider(self.settings.ark_naan, self.settings.ark_shoulder)

    @property
    def limits(self) -> Limits:
        """Return how much a submission may be."""
        said = self.settings
        return Limits(
            members=said.max_members,
            bytes=said.max_bytes,
            ratio=said.max_ratio,
            depth=said.max_depth,
            path_bytes=said.max_path_bytes,
            reserve=said.reserve_bytes,
        )

    def _is_nothing_kept(self) -> bool:
        with self.catalogue.read() as view:
            packages = view.counts().packages
        return not any(packages.get(state, 0) for state in KEPT_STATES)

    def _look(self) -> None:
        """Look whether ``holdfast.toml`` has been written anew."""
        self._looked = time.monotonic()
        if (found := stamp(self.home)) != self._stamp:
            self._stamp = found
            self._look_again()

    def _look_again(self) -> None:
        """Take over what ``holdfast.toml`` says of stores now; settings that are wrong change nothing."""
        try:
            fresh = load_settings(self.home)
            urls = fresh.store_urls
        except HoldfastError as error:
            log.warning("holdfast.toml was changed and is not followed: %s", error.message)
            return
        known, before = self._stores or {}, self._settings.store_urls
        opened: dict[str, ArchivalStore] = {
            name: known[name]
            if name in known and before.get(name) == url and fresh.facts(name) == self._settings.facts(name)
            else open_by(fresh, name, url)
            for name, url in urls.items()
        }
        changed = {"stores": fresh.stores, "store": fresh.store}
        self._settings, self._stores = self._settings.model_copy(update=changed), opened

    def close(self) -> None:
        """Give everything back."""
        for part in ("catalogue", "index", "validator"):
            if (opened := self.__dict__.pop(part, None)) is not None:
                opened.close()
        self._tools.close()


class Purpose(StrEnum):
    """Why an archive is made or completed; closed."""

    INIT = "init"
    """Somebody asked for it: every store is prepared."""
    INGEST = "ingest"
    """Something is to be kept: stores are prepared only while nothing is kept yet."""
    REBUILD = "rebuild"
    """The catalogue is about to be made from the stores, which stay as they are."""


def init_archive(
    home: Path,
    purpose: Purpose = Purpose.INIT,
    tools: Toolbox | None = None,
    *,
    anew: Collection[str] = (),
) -> tuple[Archive, bool]:
    """Make an archive in `home`, or complete one; return it and whether it is new.

    `tools` are those that the archive will use, and soon: they are told where, and load their libraries
    meanwhile. Doing it twice changes nothing. A store that has copies, and whose disk is not mounted, never
    begins in the empty folder, unless it is one of those that begin `anew`. Raises Refused for a folder with
    other things in it and for a store that bears another archive's marker, Unavailable for such a store and
    for an ingest whose catalogue was lost.
    """
    home = home.absolute()
    settings = load_settings(home)
    filled = home.exists() and any(home.iterdir())
    if filled and not any((home / name).exists() for name in (MARKER, CATALOGUE)):
        raise Refused(f"{home} is not empty and not an archive", hint="choose an empty or a new folder")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_owner(home)
    is_new = mark(home)
    archive = Archive(settings, tools)
    archive.staging.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if tools is not None:
        archive.tools.start()
    if purpose is Purpose.INGEST:
        _require_catalogue(archive)
    with archive.catalogue.write() as unit:  # one transaction: two who begin at once agree on the id
        archive_id, kept = unit.archive_id(), bool(unit.packages(limit=1))
        if archive_id is None:
            held = _holder(archive)
            kept, archive_id = held is not None, held[1] if held else str(uuid.uuid4())
            if not kept or purpose is Purpose.INIT:  # else whoever rebuilds sets it with all the rest
                unit.set_archive_id(archive_id)
    if purpose is Purpose.INIT or not kept:
        for name in archive.stores.keys() - {*anew}:
            require_not_lost(archive, name)
        for store in archive.stores.values():
            store.prepare(archive_id)
    try:
        archive.index.count()  # makes it
    except Unavailable as error:  # what is found by it waits in the outbox meanwhile
        log.warning("%s", error.told)
    return archive, is_new


def require_not_lost(archive: Archive, name: str) -> None:
    """Raise Unavailable for a store that bears no marker though the catalogue knows of copies in it.

    The likeliest is that its disk is not mounted: what is written then lies below it, out of sight.
    """
    with archive.catalogue.read() as view:
        known = [each for each in view.copy_tallies() if each.store == name]
    copies = sum(each.number for each in known if each.state not in {CopyState.PENDING, CopyState.MISSING})
    if copies and archive.stores[name].archive_id() is None:
        raise Unavailable(
            f"the store {name} is empty, though {counted(copies, 'copy', 'copies')} should be there",
            hint=f"is its disk mounted? If it is lost for good: `holdfast init --anew {name}`, then "
            f"`holdfast store fill {name}`",
        )


def open_archive(home: Path) -> Archive:
    """Open the archive in `home`.

    Raises NotFound where there is none, Refused where it belongs to another user, Unavailable where the
    catalogue was lost while the stores are there.
    """
    home = home.absolute()
    if not (home / MARKER).exists():
        raise NotFound(f"there is no archive in {home}", hint="run `holdfast init`, or name one with --home")
    require_owner(home)
    archive = Archive(load_settings(home))
    _require_catalogue(archive)
    return archive


def open_by(settings: Settings, name: str, url: str) -> ArchivalStore:
    """Return the store at `url`, which need not be one of the settings', without touching it."""
    read_only = settings.facts(name).read_only
    return open_store(name, url, s3_endpoint_url=settings.s3_endpoint_url, read_only=read_only)


def require_archive_id(archive: Archive, unit: WriteSession) -> None:
    """Give a catalogue that was lost the id that the stores bear, in the transaction that fills it again."""
    if unit.archive_id() is None and (held := _holder(archive)) is not None:
        unit.set_archive_id(held[1])


def _require_catalogue(archive: Archive) -> None:
    """Raise Unavailable for a catalogue that knows nothing while a store bears an archive's marker."""
    with archive.catalogue.read() as view:
        if view.archive_id() is not None:
            return
    if (held := _holder(archive)) is not None:
        raise Unavailable(
            f"the catalogue of {archive.home} is lost or new, but the store {held[0]} keeps packages",
            hint="`holdfast rebuild` makes the catalogue from the stores",
        )


def _holder(archive: Archive) -> tuple[str, str] | None:
    """Return the first store that bears a marker, and the archive's id in it."""
    for name, store in archive.stores.items():
        if (found := store.archive_id()) is not None:
            return name, found
    return None
