"""Formats over HTTP: those that are held, their migration, and their identification anew; for archivists."""

from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.answers import LIMIT, After, Limit, json_answer, key_of, page_answer, token_of
from api.decisions import MOST, SHOWN, Expected, One
from api.identity import Archivist, Served
from api.models import ID, TIME
from api.packages import UNCHANGED
from api.problems import described
from services.administration.decisions import require_number
from services.preservation_planning.held_formats import held_formats
from services.preservation_planning.migration import enter_migration, plan_migration
from services.preservation_planning.migration_report import migration_page, migration_run, migration_runs

router = APIRouter(tags=["formats"])

KNOWN = described(400, 401, 403, 404, 409, 413, 422, 429, 503)
MOST_PUIDS = 100
MOST_PACKAGES = 10_000
"""Packages that one request may have migrated; the next one goes on with the rest."""
MIGRATIONS = "/api/migrations"

Puid = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
RunName = Annotated[str, Path(description="The name of a run.", max_length=100, examples=["81e48d79"])]


class WhereModel(BaseModel):
    """A package with files of the format."""

    package: str = Field(examples=[ID])
    files: int


class FormatModel(BaseModel):
    """A format of originals in the newest versions of packages; `puid` is null where nobody knows it."""

    puid: str | None = Field(examples=["fmt/116"])
    format: str = Field(examples=["Windows Bitmap"])
    standing: Literal["unknown", "no_rule", "looked_at", "converted", "kept"] = Field(
        description="what stands between the format and its loss, the riskiest first"
    )
    rule: str | None = Field(description="the rule of the policy for it")
    condition: str = Field(
        description="of which of the files a preservation copy is made; of all, where empty",
        examples=["unless fonts_not_embedded is 0"],
    )
    files: int
    packages: int
    where: list[WhereModel] = Field(description="the first packages; all of them for formats asked for")


class Formats(BaseModel):
    """The formats that the archive holds, the riskiest first."""

    formats: list[FormatModel]


class MadeModel(BaseModel):
    """A kind of derivative that would be made of a format, and of how many files."""

    puid: str = Field(examples=["fmt/116"])
    kind: Literal["preservation", "access", "thumbnail"]
    tool: str = Field(examples=["pillow"])
    recipe: str = Field(examples=["lossless"])
    label: str
    files: int


class PlannedModel(BaseModel):
    """A package with originals of the formats, and where it stands before the migration."""

    id: str = Field(examples=[ID])
    standing: Literal["due", "done", "open", "no_rule"]
    files: int
    bytes: int


class PlanModel(BaseModel):
    """What a migration comes to. Numbers are those of packages that are due."""

    puids: list[str] = Field(examples=[["fmt/116"]])
    policy: str = Field(description="the policy that holds", examples=["2"])
    due: int
    files: int
    bytes: int
    make: list[MadeModel]
    tools_missing: dict[str, str] = Field(description="what of a tool is not installed")
    packages: list[PlannedModel] = Field(description="the first hundred")


class WantedMigration(BaseModel):
    """Which originals are to have their derivatives made anew by today's policy."""

    model_config: ClassVar[ConfigDict] = {"extra": "forbid", "strict": True}

    puids: list[Puid] = Field(min_length=1, max_length=MOST_PUIDS, examples=[["fmt/116"]])
    limit: int = Field(default=MOST, ge=1, le=MOST_PACKAGES, description="At most so many packages now.")
    again: bool = Field(default=False, description="Packages, too, that today's policy was applied to.")
    dry_run: bool = Field(default=False, description="Only show the plan.")
    expected: Expected = None


class MigrationModel(BaseModel):
    """The plan, and the run that it was entered as: null for a preview, or where nothing is due."""

    dry_run: bool
    run: str | None = Field(examples=["81e48d79"])
    plan: PlanModel


class RunModel(BaseModel):
    """Packages that were entered together; `open` of them have not come to an end."""

    run: str = Field(examples=["81e48d79"])
    begun: str = Field(examples=[TIME])
    by: str = Field(examples=["Ada Lovelace"])
    puids: list[str] = Field(examples=[["fmt/116"]])
    policy: str = Field(examples=["2"])
    packages: int
    open: int
    failed: int


class Runs(BaseModel):
    """Every run that the ledger knows, the newest first."""

    migrations: list[RunModel]


class MigratedModel(BaseModel):
    """What became of one package: `failed` says what could not be made of it."""

    id: str = Field(examples=[ID])
    run: str = Field(examples=["81e48d79"])
    outcome: Literal["migrated", "unchanged", "open", "failed", "cancelled"]
    version: int | None = Field(description="the new version, where there is one")
    files: int = Field(description="derivatives that came with it")
    message: str
    failed: list[str]


class MigratedPage(BaseModel):
    """A run with some of its packages, in their order; `next` is the token of the page behind."""

    migration: RunModel
    packages: list[MigratedModel]
    next: str | None


class WantedIdentification(BaseModel):
    """Packages whose formats are to be identified again: those named by `ids`, else all."""

    model_config: ClassVar[ConfigDict] = {"extra": "forbid", "strict": True}

    ids: list[One] | None = Field(default=None, min_length=1, max_length=MOST, examples=[[ID]])
    again: bool = Field(default=False, description="Those, too, whose files these signatures have seen.")


class NotIdentified(BaseModel):
    """A package that could not be read."""

    id: str = Field(examples=[ID])
    message: str


class IdentificationModel(BaseModel):
    """How far it is; `ended` is null while it goes on, `trouble` what ended it before its time."""

    by: str = Field(examples=["Ada Lovelace"])
    begun: str = Field(examples=[TIME])
    ended: str | None
    trouble: str
    packages: dict[Literal["changed", "unchanged", "up_to_date", "failed"], int]
    failed: list[NotIdentified] = Field(description="the first hundred")


class Identification(BaseModel):
    """The latest identification that this server was asked for; null before the first."""

    identification: IdentificationModel | None


@router.get("/api/formats", response_model=Formats, responses=KNOWN | UNCHANGED)
def list_formats(
    request: Request,
    archive: Served,
    actor: Archivist,
    puid: Annotated[
        list[Puid] | None, Query(description="Only these; `unknown` is one.", max_length=MOST_PUIDS)
    ] = None,  # a query
) -> Response:
    """List the formats that the archive holds, the riskiest first; the policy decides what is risky."""
    found = held_formats(archive, actor, puid or ())
    return json_answer(request, {"formats": [each.as_json() for each in found]})


@router.post(
    MIGRATIONS,
    response_model=MigrationModel,
    responses={**KNOWN, 202: {"model": MigrationModel, "description": "Entered; workers do it."}},
)
def migrate_formats(request: Request, archive: Served, actor: Archivist, wanted: WantedMigration) -> Response:
    """Have derivatives of archived originals made anew by today's policy; with `dry_run` show the plan.

    A job is entered for each package that is due. One for which nothing is different gets no new version.
    """
    plan = plan_migration(archive, actor, wanted.puids, limit=wanted.limit, again=wanted.again)
    told = plan.as_json()
    made: dict[str, Any] = {"dry_run": wanted.dry_run, "run": None, "plan": told}
    told["packages"] = told["packages"][:SHOWN]
    if wanted.dry_run:
        return json_answer(request, made)
    require_number(told["due"], wanted.expected)
    jobs = list(enter_migration(archive, actor, plan))
    if not jobs:
        return json_answer(request, made)
    made["run"] = jobs[0].options["run"]
    headers = {"Location": f"{MIGRATIONS}/{made['run']}"}
    return json_answer(request, made, status=HTTPStatus.ACCEPTED, headers=headers)


@router.get(MIGRATIONS, response_model=Runs, responses=KNOWN | UNCHANGED)
def list_migrations(request: Request, archive: Served, actor: Archivist) -> Response:
    """List the runs of migrations, the newest first."""
    return json_answer(request, {"migrations": [each.as_json() for each in migration_runs(archive, actor)]})


@router.get(f"{MIGRATIONS}/{{run}}", response_model=MigratedPage, responses=KNOWN | UNCHANGED)
def show_migration(
    request: Request,
    archive: Served,
    actor: Archivist,
    run: RunName,
    limit: Limit = LIMIT,
    after: After = None,
) -> Response:
    """Tell what became of each package of a run, as it stands."""
    whole = migration_run(archive, actor, run)
    key = key_of(after, 2)
    found, more = migration_page(archive, actor, run, after=(key[0], key[1]) if key else None, limit=limit)
    told = {"migration": whole.as_json(), "packages": [each.as_json() for each in found]}
    return page_answer(request, {**told, "next": token_of(*more) if more else None})


@router.post(
    "/api/reidentification",
    response_model=Identification,
    status_code=HTTPStatus.ACCEPTED,
    responses=KNOWN,
)
def identify_formats_again(
    request: Request, archive: Served, actor: Archivist, wanted: WantedIdentification | None = None
) -> Response:
    """Have formats of archived files identified again, after an update of the signatures.

    What changed is recorded as an event of each package. One goes on at a time (409); broken off by the end
    of the server, the same request goes on with the rest.
    """
    del archive
    asked = wanted or WantedIdentification()
    request.app.state.errands.identify(actor, asked.ids or (), again=asked.again)
    return json_answer(request, _identification(request), status=HTTPStatus.ACCEPTED)


@router.get("/api/reidentification", response_model=Identification, responses=KNOWN | UNCHANGED)
def show_identification(request: Request, actor: Archivist) -> Response:
    """Show how far the latest identification is that this server was asked for."""
    del actor
    return json_answer(request, _identification(request))


def _identification(request: Request) -> dict[str, Any]:
    found = request.app.state.errands.identification
    return {"identification": found.as_json() if found else None}
