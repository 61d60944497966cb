"""Judging what others wrote: validate-ocfl."""

import sys
from typing import Annotated

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import app
from cli.options import command
from cli.presenting import tally
from cli.text import counted, painted, printable

Places = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help="Folders, or URLs of stores: OCFL objects or storage roots."),
]


@command(app, "holdfast validate-ocfl /mnt/ocfl-root --json", "validate-ocfl")
def validate_ocfl(
    call: Call,
    places: Places,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    no_digests: Annotated[
        bool, typer.Option("--no-digests", help="Judge the structure only; read no content.")
    ] = False,
) -> int:
    """Validate OCFL objects and storage roots (1.0, 1.1), whoever wrote them.

    Prints every finding by the specification's code. Needs no archive and changes nothing.
    """
    from services.archival_storage.ocfl_validation import validate_ocfl as validate_one  # noqa: PLC0415  # start-up time

    codes = []
    for place in places:
        with call.activity(f"validating {place}") as progress:
            done = validate_one(place, strict=strict, digests=not no_digests, progress=progress)
        shown = done.as_json()
        code = exit_codes.BY_VERDICT[done.verdict]
        codes.append(code)
        call.voice.document(shown)
        colour = {exit_codes.DONE: "green", exit_codes.CONTENT: "red"}.get(code, "yellow")
        told = [f"OCFL {done.spec} {done.kind}"] if done.spec else []
        told += [counted(done.objects, "object")] if done.kind == "root" else []
        told += [tally(shown["findings"])] if shown["findings"] else []
        told += ["content not read"] if no_digests else []
        beside = f" ({', '.join(told)})" if told else ""
        call.voice.say(f"{painted(done.verdict, colour, sys.stdout)}  {printable(place)}{beside}")
        if done.reason:
            call.voice.say(f"  {printable(done.reason)}")
        by_code = [{**each, "message": f"[{each['code']}] {each['message']}"} for each in shown["findings"]]
        call.voice.findings(by_code)
    return exit_codes.worst(codes)
