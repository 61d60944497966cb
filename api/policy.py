"""The format policy over HTTP: what is made of which formats, and what this machine can do of it."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.answers import json_answer
from api.identity import Archivist, Served
from api.packages import UNCHANGED
from api.problems import described
from services.preservation_planning.policy import shown_policy

router = APIRouter(tags=["policy"])


class ToolModel(BaseModel):
    """A tool that the policy asks for."""

    name: str = Field(examples=["libreoffice"])
    version: str = Field(
        description="empty where it is not installed or is switched off", examples=["LibreOffice 7.4.7.2"]
    )
    missing: str = Field(description="which programs are not installed; empty where all are")
    switched_off: bool = Field(description="HOLDFAST_OUTSIDE_TOOLS does not name it: it is not looked for")


class ActionModel(BaseModel):
    """One derivative that a rule wants made, and what it must be to be kept."""

    kind: Literal["preservation", "access", "thumbnail"]
    tool: str = Field(examples=["pillow"])
    recipe: str = Field(examples=["jpeg"])
    arguments: dict[str, Any] = Field(examples=[{"max_side": 2000}])
    label: str = Field(description="a word in the derivative's name, where a kind has several")
    condition: str = Field(
        description="of which files of the formats it is made; of all, where empty",
        examples=["unless fonts_not_embedded is 0"],
    )
    expect: list[str] = Field(
        description="formats that the output may have; any, where none", examples=[["fmt/43"]]
    )
    checks: list[str] = Field(description="what must be the same as in the source", examples=[["pixels"]])
    within: dict[str, float] = Field(description="how far numbers of a check may lie apart")
    significant: list[str] = Field(description="properties whose change is told")
    limits: dict[str, float] = Field(description="where they differ from those of the policy")
    installed: bool = Field(description="its tool is here and may be used")


class RuleModel(BaseModel):
    """What is made of files of some formats; the original is always kept, whatever is made."""

    name: str = Field(examples=["uncommon rasters"])
    family: str = Field(examples=["image"])
    reason: str
    puids: list[str] = Field(examples=[["fmt/116"]])
    keeps_original: bool = Field(description="the original is a preservation format already")
    actions: list[ActionModel]


class PolicyModel(BaseModel):
    """The rules that hold: those of Holdfast, changed by those of the home."""

    name: str = Field(description="what packages say they were made under", examples=["2+0f3a9c1d2e4b"])
    version: str = Field(examples=["2"])
    override: str | None = Field(description="SHA-256 of the home's own rules; null where there are none")
    limits: dict[str, float] = Field(
        description="what one conversion may take, where an action says no other"
    )
    tools: list[ToolModel]
    not_isolated: list[str] = Field(description="what the kernel does not let us keep from converters")
    rules: list[RuleModel]


@router.get(
    "/api/policy", response_model=PolicyModel, responses=described(400, 401, 403, 422, 429, 503) | UNCHANGED
)
def show_policy(request: Request, archive: Served, actor: Archivist) -> Response:
    """Show the format policy that holds; 422 where the home's own rules are wrong, each fault named."""
    return json_answer(request, shown_policy(archive, actor).as_json())
