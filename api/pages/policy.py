"""The format policy as a page: what is made of which formats, by which tools, under which checks."""

from collections import defaultdict
from typing import Any

from fastapi import APIRouter, Request, Response

from api.identity import Served
from api.pages.forms import ArchivistVisitor, page
from packages.errors import Invalid
from services.preservation_planning.policy import NAME, checked, shown_policy

router = APIRouter(include_in_schema=False)

FAMILIES = ("image", "pdf", "office", "text", "audio", "video", "vector", "mail", "web")
"""In this order on the page; others follow by their names."""


@router.get("/policy")
def policy_page(request: Request, archive: Served, actor: ArchivistVisitor) -> Response:
    """Show the rules by family; where the home's own are wrong, what is wrong with them."""
    try:
        shown = shown_policy(archive, actor)
    except Invalid:
        return page(request, "policy.html", {"faults": checked(archive, actor).faults, "own_name": NAME})
    rules = shown.rules()
    return page(
        request,
        "policy.html",
        {
            "faults": (),
            "policy": shown.policy,
            "own_name": NAME,
            "tools": shown.tools,
            "off_names": [each.name for each in shown.tools if each.switched_off],
            "not_isolated": shown.not_isolated,
            "families": _by_family(rules),
            "formats": sum(len(each["puids"]) for each in rules),
            "rules": len(rules),
        },
    )


def _by_family(rules: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for rule in rules:
        groups[rule["family"] or "other"].append(rule)
    known = {name: place for place, name in enumerate(FAMILIES)}
    return sorted(groups.items(), key=lambda each: (known.get(each[0], len(known)), each[0]))
