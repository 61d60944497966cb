"""API tokens over HTTP, for administrators: list, make, revoke."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.answers import json_answer
from api.identity import Administrator, Served
from api.models import TIME
from api.packages import UNCHANGED
from api.problems import described
from packages.model import now
from packages.moments import HINT, moment_of
from services.administration.people import confirm_tokens, create_token, list_tokens, revoke_token, token_json

router = APIRouter(tags=["tokens"])

KNOWN = described(400, 401, 403, 422, 429, 503)


def _to_come(value: str) -> str:
    try:
        moment = moment_of(value, past=False)
    except ValueError as error:
        raise ValueError(f"{error}: {HINT}") from None
    if moment <= now():
        raise ValueError(f"{value} is past: name a time to come")
    return moment


class TokenModel(BaseModel):
    """A token, without what is kept of its secret."""

    id: str = Field(examples=["5b1f0c9c2a7e4d5f"])
    name: str = Field(examples=["harvester"])
    person: str = Field(
        description="The id of the person whom it stands for.", examples=["token:5b1f0c9c2a7e4d5f"]
    )
    role: str = Field(examples=["archivist"])
    state: Literal["active", "expired", "revoked", "suspended"]
    created: str = Field(examples=[TIME])
    expires: str | None = Field(examples=[TIME])
    revoked: str | None
    made_by: str | None = Field(description="The id of the person who made it.", examples=["os:ada"])


class NewTokenModel(TokenModel):
    """A new token with its secret, which is shown this once."""

    token: str = Field(examples=["hft_…"])


class Tokens(BaseModel):
    """Every token, ended ones too, by time of creation."""

    tokens: list[TokenModel]


class WantedToken(BaseModel):
    """A token to be made: what it is for, what it may do, when it ends."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        examples=["harvester"]
    )
    role: Literal["depositor", "archivist", "admin"]
    expires: Annotated[str, StringConstraints(max_length=100), AfterValidator(_to_come)] | None = Field(
        default=None, description="A time, a date, or a span such as 90d.", examples=["90d"]
    )
    person: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="A further token for somebody: the id or the only name of one of theirs.",
        examples=["5b1f0c9c2a7e4d5f"],
    )


@router.get("/api/tokens", response_model=Tokens, responses=KNOWN | UNCHANGED)
def list_all_tokens(request: Request, archive: Served, actor: Administrator) -> Response:
    """List all tokens, ended ones too."""
    return json_answer(request, {"tokens": [token_json(each) for each in list_tokens(archive, actor)]})


@router.post(
    "/api/tokens", response_model=NewTokenModel, status_code=201, responses=KNOWN | described(404, 409, 413)
)
def make_token(request: Request, archive: Served, actor: Administrator, wanted: WantedToken) -> Response:
    """Make a token; its secret is shown this once."""
    said = wanted.model_dump()
    token, secret = create_token(archive, actor, **said)
    shown = token_json(token) | {"token": secret}
    return json_answer(request, shown, status=HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})


@router.post(
    "/api/tokens/{id}/confirm",
    status_code=204,
    response_class=Response,
    responses=KNOWN | described(404, 409),
)
def confirm_token(
    archive: Served,
    actor: Administrator,
    token: Annotated[str, Path(alias="id", description="Its id, or its name if only one has it.")],
) -> Response:
    """Let a token open again that a restore has suspended; for any other it does nothing."""
    confirm_tokens(archive, actor, [token])
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.delete(
    "/api/tokens/{id}", status_code=204, response_class=Response, responses=KNOWN | described(404, 409)
)
def end_token(
    archive: Served,
    actor: Administrator,
    token: Annotated[str, Path(alias="id", description="Its id, or its name if only one has it.")],
) -> Response:
    """Make a token useless from now on; again is no error."""
    revoke_token(archive, actor, token)
    return Response(status_code=HTTPStatus.NO_CONTENT)
