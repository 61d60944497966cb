"""What is answered as JSON, described for OpenAPI and its readers (`services.data_management.views`)."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.problems import FindingModel
from packages.deletions import Category, ItemState
from packages.ledger import CopyState, JobKind, JobState, PackageState, StepOutcome
from packages.model import Openness, Role

ID = "7f3c9a21-5d0e-4c55-9c0e-3a5b8f1d2e47"
TIME = "2026-11-21T13:41:59.123456Z"
DIGEST = "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7" * 2


class AccessModel(BaseModel):
    """Who may read: each `open`, `embargoed` (until a date) or `restricted`."""

    metadata: Openness
    files: Openness
    metadata_until: str | None = Field(default=None, examples=["2031-01-01"])
    files_until: str | None = Field(default=None, examples=["2031-01-01"])


class LeaseModel(BaseModel):
    """Who works on a job, and until when they may: after that, anybody else goes on with it."""

    worker: str = Field(description="host, process, and when that began", examples=["archive/4711/88512"])
    host: str
    process: str
    until: str | None = Field(examples=[TIME])
    expired: bool
    fence: int = Field(description="grows with each who takes the job: a late worker is told off by it")


class WorkModel(BaseModel):
    """What is being done with a package now."""

    flow: JobKind
    step: str | None = Field(examples=["validate"])
    outcome: JobState = Field(description="queued, running, waiting (for a person) or failed")
    attempts: int
    since: str = Field(examples=[TIME])
    reason: str = Field(description="why it stands where it stands")
    not_before: str | None = Field(default=None, description="when it is taken up again", examples=[TIME])
    lease: LeaseModel | None = Field(default=None, description="who works on it; told to archivists")


class StepModel(BaseModel):
    """One step of a package's latest work; `outcome` is null while it runs."""

    name: str = Field(examples=["scan"])
    outcome: StepOutcome | None
    result: str = Field(description="the step's own word", examples=["clean"])
    started: str = Field(examples=[TIME])
    ended: str | None = Field(examples=[TIME])
    message: str


class CopyModel(BaseModel):
    """What is known of one store's copy; `verified` is when it was last read back."""

    store: str = Field(examples=["primary"])
    state: CopyState
    verified: str | None = Field(examples=[TIME])
    message: str | None = Field(default=None, description="what was found, where something was")


class PackageSummary(BaseModel):
    """One package as lists show it."""

    id: str = Field(examples=[ID])
    state: PackageState
    work: WorkModel | None = Field(description="what is being done with it now, if anything")
    title: str = Field(examples=["Gauge readings of the harbour office"])
    owner: str = Field(examples=["token:5b1f0c9c2a7e4d5f"])
    access: AccessModel
    pid: str | None = Field(examples=["ark:99999/hf1x5k2r9b0d3q"])
    oai_id: str | None = Field(examples=[f"oai:archive.localhost:{ID}"])
    version: int | None = Field(description="the newest version, once there is one")
    files: int
    bytes: int
    created: str = Field(examples=[TIME])
    updated: str = Field(examples=[TIME])
    predecessor: str | None = Field(description="the rejected package that this one corrects")
    same_as: str | None = Field(description="the package that has the same content already")
    hold: str | None = Field(description="the reason of a legal hold")
    source_name: str
    copies: list[CopyModel]


class DeletionMark(BaseModel):
    """Where the deletion of a package stands."""

    id: str = Field(examples=[ID])
    state: ItemState
    category: Category
    requested: str = Field(examples=[TIME])
    decided: str | None = Field(examples=[TIME])
    message: str = Field(description="what could not be deleted, where something could not")


class PackageModel(PackageSummary):
    """One package with the steps of its latest work and everything that they found."""

    steps: list[StepModel]
    findings: list[FindingModel]
    deletion: DeletionMark | None = Field(description="null where nobody asks for it")


class AgentModel(BaseModel):
    """Who or what did something."""

    name: str = Field(examples=["Holdfast"])
    kind: str = Field(description="person, organization or software")
    version: str | None = None


class EventModel(BaseModel):
    """One PREMIS event."""

    id: str
    type: str = Field(examples=["fixity check"])
    at: str = Field(examples=[TIME])
    outcome: str = Field(description="success, warning or failure", examples=["success"])
    detail: str
    agents: list[AgentModel]
    step: str = Field(examples=["validate"])
    note: str
    paths: list[str]


class VersionModel(BaseModel):
    """One version of a package."""

    version: int
    created: str = Field(examples=[TIME])
    message: str
    user: str
    files: int
    bytes: int
    inventory: str = Field(examples=[f"sha512:{DIGEST}"])


class FileModel(BaseModel):
    """One file of a version."""

    path: str = Field(examples=["data/original/letters/1911.pdf"])
    role: Role
    size: int
    digest: str = Field(examples=[f"sha512:{DIGEST}"])
    puid: str | None = Field(examples=["fmt/276"])
    format: str | None = Field(examples=["Acrobat PDF 1.7"])
    format_version: str | None = Field(examples=["1.7"])
    mime: str | None = Field(examples=["application/pdf"])
    warning: str | None
    modified: str | None = Field(examples=[TIME])
    derived_from: str | None


class PackagePage(BaseModel):
    """Some packages, oldest first; `next` is the token of the page behind, null on the last one."""

    packages: list[PackageSummary]
    next: str | None


class EventPage(BaseModel):
    """Some events in the order of their recording; `next` is the token of the page behind."""

    events: list[EventModel]
    next: str | None


class FilePage(BaseModel):
    """Some files of one version; `next` is the token of the page behind, null on the last one."""

    version: int
    files: list[FileModel]
    next: str | None


class VersionList(BaseModel):
    """A package's versions, oldest first."""

    versions: list[VersionModel]


class RecordModel(BaseModel):
    """A record as `schemas/record-1.0.json` describes it."""

    model_config = {"extra": "allow"}
    title: Any = Field(default=None, examples=["Plans of the harbour"])


Verdict = Literal["ok", "warning", "error"]
