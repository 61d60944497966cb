"""How packages look to people; the JSON of the services is what is shown."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cli.progress import spoken
from cli.text import counted, moment, padded, painted, printable, size
from cli.voice import Voice

_COLOUR_OF_STATE = {
    "published": "green",
    "archived": "green",
    "rejected": "red",
    "failed": "red",
    "waiting": "yellow",
    "withdrawn": "yellow",
}
_LIST_WIDTHS = {"id": 13, "state": 14, "work": 25, "files": 9, "size": 10, "updated": 17}

Shown = Mapping[str, Any]


def show_package(voice: Voice, package: Shown, *, is_test: bool, steps: bool) -> None:
    """Print one package for people: verdict, identifiers, copies, scan, steps if wanted, findings."""
    voice.say(headline(package))
    work = package["work"]
    voice.facts(
        [
            ("package", package["id"]),
            ("PID", _pid(package, is_test)),
            ("corrects", package.get("predecessor") or ""),
            ("owner", package["owner"] if steps else ""),
            ("access", _access(package) if steps else ""),
            (
                "content",
                f"{counted(package['files'], 'file')}, {size(package['bytes'])}" if package["files"] else "",
            ),
            ("version", str(package["version"] or "") if steps else ""),
            ("copies", _copies(package)),
            ("virus scan", _scan(package)),
            ("hold", package.get("hold") or ""),
            ("created", moment(package["created"]) if steps else ""),
            ("updated", moment(package["updated"]) if steps else ""),
            ("stands at", _standing(work) if work else ""),
            ("worked on by", holder(work)),
            ("goes on", f"not before {moment(work['not_before'])}" if work and work["not_before"] else ""),
        ]
    )
    if steps:
        _show_steps(voice, package)
    _show_findings(voice, package["findings"])


def headline(package: Shown) -> str:
    """Return the state and the title of a package in one line."""
    word = word_for(package)
    painted_word = painted(word, _COLOUR_OF_STATE.get(word, "bold"), sys.stdout)
    return f"{painted_word}  {painted(printable(package['title']), 'bold', sys.stdout)}"


def word_for(package: Shown) -> str:
    """Return the one word for how a package stands: its state, or what its unfinished ingest does."""
    work = package["work"]
    if work and package["state"] == "submitted":
        return str(work["outcome"])
    return str(package["state"]).replace("_", " ")


def list_heading() -> str:
    """Return the first line of a list of packages."""
    names = [
        name.upper().rjust(width) if name in {"files", "size"} else name.upper().ljust(width)
        for name, width in _LIST_WIDTHS.items()
    ]
    return painted("  ".join([*names, "TITLE"]), "dim", sys.stdout)


def list_line(package: Shown) -> str:
    """Return one package as a line of a list; the beginning of the id is enough to name it."""
    cells = {
        "id": package["id"],
        "state": str(package["state"]).replace("_", " "),
        "work": _work(package),
        "updated": moment(package["updated"]),
    }
    texts = {
        name: padded(text[:13] if name == "id" else text, _LIST_WIDTHS[name]) for name, text in cells.items()
    }
    texts["state"] = painted(texts["state"], _COLOUR_OF_STATE.get(cells["state"], "bold"), sys.stdout)
    files = f"{package['files']:,}".rjust(_LIST_WIDTHS["files"])
    octets = size(package["bytes"]).rjust(_LIST_WIDTHS["size"])
    title = printable(package["title"])
    if held := holder(package["work"]):
        title += painted(f"  ({printable(held)})", "dim", sys.stdout)
    return "  ".join([texts["id"], texts["state"], texts["work"], files, octets, texts["updated"], title])


def _work(package: Shown) -> str:
    """Return where the work on a package stands; that what is submitted is being ingested says its state."""
    work = package["work"]
    if not work:
        return ""
    flow = "" if package["state"] == "submitted" else f"{work['flow']} "
    return f"{flow}{work['outcome']} at {work['step']}".replace("_", " ")


def holder(work: Shown | None) -> str:
    """Return who works on a package, since when and until when they may, or nothing where nobody does."""
    lease = work.get("lease") if work else None
    if not work or not lease:
        return ""
    until = f"{'expired at' if lease['expired'] else 'until'} {lease['until'][11:19]}Z"
    return f"process {lease['process']} on {lease['host']}, since {work['since'][11:19]}Z, {until}"


def _pid(package: Shown, is_test: bool) -> str:
    if not package["pid"]:
        return ""
    return f"{package['pid']} (test identifier)" if is_test else str(package["pid"])


def _access(package: Shown) -> str:
    access = package["access"]
    parts = []
    for what in ("metadata", "files"):
        until = access.get(f"{what}_until")
        parts.append(f"{what} {access[what]}" + (f" until {until}" if until else ""))
    return ", ".join(parts)


def _copies(package: Shown) -> str:
    copies = package["copies"]
    if not copies:
        return ""
    if package["state"] == "partly_deleted":
        return "; ".join(f"{each['store']} may still have bytes ({each['message']})" for each in copies)
    verified = sum(each["state"] == "intact" for each in copies)
    named = ", ".join(f"{each['store']} {each['state']}" for each in copies)
    return f"{verified} of {len(copies)} verified ({named})"


def _scan(package: Shown) -> str:
    scan = next((each for each in package["steps"] if each["name"] == "scan" and each["outcome"]), None)
    if scan is None:
        return ""
    result = str(scan["result"]).replace("_", " ")
    return f"{result}: nothing was scanned" if scan["result"] == "not_configured" else result


def _standing(work: Shown) -> str:
    reason = f": {work['reason']}" if work["reason"] else ""
    return f"{work['step']} ({work['outcome']}, attempt {max(work['attempts'], 1)}){reason}"


def _show_steps(voice: Voice, package: Shown) -> None:
    if package["steps"]:
        voice.say()
    for each in package["steps"]:
        name = str(each["name"]).replace("_", " ").ljust(13)
        outcome = str(each["outcome"] or "running").ljust(9)
        told = spoken(str(each["result"]), str(each["message"]))
        voice.say(f"  {name}  {outcome}  {printable(told)}".rstrip())


def _show_findings(voice: Voice, findings: Sequence[Shown]) -> None:
    if not findings:
        return
    voice.say(f"  {tally(findings)}")
    voice.findings(findings)


def tally(findings: Sequence[Shown]) -> str:
    """Return how many findings of each severity there are: ``2 errors, 1 warning``."""
    counts = {
        severity: sum(each["severity"] == severity for each in findings) for severity in ("error", "warning")
    }
    notes = len(findings) - sum(counts.values())
    parts = [counted(number, severity) for severity, number in counts.items() if number]
    return ", ".join([*parts, counted(notes, "note")] if notes else parts)
