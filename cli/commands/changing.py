"""Changing what is said about an archived package: update, withdraw, hold, release."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.main_app import app
from cli.options import Reason, Reference, command
from cli.presenting import show_package
from cli.text import printable
from cli.walking import code_of, show_job, walk

if TYPE_CHECKING:
    from packages.ledger import Job
    from packages.model import Actor
    from services.archive import Archive


@command(app, 'holdfast update 7f3c9a21 --replace plan.tif=~/plan.tif --message "Scanned again"')
def update(
    call: Call,
    reference: Reference,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="The new record (JSON), whole.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="T", help="A new title; the rest of the record stays.")
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="PATH[=NAME]", help="Add a file or a folder, as NAME in the package."),
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option("--replace", metavar="NAME=PATH", help="Put another file in place of NAME."),
    ] = None,
    withdraw: Annotated[
        list[str] | None,
        typer.Option("--withdraw", metavar="NAME", help="Leave a file out from now on."),
    ] = None,
    message: Annotated[str, typer.Option("--message", metavar="M", help="Why; kept with the version.")] = "",
) -> int:
    """Make a new version: another record, other files, or both.

    All of it or nothing. Only what changed is stored; earlier versions stay as they are.
    """
    from services.ingest.revision import retitled, update_record  # noqa: PLC0415  # start-up time

    if record is None and title is None and not (add or replace or withdraw):
        raise UsageError(
            "there is nothing to change", "give --record, --title, --add, --replace or --withdraw"
        )
    said = None if record is None else record.read_bytes()
    if title is not None:
        said = retitled(call.archive, call.actor, reference, title, said)
    job: Job | None
    if add or replace or withdraw:
        job = _revise(call, reference, _changes(add or [], replace or []), withdraw or [], said, message)
    else:
        job = update_record(call.archive, call.actor, reference, said or b"", message)
    if job is None:
        call.voice.note("the record is the same already; no new version was made")
        return _show(call, reference)
    job = walk(call, job)
    show_job(call, job)
    return code_of(job)


@command(app, "holdfast withdraw 7f3c9a21 --reason 'published by mistake'")
def withdraw(call: Call, reference: Reference, reason: Reason) -> int:
    """Take a published package out of sight.

    Its identifier leads to a tombstone; its owner and archivists still see it, and every copy stays.
    """
    from services.administration.holding import withdraw as withdraw_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, withdraw_one, reference, reason)


@command(app, "holdfast hold 7f3c9a21 --reason 'court order 12/26'")
def hold(call: Call, reference: Reference, reason: Reason) -> int:
    """Put a package under legal hold."""
    from services.administration.holding import hold as hold_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, hold_one, reference, reason)


@command(app, "holdfast release 7f3c9a21 --reason 'court order 12/26 was lifted'")
def release(call: Call, reference: Reference, reason: Reason) -> int:
    """End a package's legal hold."""
    from services.administration.holding import release as release_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, release_one, reference, reason)


def _changes(add: list[str], replace: list[str]) -> "tuple[dict[str, Path], dict[str, Path]]":
    """Return what is added and what is replaced, by the names in the package."""
    from services.ingest.revising_files import files_at  # noqa: PLC0415  # start-up time

    added: dict[str, Path] = {}
    for each in add:
        place, equals, name = each.rpartition("=")
        whole = Path(each).expanduser()
        found = (
            files_at(whole, None)
            if whole.exists() or not equals
            else files_at(Path(place).expanduser(), name.strip("/"))
        )
        if twice := sorted(added.keys() & found.keys()):
            raise UsageError(f"{printable(twice[0])} is added twice", "name each file once")
        added |= found
    replaced: dict[str, Path] = {}
    for each in replace:
        name, equals, place = each.partition("=")
        if not equals or not place:
            raise UsageError(f"{printable(each)} names no file to put in", "write --replace NAME=PATH")
        replaced |= files_at(Path(place).expanduser(), name)
    return added, replaced


def _revise(
    call: Call,
    reference: str,
    changes: "tuple[dict[str, Path], dict[str, Path]]",
    withdrawn: list[str],
    record: bytes | None,
    message: str,
) -> "Job":
    from services.ingest.revising_files import Revision, revise  # noqa: PLC0415  # start-up time

    added, replaced = changes
    wanted = Revision(added=added, replaced=replaced, withdrawn=withdrawn, record=record, message=message)
    with call.activity("taking the files in") as progress:
        return revise(call.archive, call.actor, reference, wanted, progress)


def _carry_out(
    call: Call, act: "Callable[[Archive, Actor, str, str], None]", reference: str, reason: str
) -> int:
    if not reason.strip():
        raise UsageError("a reason is needed: it is kept for ever", "add --reason TEXT")
    act(call.archive, call.actor, reference, reason)
    return _show(call, reference)


def _show(call: Call, reference: str) -> int:
    from services.data_management.views import status  # noqa: PLC0415  # start-up time

    package = status(call.archive, call.actor, reference)
    call.voice.document(package)
    shown = package | {"findings": []}  # those of its ingest: `holdfast status` tells them
    show_package(call.voice, shown, is_test=call.archive.pids.is_test, steps=False)
    return exit_codes.DONE
