"""Formats that are held: by risk, identified again, and migrated: the plan, the run, what became of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.answers import key_of, token_of
from api.formats import MOST_PACKAGES, MOST_PUIDS, Puid
from api.identity import Archivist, Served
from api.pages.forms import ArchivistVisitor, Posted, number_of, page, sent_on, text_of, texts_of
from packages.errors import Invalid
from services.administration.decisions import require_number
from services.preservation_planning.held_formats import held_formats
from services.preservation_planning.migration import enter_migration, plan_migration
from services.preservation_planning.migration_report import migration_page, migration_run, migration_runs

router = APIRouter(include_in_schema=False)

PAGE = "/formats"
RUNS = 20
"""Runs of migrations that are listed; the command lists all of them."""
PACKAGES = 100
"""Packages on one page."""


@router.get(PAGE)
def formats_page(request: Request, archive: Served, actor: ArchivistVisitor) -> Response:
    """List the formats that the archive holds, the riskiest first, and the latest runs of migrations."""
    shown = {
        "held": held_formats(archive, actor),
        "runs": migration_runs(archive, actor)[:RUNS],
        "identification": request.app.state.errands.identification,
    }
    return page(request, "formats.html", shown)


@router.get(f"{PAGE}/migration")
def plan_page(
    request: Request,
    archive: Served,
    actor: ArchivistVisitor,
    puid: Annotated[list[Puid] | None, Query(max_length=MOST_PUIDS)] = None,  # a query
    again: Annotated[bool, Query()] = False,  # as above
) -> Response:
    """Show what migrating originals of these formats would come to; change nothing."""
    if not puid:
        raise Invalid("no format was chosen", hint="tick some of the list")
    plan = plan_migration(archive, actor, puid, limit=MOST_PACKAGES, again=again)
    shown = {"plan": plan, "made": sorted(plan.made.items()), "again": again, "most": PACKAGES}
    return page(request, "migration_plan.html", shown)


@router.post(f"{PAGE}/migration")
def migrate(archive: Served, form: Posted, actor: Archivist) -> Response:
    """Enter a job for each package of the plan that was shown, and show the run."""
    puids = texts_of(form, "puid")[:MOST_PUIDS]
    again = bool(text_of(form, "again"))
    plan = plan_migration(archive, actor, puids, limit=MOST_PACKAGES, again=again)
    require_number(len(plan.due), number_of(form, "expected"))
    jobs = list(enter_migration(archive, actor, plan))
    return sent_on(f"{PAGE}/migrations/{jobs[0].options['run']}" if jobs else PAGE)


@router.get(f"{PAGE}/migrations/{{run}}")
def migration_run_page(
    request: Request,
    archive: Served,
    actor: ArchivistVisitor,
    run: Annotated[str, Path(max_length=100)],
    after: str | None = None,
) -> Response:
    """Tell what became of each package of a run."""
    whole = migration_run(archive, actor, run)
    key = key_of(after, 2)
    found, more = migration_page(archive, actor, run, after=(key[0], key[1]) if key else None, limit=PACKAGES)
    following = f"{PAGE}/migrations/{whole.name}?after={token_of(*more)}" if more else None
    return page(request, "migration.html", {"run": whole, "packages": found, "following": following})


@router.post(f"{PAGE}/identification")
def identify_again(request: Request, form: Posted, actor: Archivist) -> Response:
    """Have the formats of everything that is kept identified again."""
    request.app.state.errands.identify(actor, again=bool(text_of(form, "again")))
    return sent_on(PAGE, "reidentify")
