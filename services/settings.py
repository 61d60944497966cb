"""Every setting of Holdfast: its name, default, unit and reason, in one place.

Values come from the environment (``HOLDFAST_…``) or from ``holdfast.toml`` in the home; the environment wins.
Unknown names are an error with a suggestion, because a misspelt setting is a setting that does not work.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from packages.errors import Invalid, Refused
from packages.format_findings import FormatFindings
from packages.outside_tools import OutsideTools
from packages.pids.ark import NAAN

PREFIX = "HOLDFAST_"
EMAIL = re.compile(r"[^\s@]+@([^\s@.]+\.)+[^\s@.]+")
NOT_SETTINGS = frozenset({"HOLDFAST_HOME"})  # says where the settings are; is none itself


class StoreFacts(BaseModel):
    """What is said about one store in ``[store.NAME]`` of ``holdfast.toml``; shown, never guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: bool = Field(default=True, description="a package is archived only when this copy is verified")
    purpose: Literal["", "primary", "replica", "cold"] = Field(
        default="", description="primary (the first store), replica, or cold: read only when no other can be"
    )
    place: str = Field(default="", description="where the medium stands")
    medium: str = Field(default="", description="disk, tape, object store")
    operator: str = Field(default="", description="who runs it")
    disaster: str = Field(default="", description="what would take it: flood, fire, an insolvency")
    replace_by: str = Field(default="", description="date by which the medium is to be replaced: 2031-06-30")
    read_only: bool = Field(default=False, description="nothing new is written there; what is there counts")
    recall: bool = Field(default=False, description="content must be asked for before it can be read")
    fixity_days: int | None = Field(
        default=None,
        gt=0,
        description="days after which a copy is read back again; unset: HOLDFAST_FIXITY_DAYS",
    )

    @field_validator("replace_by", mode="before")
    @classmethod
    def _date(cls, value: Any) -> str:
        if isinstance(value, str) and value == "":
            return value
        try:
            return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
        except (TypeError, ValueError):
            raise ValueError("write a date such as 2031-06-30") from None


class Settings(BaseModel):
    """The settings of one archive, checked and frozen; sizes in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path
    database_url: str = Field(
        default="", description="SQLAlchemy URL of the catalogue; SQLite in the home by default"
    )
    stores: str = Field(default="", description="archival stores as name=url, the first is primary")
    store: dict[str, StoreFacts] = Field(
        default_factory=dict, description="facts of each store (holdfast.toml only)"
    )
    s3_endpoint_url: str = Field(
        default="", description="S3 server of s3:// stores; unset: as botocore's own settings (AWS_…) say"
    )
    search_url: str = Field(default="sqlite://", description="search index; sqlite:// is FTS5 in the home")
    staging_url: str = Field(
        default="", description="where submissions are worked on; same disk as the primary store"
    )
    base_url: str = Field(default="http://127.0.0.1:8000", description="start of links that are shown")
    oai_namespace: str = Field(default="archive.localhost", description="domain in oai:NAMESPACE:ID")
    pid_provider: Literal["ark"] = Field(default="ark", description="who gives persistent identifiers")
    ark_naan: str = Field(default="99999", description="name assigning authority number; 99999 is for tests")
    ark_shoulder: str = Field(default="hf1", description="start of each ARK name under the NAAN")
    approval: Literal["never", "on_warning", "always"] = Field(
        default="never", description="when a package waits for an archivist before it is archived"
    )
    clamd: str = Field(
        default="", description="unix:///socket or tcp://host:port of clamd; unset: not configured"
    )
    clamd_max_bytes: int = Field(
        default=100 * 2**20, gt=0, description="larger files are recorded as too large to scan"
    )
    clamd_max_age_days: int = Field(
        default=7, ge=0, description="older signatures are stale; 0 takes any age"
    )
    format_findings: str = Field(
        default="",
        description=(
            "weight of findings about formats: unknown=error, extension-mismatch:fmt/101=info, empty=ignore"
        ),
    )
    outside_tools: str = Field(
        default="all",
        description="converters and validators of others to use: all (that are installed), none, or names",
    )
    tools: str = Field(
        default="",
        description="folder of Java tools, as scripts/install-tools fills it; unset: tools in the home",
    )
    xml_schemas: str = Field(
        default="",
        description="folder of XML schemas that documents are held to; unset: schemas in the home",
    )
    archive_name: str = Field(
        default="Holdfast archive", min_length=1, description="what harvesters are told that this archive is"
    )
    archive_email: str = Field(
        default="", description="whom harvesters may write to; unset: archivist at the OAI namespace"
    )
    publisher: str = Field(default="", description="publisher in records that are made without one")
    bagit_profiles: str = Field(
        default="",
        description="files of further BagIt profiles, commas between; a bag that names one is held to it",
    )
    bagit_profiles_required: str = Field(
        default="",
        description="identifiers of BagIt profiles, commas between; each bag must follow one of them",
    )
    fetch_allowed: str = Field(
        default="",
        description="starts of URLs that fetch.txt of a bag may name, commas between; unset: none is read",
    )
    max_members: int = Field(default=2_000_000, gt=0, description="files and folders in one submission")
    max_bytes: int = Field(default=16 * 2**40, gt=0, description="bytes in one submission, unpacked")
    max_ratio: int = Field(default=200, gt=0, description="unpacked to packed size of an archive")
    max_depth: int = Field(default=250, gt=0, description="folders inside each other")
    max_path_bytes: int = Field(default=4096, gt=0, description="bytes of one path in UTF-8")
    reserve_bytes: int = Field(default=64 * 2**20, ge=0, description="space that is kept free on each disk")
    prefect_api_url: str = Field(
        default="",
        description="URL of Prefect's API, which ends in /api; unset: the home's own server",
    )
    prefect_patience: int = Field(
        default=15, ge=0, description="seconds that packages wait for Prefect; then they go on without it"
    )
    allowed_hosts: str = Field(
        default="", description="host names that the API answers to, beside loopback and that of the base URL"
    )
    proxies: int = Field(
        default=0, ge=0, description="proxies in front of the API whose X-Forwarded-For is believed"
    )
    requests_per_second: int = Field(
        default=300, gt=0, description="requests of one client that the API answers in a second, on average"
    )
    step_seconds: int = Field(
        default=6 * 3600,
        gt=0,
        description="a step that does not move for so long is ended, as failed",
    )
    fixity_days: int = Field(
        default=90,
        gt=0,
        description="days after which a copy is read back again; a store may say its own",
    )
    lease_seconds: int = Field(default=60, gt=0, description="after this a silent worker counts as dead")

    @field_validator("ark_naan")
    @classmethod
    def _naan(cls, value: str) -> str:
        if not NAAN.fullmatch(value):
            raise ValueError("a NAAN is five to nine betanumeric characters, such as 12345")
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str) -> str:
        return value.rstrip("/")  # paths are written behind it

    @field_validator("archive_email")
    @classmethod
    def _email(cls, value: str) -> str:
        if value and not EMAIL.fullmatch(value):
            raise ValueError("write an address like archivist@example.org")
        return value

    @field_validator("format_findings", "outside_tools")
    @classmethod
    def _words(cls, value: str, info: ValidationInfo) -> str:
        try:
            FormatFindings(value) if info.field_name == "format_findings" else OutsideTools.parse(value)
        except Invalid as error:
            raise ValueError(f"{error.message}; {error.hint}") from None
        return value

    def record_address(self, package_id: str) -> str:
        """Return the address of a package's landing page, where identifiers lead."""
        return f"{self.base_url}/records/{package_id}"

    @property
    def catalogue_url(self) -> str:
        """Return the catalogue's URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'catalogue.db'}"

    @property
    def store_urls(self) -> dict[str, str]:
        """Return name → URL of each store, primary first.

        Raises Refused for a text that is not ``name=url,name=url``.
        """
        text = self.stores or f"primary={self._default_store('primary')},copy={self._default_store('copy')}"
        urls: dict[str, str] = {}
        for part in filter(None, (each.strip() for each in re.split(r",(?=[A-Za-z0-9_-]+=)", text))):
            name, equals, url = part.partition("=")
            if not equals or "://" not in url or not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in urls:
                raise Refused(
                    f"HOLDFAST_STORES: “{part}” is not name=url with a name of its own",
                    hint="write for example primary=file:///disk1/archive,copy=file:///disk2/archive",
                )
            urls[name] = url
        if unknown := sorted(self.store.keys() - urls.keys()):
            raise Refused(
                f"holdfast.toml describes a store that is not in HOLDFAST_STORES: {', '.join(unknown)}"
            )
        _require_sense(urls, {name: self.store.get(name, StoreFacts()) for name in urls})
        return urls

    @property
    def staging_root(self) -> Path:
        """Return the staging folder; only ``file://`` is possible, as staging shares the primary's disk."""
        url = self.staging_url or (self.home / "staging").as_uri()
        if not url.startswith("file://"):
            raise Refused(
                "HOLDFAST_STAGING_URL must be a file:// URL: staging shares the primary store's disk"
            )
        return path_of(url)

    def own_folders(self) -> list[Path]:
        """Return every local folder that is the archive's own: home, staging, stores."""
        local = [path_of(url) for url in self.store_urls.values() if url.startswith("file://")]
        return [self.home, self.staging_root, *local]

    @property
    def tools_folder(self) -> Path:
        """Return the folder of Java tools, whether it is there or not."""
        return Path(self.tools) if self.tools else self.home / "tools"

    @property
    def schemas_folder(self) -> Path | None:
        """Return the folder of the archive's own XML schemas, or None where there is none."""
        folder = Path(self.xml_schemas) if self.xml_schemas else self.home / "schemas"
        return folder if folder.is_dir() else None

    def fixity_period(self, store: str) -> int:
        """Return after how many days each copy in the store is to be read back again."""
        return self.facts(store).fixity_days or self.fixity_days

    def facts(self, store: str) -> StoreFacts:
        """Return what is said about the store; what is not said about its purpose follows from its place."""
        said = self.store.get(store, StoreFacts())
        if said.purpose:
            return said
        is_first = store == next(iter(self.store_urls))
        return said.model_copy(update={"purpose": "primary" if is_first else "replica"})

    def _default_store(self, name: str) -> str:
        return (self.home / "stores" / name).as_uri()


def _require_sense(urls: dict[str, str], facts: dict[str, StoreFacts]) -> None:
    """Raise Refused for stores that are one place under two names, or whose facts contradict each other."""
    first, wrong, seen = next(iter(urls), ""), [], dict[str, str]()
    for name, url in urls.items():
        said = facts[name]
        if (other := seen.setdefault(url.rstrip("/"), name)) != name:
            wrong.append(f"{other} and {name} are the same place")
        if name == first and (said.purpose not in {"", "primary"} or said.read_only or not said.required):
            wrong.append(f"{name} is the first store: it is the primary, required, and written to")
        if name != first and said.purpose == "primary":
            wrong.append(f"{name} is not the first store, so it is not the primary")
        if name != first and said.required and said.read_only:
            wrong.append(f"{name} is required, and read-only: no package could be archived")
    if wrong:
        raise Refused("; ".join(wrong), hint="mend HOLDFAST_STORES, or [store.NAME] in holdfast.toml")


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting with the place it came from, as ``holdfast config`` shows it."""

    name: str
    value: str
    source: str
    description: str


def path_of(url: str) -> Path:
    """Return the path of a ``file://`` URL, percent-decoded."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415  # needed here only, keeps start-up short

    return Path(unquote(urlsplit(url).path))


def default_home() -> Path:
    """Return the home: ``HOLDFAST_HOME``, or the platform's user data folder."""
    if given := os.environ.get("HOLDFAST_HOME"):
        return Path(given).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(data) / "holdfast"


def load_settings(home: Path) -> Settings:
    """Read the settings for `home` from the environment and ``holdfast.toml``.

    Raises Refused with every wrong name and value at once.
    """
    return _build(home, _environment(), _toml(home))


def settings_from(home: Path, file: dict[str, Any]) -> Settings:
    """Return what would hold if `file` were what ``holdfast.toml`` says. Raises Refused."""
    return _build(home, _environment(), file)


def origins(home: Path) -> list[Origin]:
    """Return every setting with its value (secrets masked) and where it came from."""
    environment, file = _environment(), _toml(home)
    settings = _build(home, environment, file)
    shown = []
    for name, field in Settings.model_fields.items():
        if name in {"home", "store"}:
            continue
        value = str(
            {"database_url": settings.catalogue_url, "staging_url": settings.staging_root.as_uri()}.get(
                name, getattr(settings, name)
            )
        )
        if name == "stores":
            value = ",".join(f"{key}={url}" for key, url in settings.store_urls.items())
        source = "environment" if name in environment else "holdfast.toml" if name in file else "default"
        shown.append(Origin(PREFIX + name.upper(), masked(value), source, field.description or ""))
    return [*shown, *(each for name in settings.store_urls for each in _said_of(settings, name))]


def _said_of(settings: Settings, store: str) -> Iterator[Origin]:
    """Yield what is said about a store, a fact each."""
    said = settings.store.get(store, StoreFacts()).model_fields_set
    for fact, value in settings.facts(store).model_dump().items():
        source = "holdfast.toml" if fact in said else "default"
        told = str(value).lower() if isinstance(value, bool) else str(value)
        yield Origin(f"store.{store}.{fact}", told, source, StoreFacts.model_fields[fact].description or "")


def masked(url: str) -> str:
    """Return the text with the password of any URL in it hidden, also one with a slash, as S3's may have."""
    return re.sub(r"(://[^/\s:@]*):(?:[^/\s@]*|[^\s@,]*)@", r"\1:***@", url)


def _build(home: Path, environment: dict[str, str], file: dict[str, Any]) -> Settings:
    wrong = [
        _suggest(name, "the environment", PREFIX) for name in environment if name not in Settings.model_fields
    ]
    wrong += [_suggest(name, "holdfast.toml", "") for name in file if name not in Settings.model_fields]
    if wrong or "home" in environment or "home" in file:
        raise Refused("; ".join(wrong) or "home is not a setting: use --home or HOLDFAST_HOME")
    try:
        return Settings(home=home, **{**file, **environment})
    except ValidationError as error:
        told = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in each['loc']).upper()}: {each['msg']}"
            for each in error.errors()
        )
        raise Refused(told, hint="see `holdfast config` and docs/settings.md") from None


def _suggest(name: str, where: str, prefix: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, 1)
    shown = (prefix + name).upper() if prefix else name
    hint = f"; did you mean {(prefix + near[0]).upper() if prefix else near[0]}?" if near else ""
    return f"{shown} in {where} is not a setting{hint}"


def _environment() -> dict[str, str]:
    return {
        key.removeprefix(PREFIX).lower(): value
        for key, value in os.environ.items()
        if key.startswith(PREFIX) and key not in NOT_SETTINGS and not key.startswith(f"{PREFIX}TEST_")
    }


def _toml(home: Path) -> dict[str, Any]:
    file = home / "holdfast.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file} is not valid TOML: {error}") from None
