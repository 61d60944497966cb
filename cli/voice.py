"""The voice of the command: results to stdout, messages to stderr, JSON where it was asked for."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cli.text import json_line, painted, printable
from packages.errors import HoldfastError
from packages.findings import Finding

_COLOUR_OF = {"error": "red", "warning": "yellow", "info": "dim"}


@dataclass(frozen=True, slots=True)
class Voice:
    """How a command speaks: as JSON or for people; `quiet` leaves out what is neither result nor error."""

    json: bool = False
    quiet: bool = False

    def document(self, value: object) -> None:
        """Print a result as one line of JSON, if JSON was asked for."""
        if self.json:
            print(json_line(value), flush=True)

    def say(self, text: str = "") -> None:
        """Print a line of a result for people (already made safe), unless JSON was asked for."""
        if not self.json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a message beside the result."""
        if not self.quiet:
            print(printable(text), file=sys.stderr, flush=True)

    def fail(self, error: HoldfastError, **subject: str) -> None:
        """Print an error with its hint and findings; as JSON too, with `subject` beside it."""
        self.failure(error.kind, error.message, error.hint, error.findings, **subject)

    def failure(
        self, kind: str, message: str, hint: str = "", findings: Sequence[Finding] = (), **subject: str
    ) -> None:
        """Print an error from its parts."""
        shown = "".join(f"{printable(value)}: " for value in subject.values() if value not in message)
        label = painted("error:", "red", sys.stderr)
        print(f"{label} {shown}{printable(message)}", file=sys.stderr, flush=True)
        beside = [asdict(each) for each in findings if each.message != message]
        for line in finding_lines(beside) if not self.json else ():
            print(line, file=sys.stderr)
        if hint:
            print(f"  → {printable(hint)}", file=sys.stderr, flush=True)
        told = {
            "kind": str(kind),
            "message": message,
            "hint": hint,
            "findings": [asdict(each) for each in findings],
        }
        self.document({**subject, "error": told})

    def findings(self, findings: Iterable[Mapping[str, Any]]) -> None:
        """Print findings for people: severity, path, reason, and what to do."""
        if not self.json:
            for line in finding_lines(findings):
                print(line)
            sys.stdout.flush()

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print aligned names and values (made safe here); rows without a value are left out."""
        rows = [(name, value) for name, value in rows if value]
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            self.say(f"  {painted(name.ljust(width), 'dim', sys.stdout)}  {printable(value)}")


def finding_lines(findings: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield the lines that show findings, safe for a terminal; nothing is cut off."""
    for each in findings:
        severity = str(each["severity"])
        label = painted(severity.ljust(7), _COLOUR_OF[severity], sys.stdout)
        path, message = each["path"], each["message"]
        if path and path not in message:
            message = f"{path}: {message}"
        first, *rest = _wrapped(printable(message), 11)
        yield f"  {label}  {first}"
        yield from (f"           {line}" for line in rest)
        if each["hint"]:
            first, *rest = _wrapped(printable(each["hint"]), 13)
            yield f"           → {first}"
            yield from (f"             {line}" for line in rest)


def _wrapped(text: str, indent: int) -> list[str]:
    """Wrap at blanks for a terminal; elsewhere a line stays a line, so that grep finds it."""
    if not sys.stdout.isatty():
        return [text]
    width = max(shutil.get_terminal_size().columns - indent, 40)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
