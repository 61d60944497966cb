"""What all pages do alike: read a form, ask who is there, show a page, send the browser on."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from api.identity import FORM_FIELD, Reader
from api.problems import HttpProblem
from packages.errors import Refused
from packages.model import ANONYMOUS, Actor

MOST_FIELDS = 5_000
_DIGITS = 18
_OURS = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


async def posted(request: Request) -> FormData:
    """Read a small form without files, and tell `api.identity` the token that it bears.

    A route names it before who is signed in, for that is asked with the token.
    """
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    token = form.get(FORM_FIELD)
    request.state.given_form_token = token if isinstance(token, str) else ""
    return form


def visitor(request: Request, actor: Reader) -> Actor:
    """Return who is signed in; anybody else is sent to sign in, and then back here."""
    if actor is ANONYMOUS:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise HttpProblem(
            HTTPStatus.SEE_OTHER,
            "sign in first",
            headers={"Location": f"/sign-in?next={quote(here, safe='/')}"},
        )
    return actor


def archivist_visitor(actor: Annotated[Actor, Depends(visitor)]) -> Actor:
    """Return the archivist who is signed in. Raises Refused for anybody else who is."""
    if not actor.is_archivist:
        raise Refused(f"{actor.name} is no archivist", hint="your deposits are at /packages")
    return actor


def text_of(form: FormData, name: str) -> str:
    """Return a field of a form as text, empty where it is absent."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def number_of(form: FormData, name: str) -> int | None:
    """Return a field of a form as a number; nothing where it is none. A very long one is cut."""
    text = text_of(form, name)
    return int(text[:_DIGITS]) if text.isdecimal() else None


def texts_of(form: FormData, name: str) -> list[str]:
    """Return every value of a field, each once, in their order."""
    return list(dict.fromkeys(each for each in form.getlist(name) if isinstance(each, str)))


def own_path(text: str | None, otherwise: str = "/") -> str:
    r"""Return `text` if it is an address of ours, else `otherwise`: nobody is ever sent elsewhere.

    It begins with one slash, and has no backslash, space or control character that a browser would take for
    something else.
    """
    return text if text and _OURS.fullmatch(text) else otherwise


def sent_on(path: str, done: str = "", number: int | None = None) -> Response:
    """Return the answer that sends a browser to a page of ours, where a notice is shown."""
    query = {"done": done} | ({} if number is None else {"n": str(number)}) if done else {}
    bare, _, old = path.partition("?")
    kept = [pair for pair in old.split("&") if pair and pair.partition("=")[0] not in {"done", "n"}]
    joined = "&".join([*kept, *([urlencode(query)] if query else [])])
    return RedirectResponse(bare + (f"?{joined}" if joined else ""), HTTPStatus.SEE_OTHER)


def page(request: Request, template: str, shown: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    """Return a page that no cache keeps: it is for one person, as things stand now."""
    made: Response = request.app.state.templates.TemplateResponse(
        request, template, dict(shown), status_code=int(status)
    )
    made.headers["Cache-Control"] = "no-store"
    return made


Posted = Annotated[FormData, Depends(posted)]
Visitor = Annotated[Actor, Depends(visitor)]
ArchivistVisitor = Annotated[Actor, Depends(archivist_visitor)]
