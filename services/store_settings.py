"""Stores as the settings have them: names, URLs and facts, each shown as it is said, never guessed."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from packages.errors import Refused


class StoreFacts(BaseModel):
    """What is said about one store in ``[store.NAME]`` of ``holdfast.toml``; shown, never guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: bool = Field(default=True, description="a package is archived only when this copy is verified")
    purpose: Literal["", "primary", "replica", "cold"] = Field(
        default="", description="primary (the first store), replica, or cold: read only when no other can be"
    )
    place: str = Field(default="", description="where the medium stands")
    medium: str = Field(default="", description="disk, tape, object store")
    operator: str = Field(default="", description="who runs it")
    disaster: str = Field(default="", description="what would take it: flood, fire, an insolvency")
    replace_by: str = Field(default="", description="date by which the medium is to be replaced: 2031-06-30")
    read_only: bool = Field(default=False, description="nothing new is written there; what is there counts")
    recall: bool = Field(default=False, description="content must be asked for before it can be read")
    fixity_days: int | None = Field(
        default=None,
        gt=0,
        description="days after which a copy is read back again; unset: HOLDFAST_FIXITY_DAYS",
    )

    @field_validator("replace_by", mode="before")
    @classmethod
    def _date(cls, value: Any) -> str:
        if isinstance(value, str) and value == "":
            return value
        try:
            return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
        except (TypeError, ValueError):
            raise ValueError("write a date such as 2031-06-30") from None


def named_urls(text: str, facts: Mapping[str, StoreFacts]) -> dict[str, str]:
    """Return name → URL of each store in ``name=url,name=url``, primary first.

    Raises Refused for another text, for `facts` of a store that is not in it, and for stores that are one
    place under two names or whose facts contradict each other.
    """
    urls: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in re.split(r",(?=[A-Za-z0-9_-]+=)", text))):
        name, equals, url = part.partition("=")
        if not equals or "://" not in url or not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name in urls:
            raise Refused(
                f"HOLDFAST_STORES: “{part}” is not name=url with a name of its own",
                hint="write for example primary=file:///disk1/archive,copy=file:///disk2/archive",
            )
        urls[name] = url
    if unknown := sorted(facts.keys() - urls.keys()):
        raise Refused(f"holdfast.toml describes a store that is not in HOLDFAST_STORES: {', '.join(unknown)}")
    _require_sense(urls, {name: facts.get(name, StoreFacts()) for name in urls})
    return urls


def _require_sense(urls: Mapping[str, str], facts: Mapping[str, StoreFacts]) -> None:
    """Raise Refused for stores that are one place under two names, or whose facts contradict each other."""
    first, wrong, seen = next(iter(urls), ""), [], dict[str, str]()
    for name, url in urls.items():
        said = facts[name]
        if (other := seen.setdefault(url.rstrip("/"), name)) != name:
            wrong.append(f"{other} and {name} are the same place")
        if name == first and (said.purpose not in {"", "primary"} or said.read_only or not said.required):
            wrong.append(f"{name} is the first store: it is the primary, required, and written to")
        if name != first and said.purpose == "primary":
            wrong.append(f"{name} is not the first store, so it is not the primary")
        if name != first and said.required and said.read_only:
            wrong.append(f"{name} is required, and read-only: no package could be archived")
    if wrong:
        raise Refused("; ".join(wrong), hint="mend HOLDFAST_STORES, or [store.NAME] in holdfast.toml")


def path_of(url: str) -> Path:
    """Return the path of a ``file://`` URL, percent-decoded."""
    return Path(unquote(urlsplit(url).path))


def masked(url: str) -> str:
    """Return the text with the password of any URL in it hidden, also one with a slash, as S3's may have."""
    return re.sub(r"(://[^/\s:@]*):(?:[^/\s@]*|[^\s@,]*)@", r"\1:***@", url)
