"""How answers are presented: pages from templates, or data; by what the client accepts."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from api.showing import FILTERS, notice
from packages.wording import moment, printable, size

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


def make_templates() -> Jinja2Templates:
    """Return the templates: everything is escaped, and a name that is not given is a defect, not a blank."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "size": size, "moment": moment, **FILTERS}
    return Jinja2Templates(env=environment, context_processors=[_common])


def load(templates: Jinja2Templates) -> None:
    """Make every template ready to be shown; again is a no-op. Nobody's first page then waits for that."""
    for name in templates.env.list_templates():
        templates.env.get_template(name)


def is_page_wanted(request: Request) -> bool:
    """Tell whether a person asks, with a browser: HTML is accepted, and the path is not one of the API's."""
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith(("/api/", "/oai"))


def _common(request: Request) -> dict[str, Any]:
    """Return what every page may show: who is signed in, the token of its forms, the archive's facts."""
    archive = request.app.state.archive
    return {
        "actor": getattr(request.state, "actor", None),
        "form_token": getattr(request.state, "form_token", ""),
        "archive_name": archive.settings.publisher or "Holdfast",
        "is_test_pids": archive.pids.is_test,
        "notice": notice(request.query_params),
        "path": request.url.path,
    }
