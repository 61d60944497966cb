"""Sign in with a link or a token, and sign out."""

from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from api.identity import COOKIE, FORM_FIELD, Reader, Served
from api.pages.forms import Posted, own_path, page, sent_on, text_of
from api.problems import HttpProblem
from packages.errors import Refused
from packages.model import ANONYMOUS
from services.administration.sign_in import Session, close_session, open_by_link, open_by_token
from services.archive import Archive

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, actor: Reader) -> Response:
    """Show a form for a token, or the button of a link: to look at a link does not use it up."""
    onward = own_path(request.query_params.get("next"))
    # A cookie that is SameSite=Strict does not come along when a link on another site leads here: going on
    # from a page of our own brings it.
    from_elsewhere = request.headers.get("sec-fetch-site") == "cross-site"
    return _page(
        request,
        link=request.query_params.get("link", ""),
        onward=onward,
        comes_back="next" in request.query_params and from_elsewhere and actor is ANONYMOUS,
    )


@router.post("/sign-in")
def sign_in(request: Request, archive: Served, form: Posted) -> Response:
    """Open a session, and go to where the person wanted to."""
    _require_own_site(request, archive)
    onward = own_path(text_of(form, "next"))
    try:
        session = _opened(archive, form)
    except Refused as error:
        return _page(request, link="", onward=onward, comes_back=False, problem=error)
    answer = sent_on(onward)
    answer.set_cookie(
        COOKIE,
        session.secret,
        expires=datetime.fromisoformat(session.expires),
        path="/",
        secure=archive.settings.base_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, archive: Served, form: Posted, actor: Reader) -> Response:
    """End the session."""
    if actor is not ANONYMOUS and text_of(form, FORM_FIELD) != getattr(request.state, "form_token", ""):
        raise HttpProblem(
            HTTPStatus.FORBIDDEN, "this did not come from a page of ours", hint="reload the page, try again"
        )
    close_session(archive, request.cookies.get(COOKIE, ""))
    answer = sent_on("/sign-in", "signed-out")
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _opened(archive: Archive, form: FormData) -> Session:
    if link := text_of(form, "link"):
        return open_by_link(archive, link)
    return open_by_token(archive, text_of(form, "token"))


def _page(
    request: Request,
    *,
    link: str,
    onward: str,
    comes_back: bool,
    problem: Refused | None = None,
) -> Response:
    shown = {
        "link": link,
        "onward": onward,
        "comes_back": comes_back,
        "problem": problem,
    }
    status = HTTPStatus.OK if problem is None else HTTPStatus.FORBIDDEN
    return page(request, "sign_in.html", shown, status)


def _require_own_site(request: Request, archive: Archive) -> None:
    """Raise HttpProblem for a sign-in that another site sends, to let somebody act as somebody else (CSRF).

    Every browser says where a form comes from, by one of two headers; a program that says neither is let in.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    elif origin is not None:
        own = {request.headers.get("host", ""), urlsplit(archive.settings.base_url).netloc}
        is_ours = urlsplit(origin).netloc in own
    else:
        is_ours = True
    if not is_ours:
        raise HttpProblem(HTTPStatus.FORBIDDEN, "sign in on a page of this archive", hint="open /sign-in")
