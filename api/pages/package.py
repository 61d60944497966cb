"""One package: the verdict while its depositor waits, and all that an archivist wants to know of it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.answers import key_of, token_of
from api.entries import decide as settle_entries
from api.identity import Served, SignedIn
from api.pages.forms import Posted, Visitor, page, sent_on, text_of
from api.pages.overview import prefect_pages
from api.pages.timeline import by_day, flat
from api.references import Reference
from api.showing import step_words
from packages.deletions import SENTENCES, Category
from packages.errors import Invalid, NotFound
from packages.model import Actor
from packages.wording import counted
from services.administration.decisions import DECISIONS, decide
from services.administration.holding import hold, release, withdraw
from services.archival_storage.doubt import doubted
from services.archive import Archive
from services.data_management import overview, views
from services.work.errands import ERRANDS

router = APIRouter(include_in_schema=False)

PACKAGE = "/packages/{id:reference}"
FILES = 100
"""Files on one page."""
EVENTS = 100
"""Events on the time line; the API has all of them."""
FINDINGS = 200
"""Findings that are listed at once."""

KEEPING: Mapping[str, Callable[[Archive, Actor, str, str], None]] = {
    "withdraw": withdraw,
    "hold": hold,
    "release": release,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What has come of a submission so far: how it looks, in a few words, and in a sentence."""

    mark: str
    headline: str
    told: str
    is_open: bool = False


@router.get(PACKAGE)
def package_page(
    request: Request,
    archive: Served,
    actor: Visitor,
    reference: Reference,
    version: int | None = None,
    after: str | None = None,
) -> Response:
    """Show a package to its owner, or to an archivist."""
    package = views.status(archive, actor, reference)
    if package["id"] != reference:
        return RedirectResponse(f"/packages/{package['id']}", HTTPStatus.SEE_OTHER)
    latest: deque[dict[str, Any]] = deque(maxlen=EVENTS)
    number = 0
    for number, event in enumerate(views.events(archive, actor, package["id"]), 1):  # noqa: B007  # counts
        latest.append(event)
    shown = {
        "package": package,
        "verdict": verdict(package),
        "owner_name": overview.owner_name(archive, package),
        "findings": package["findings"][:FINDINGS],
        "pending": _pending(package),
        "days": by_day(reversed(latest)),
        "events": len(latest),
        "event_number": number,
        "versions": views.versions(archive, actor, package["id"]),
        "files": _files(archive, actor, package, version, after),
        "is_further": after is not None,
        "verbs": verbs(package, actor),
        "categories": SENTENCES,
        "errand": request.app.state.errands.of(package["id"]),
        "trouble": request.app.state.errands.trouble(package["id"]) if actor.is_archivist else None,
        "doubted": doubted(archive, actor, package["id"]) if actor.is_archivist else [],
        "prefect": prefect_pages(archive) if actor.is_archivist else "",
    }
    return page(request, "package.html", shown)


@router.get(f"{PACKAGE}/file")
def file_page(
    request: Request,
    archive: Served,
    actor: Visitor,
    reference: Reference,
    path: str,
    version: int | None = None,
) -> Response:
    """Show one file of a package: what it is, what is known of it, what was made of it and from what."""
    package = views.status(archive, actor, reference)
    found = views.file(archive, actor, package["id"], path, version=version)
    return page(request, "file.html", {"package": package, "file": found, "rows": flat(found["properties"])})


@router.post(f"{PACKAGE}/decision")
def decide_on_package(
    request: Request, archive: Served, form: Posted, actor: SignedIn, reference: Reference
) -> Response:
    """Carry out a decision on one package, and show it again."""
    verb, reason = text_of(form, "verb"), text_of(form, "reason")[:2000]
    if verb in {"accept", "refuse"}:
        errands = request.app.state.errands
        number = settle_entries(archive, errands, actor, reference, accept=verb == "accept")
        return sent_on(f"/packages/{reference}", f"entries-{verb}", number)
    if verb in ERRANDS:
        request.app.state.errands.send(actor, verb, reference)
    elif verb in KEEPING:
        KEEPING[verb](archive, actor, reference, reason)
    elif verb in DECISIONS:
        [decided] = decide(archive, actor, verb, [reference], reason)
        if decided.error is not None:
            raise decided.error
    else:
        raise Invalid("nothing was decided", hint="choose what to do on the package's page")
    return sent_on(f"/packages/{reference}", verb)


def verdict(package: Mapping[str, Any]) -> Verdict:
    """Return what to tell of a package, its depositor first of all."""
    work, state = package["work"], package["state"]
    if work and state == "submitted":
        return _underway(work)
    if state == "rejected":
        return _rejected(package)
    if state == "cancelled":
        return _cancelled(package)
    if state == "withdrawn":
        return Verdict("warn", "Withdrawn from sight.", _copies(package))
    if state in {"deleted", "partly_deleted"}:
        return _deleted(package)
    is_whole = all(each["state"] in {"intact", "pending"} for each in package["copies"])
    headline = "Archived." if state == "archived" else "Archived and published."
    return Verdict("ok" if is_whole else "warn", headline, _copies(package))


def verbs(package: Mapping[str, Any], actor: Actor) -> list[str]:
    """Return what the actor can do with the package as it stands; the services have the last word."""
    work = package["work"]["outcome"] if package["work"] else None
    kept = package["version"] is not None and package["state"] in {
        "archived",
        "published",
        "withdrawn",
    }
    offered = (
        ("approve", work == "waiting" and actor.is_archivist),
        ("reject", work == "waiting" and actor.is_archivist),
        ("retry", work == "failed"),
        ("cancel", work is not None and package["version"] is None),
        ("withdraw", package["state"] == "published" and actor.is_archivist),
        ("hold", kept and package["hold"] is None and actor.is_archivist),
        ("release", kept and package["hold"] is not None and actor.is_archivist),
        ("delete", kept and _is_deletable(package) and actor.is_archivist),
    )
    return [verb for verb, is_offered in offered if is_offered]


def _is_deletable(package: Mapping[str, Any]) -> bool:
    return package["hold"] is None and package["work"] is None and package["deletion"] is None


def _deleted(package: Mapping[str, Any]) -> Verdict:
    why = SENTENCES[Category(package["deletion"]["category"])]
    if package["state"] == "deleted":
        return Verdict("warn", "Deleted:", f"{why}. A tombstone stays.")
    told = package["deletion"]["message"] or "Its copies are being removed."
    return Verdict("bad", "Partly deleted.", told)


def _underway(work: Mapping[str, Any]) -> Verdict:
    behind, steps = overview.place_of(work["flow"], work["step"])
    if work["outcome"] == "waiting":
        return Verdict("warn", "Waiting for an archivist:", work["reason"], is_open=True)
    if work["outcome"] == "failed":
        told = "The fault is on our side, and what you sent is safe: "
        return Verdict("bad", "Something here has failed.", told + (work["reason"] or "see below"), True)
    place = f"Step {behind + 1} of {steps}: {step_words(work['step'])}."
    if work["step"] == "receive":
        return Verdict("busy", "Being received.", place, is_open=True)
    return Verdict("busy", "Received, and at work.", place, is_open=True)


def _cancelled(package: Mapping[str, Any]) -> Verdict:
    if package["same_as"]:
        told = "Nothing was taken in twice: the other package keeps it."
        return Verdict("ok", "The same content is in the archive already.", told)
    return Verdict("", "Cancelled.", "Nothing of it is kept.")


def _rejected(package: Mapping[str, Any]) -> Verdict:
    errors = sum(each["severity"] == "error" for each in package["findings"])
    if errors:
        told = "Nothing of it is kept. Each finding says what to do; then send it again."
        return Verdict("bad", f"Rejected: {counted(errors, 'error')}.", told)
    reasons = [each["message"] for each in package["steps"] if each["outcome"] == "rejected"]
    return Verdict("bad", "Rejected.", " ".join([*reasons, "Nothing of it is kept."]))


def _copies(package: Mapping[str, Any]) -> str:
    intact = sum(each["state"] == "intact" for each in package["copies"])
    total = len(package["copies"])
    if total and intact == total:
        return f"{counted(total, 'copy', 'copies')}, each read back and found intact."
    return f"{intact} of {counted(total, 'copy', 'copies')} found intact."


def _pending(package: Mapping[str, Any]) -> list[str]:
    """Return the steps that are still to come, while work is open."""
    if not package["work"]:
        return []
    begun = {each["name"] for each in package["steps"]}
    return [each for each in overview.all_steps(package["work"]["flow"]) if each not in begun]


def _files(
    archive: Archive, actor: Actor, package: Mapping[str, Any], version: int | None, after: str | None
) -> dict[str, Any] | None:
    """Return a page of the package's files, and the token of the next; None before there is a version."""
    key = key_of(after, 1)
    if package["state"] in views.GONE:
        return None
    if package["version"] is None:
        if version is not None:
            raise NotFound(f"{package['id']} has no version yet", hint="it is not archived")
        return None
    found = views.files(
        archive, actor, package["id"], version=version, after=key[0] if key else None, limit=FILES
    )
    return {**found, "next": token_of(found["next"]) if found["next"] is not None else None}
