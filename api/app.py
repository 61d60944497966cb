"""The application: every router, the guards before them, and the archive behind them."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import (
    audits,
    content,
    decisions,
    deletions,
    deposits,
    description,
    entries,
    feeds,
    formats,
    oai,
    operations,
    packages,
    policy,
    problems,
    records,
    resolver,
    revisions,
    tokens,
)
from api.guards import install as install_guards
from api.pages import ROUTERS as PAGES
from api.presenting import STATIC, make_templates
from services.archival_storage.presence import Presence
from services.archive import Archive
from services.work.errands import Errands

ROUTERS = (
    operations.router,
    deposits.router,
    revisions.router,
    packages.router,
    content.router,
    decisions.router,
    deletions.router,
    feeds.router,
    audits.router,
    entries.router,
    policy.router,
    formats.router,
    tokens.router,
    records.router,
    oai.router,
    resolver.router,
    *PAGES,
)


def create_app(archive: Archive) -> FastAPI:
    """Return the application that serves `archive`, which stays open as long as the application is used."""
    app = FastAPI(
        title="Holdfast",
        version="0.1.0",
        description="Deposits, packages and records of one archive.",
        docs_url=None,  # ours, without scripts from elsewhere: api.operations
        redoc_url=None,
        openapi_url=None,  # ours, on a thread: a second of work when it is first asked for
        generate_unique_id_function=description.operation_id,
    )
    app.state.archive = archive
    app.state.presence, app.state.errands = Presence(archive), Errands(archive)
    app.state.templates = make_templates()
    problems.install(app)
    description.install(app)
    install_guards(app, archive.settings)
    for router in ROUTERS:
        app.include_router(router)
    app.state.routes = [route for router in ROUTERS for route in router.routes]
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
