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
from cli.walking import code_of, show_job, walk

if TYPE_CHECKING:
    from packages.model import Actor
    from services.archive import Archive


@command(app, 'holdfast update 7f3c9a21 --title "Harbour office of Süderoog" --message "Name corrected"')
def update(
    call: Call,
    reference: Reference,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="The new record (JSON), whole.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="T", help="A new title; the rest of the record stays.")
    ] = None,
    message: Annotated[str, typer.Option("--message", metavar="M", help="Why; kept with the version.")] = "",
) -> int:
    """Make a new version with a changed record.

    The files stay as they are, and only what changed is stored.
    """
    from services.revision import retitled, update_record  # noqa: PLC0415  # start-up time

    if record is None and title is None:
        raise UsageError("there is nothing to change", "give --record FILE, --title T, or both")
    said = None if record is None else record.read_bytes()
    if title is not None:
        said = retitled(call.archive, call.actor, reference, title, said)
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
    from services.holding import withdraw as withdraw_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, withdraw_one, reference, reason)


@command(app, "holdfast hold 7f3c9a21 --reason 'court order 12/26'")
def hold(call: Call, reference: Reference, reason: Reason) -> int:
    """Put a package under legal hold."""
    from services.holding import hold as hold_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, hold_one, reference, reason)


@command(app, "holdfast release 7f3c9a21 --reason 'court order 12/26 was lifted'")
def release(call: Call, reference: Reference, reason: Reason) -> int:
    """End a package's legal hold."""
    from services.holding import release as release_one  # noqa: PLC0415  # start-up time

    return _carry_out(call, release_one, reference, reason)


def _carry_out(
    call: Call, act: "Callable[[Archive, Actor, str, str], None]", reference: str, reason: str
) -> int:
    if not reason.strip():
        raise UsageError("a reason is needed: it is kept for ever", "add --reason TEXT")
    act(call.archive, call.actor, reference, reason)
    return _show(call, reference)


def _show(call: Call, reference: str) -> int:
    from services.views import status  # noqa: PLC0415  # start-up time

    package = status(call.archive, call.actor, reference)
    call.voice.document(package)
    show_package(call.voice, package, is_test=call.archive.pids.is_test, steps=False)
    return exit_codes.DONE
