"""Every setting of Holdfast: its name, default, unit and reason, in one place.

Where the values come from, `services.settings_sources` knows; what is said of stores stands in
`services.store_settings`.
"""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from packages.errors import Invalid, Refused
from packages.format_findings import FormatFindings
from packages.outside_tools import OutsideTools
from packages.pids.ark import NAAN
from services.store_settings import StoreFacts, named_urls, path_of

EMAIL = re.compile(r"[^\s@]+@([^\s@.]+\.)+[^\s@.]+")


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
    search_url: str = Field(
        default="sqlite://",
        description=(
            "search index; sqlite:// is FTS5 in the home, opensearch://HOST:PORT/PREFIX"
            " or opensearch+https://USER:PASSWORD@HOST:PORT/PREFIX a server's"
        ),
    )
    staging_url: str = Field(
        default="", description="where submissions are worked on; same disk as the primary store"
    )
    base_url: str = Field(default="http://127.0.0.1:8000", description="start of links that are shown")
    oai_namespace: str = Field(default="archive.localhost", description="domain in oai:NAMESPACE:ID")
    pid_provider: Literal["ark"] = Field(default="ark", description="who gives persistent identifiers")
    ark_naan: str = Field(default="99999", description="name assigning authority number; 99999 is for tests")
    ark_shoulder: str = Field(default="hf1", description="start of each ARK name under the NAAN")
    approval: Literal["never", "on_warning", "always"] = Field(
        default="never",
        description=(
            "when a package waits for an archivist before it is archived; on_warning: for warnings about its"
            " content, not about what the archive lacks (a virus scanner, a tool)"
        ),
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
            raise ValueError(error.told) from None
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

        Raises Refused as `named_urls` does.
        """
        text = self.stores or f"primary={self._default_store('primary')},copy={self._default_store('copy')}"
        return named_urls(text, self.store)

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
        return [self.home, *self._folders_of_packages()]

    def require_outside(self, place: Path) -> None:
        """Raise Refused for a place in staging or in a store: nothing but packages may lie there."""
        for own in self._folders_of_packages():
            if place.resolve().is_relative_to(own.resolve()):
                raise Refused(
                    f"{place} lies in {own}, which holds the archive", hint="name a place outside of it"
                )

    def _folders_of_packages(self) -> list[Path]:
        local = [path_of(url) for url in self.store_urls.values() if url.startswith("file://")]
        return [self.staging_root, *local]

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
