"""Words, marks and addresses that pages show; filters and names of the templates."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from packages.format_names import format_name, formats_told, with_version
from packages.wording import SUSPECT
from services.data_management.overview import place_of

STEP_WORDS = {
    "receive": "receive",
    "validate": "validate",
    "scan": "virus scan",
    "identify": "identify formats",
    "build_sip": "build the SIP",
    "characterise": "read technical metadata",
    "normalise": "make derivatives",
    "approve": "approval",
    "mint": "mint the identifier",
    "build_aip": "build the AIP",
    "store": "store and verify copies",
    "build_dip": "build the DIP",
    "publish": "publish",
    "revise": "revise",
    "gather": "bring the originals",
    "entomb": "write the tombstone",
    "remove_copies": "remove every copy",
    "forget": "forget the content",
}

MARKS = {
    "published": "ok",
    "archived": "ok",
    "intact": "ok",
    "done": "ok",
    "queued": "busy",
    "running": "busy",
    "submitted": "busy",
    "pending": "busy",
    "waiting": "warn",
    "withdrawn": "warn",
    "partly_deleted": "bad",
    "requested": "warn",
    "not_carried_out": "warn",
    "approved": "busy",
    "unchecked": "warn",
    "rejected": "bad",
    "failed": "bad",
    "corrupt": "bad",
    "missing": "bad",
    "extra": "bad",
    "broken_off": "warn",
    "active": "ok",
    "migrated": "ok",
    "kept": "ok",
    "converted": "ok",
    "open": "busy",
    "due": "busy",
    "looked_at": "warn",
    "no_rule": "warn",
    "unknown": "bad",
}
"""How a state looks: fine, busy, needs a look, bad; the others are plain."""

NOTICES: Mapping[str, str] = {
    "signed-out": "You are signed out.",
    "received": "Received, and on disk here.",
    "retry": "{n} set going again.",
    "approve": "{n} approved.",
    "reject": "{n} rejected; the depositor sees your reason.",
    "cancel": "{n} cancelled.",
    "withdraw": "Taken out of sight; the identifier leads to a tombstone.",
    "hold": "Under legal hold: it cannot be deleted until it is released.",
    "release": "Released from legal hold.",
    "asked": "Asked for. Nothing changes until another archivist approves it.",
    "deletion-approve": "Approved: every copy is being removed.",
    "deletion-refuse": "Refused: every package stays as it is.",
    "audit": "Every copy is read back now; what is found is told here.",
    "repair": "Every copy is read back now, and what is bad is mended from a copy that is good.",
    "audit-all": "Every copy of every package is read back now; the page Audits shows how far it is.",
    "mend-all": "{n} with an alarm: one after the other is read, and mended from copies that are good.",
    "entries-accept": "{n} accepted as this archive's own: every store has them.",
    "entries-refuse": "{n} refused: they are being set aside while every copy is read back.",
    "reidentify": "Formats are being identified again; what changes is told among the events.",
    "record": "A new version is being made with the record as you changed it.",
    "record-same": "The record says the same as before: nothing was done.",
    "confirm": "Confirmed: that token lets its person in again.",
    "revoke": "Revoked: that token lets nobody in any more.",
}
"""Every message that an address may ask a page to show: no text comes from the address itself."""

_KEPT = {"\n", "\t", "\u200c", "\u200d"}  # joiners belong to the writing of some languages and to emoji
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DIGEST = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{16,}\b")
_SPANS = ((60, 1, "second"), (3600, 60, "min"), (86400, 3600, "h"), (30 * 86400, 86400, "day"))


def visible(text: str) -> str:
    r"""Return free text of depositors in which nothing is hidden.

    Controls, marks that turn the direction of writing, and lone surrogates are written as ``\x1b``,
    ``\u202e``; line ends, tabs and the spaces of every language stay.
    """
    return SUSPECT.sub(lambda match: _seen(match[0]), text)


def _seen(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return ascii(character)[1:-1]


def brief(text: str) -> str:
    """Return a sentence with its digests cut to what a person compares; the API has all of them."""
    return _DIGEST.sub(r"\1…", text)


def age(text: str, present: datetime | None = None) -> str:
    """Return how long ago (or in how long) a time is: ``2 min ago``, ``in 3 days``; far ones as dates."""
    when = datetime.fromisoformat(text)
    seconds = ((present or datetime.now(UTC)) - when).total_seconds()
    span = abs(seconds)
    if span < 5:
        return "just now"
    for below, unit, name in _SPANS:
        if span < below:
            number = int(span // unit)
            told = f"{number} {name}" + ("s" if name in {"day", "second"} and number != 1 else "")
            return f"{told} ago" if seconds > 0 else f"in {told}"
    return f"{when:%Y-%m-%d}"


def exact(text: str) -> str:
    """Return a time of ours to the second, in UTC, for people."""
    return f"{text[:10]} {text[11:19]} UTC"


def number(value: int) -> str:
    """Return a number with its thousands set apart by narrow spaces."""
    return f"{value:,}".replace(",", "\u202f")


def words(name: str) -> str:
    """Return a name of ours (a state, an outcome, an event) as words."""
    return name.replace("_", " ")


def step_words(name: str | None) -> str:
    """Return what a step does, in words."""
    return "" if name is None else STEP_WORDS.get(name, words(name))


def segment(text: str) -> str:
    """Return `text` as one segment of an address."""
    return quote(text, safe="")


def address(path: str) -> str:
    """Return a path of a package, percent-encoded for an address; its slashes stay."""
    return quote(path, safe="/")


def standing(package: Mapping[str, Any]) -> str:
    """Return the one word for how a package stands: its state, or what its unfinished ingest does."""
    work = package["work"]
    return str(work["outcome"] if work and package["state"] == "submitted" else package["state"])


def progress(work: Mapping[str, Any]) -> tuple[int, int]:
    """Return which step the work is at, from 1, and of how many."""
    behind, steps = place_of(work["flow"], work["step"])
    return behind + 1, steps


def notice(query: Mapping[str, str]) -> str:
    """Return the message that an address asks a page to show, from a closed list, or nothing."""
    told = NOTICES.get(query.get("done", ""), "")
    number = query.get("n", "1")
    return told.format(n=number if number.isascii() and number.isdigit() and len(number) < 10 else "1")


FILTERS = {
    "visible": visible,
    "brief": brief,
    "age": age,
    "exact": exact,
    "number": number,
    "words": words,
    "step_words": step_words,
    "segment": segment,
    "address": address,
    "standing": standing,
    "progress": progress,
    "format_name": format_name,
    "formats_told": formats_told,
    "with_version": with_version,
    "mark": lambda state: MARKS.get(state, ""),
}
