"""Keeping it whole and giving it back: export, reconcile, rebuild; see `auditing` for fixity."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.main_app import app
from cli.options import Reference, command
from cli.text import counted, painted, printable, size

if TYPE_CHECKING:
    from services.data_management.rebuild import Rebuilt


@command(app, "holdfast export 7f3c9a21 --to ~/harbour.zip --zip")
def export(
    call: Call,
    reference: Reference,
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="A place that does not exist yet.")],
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", min=1, help="An earlier version.")
    ] = None,
    aip: Annotated[bool, typer.Option("--aip", help="The whole archival package.")] = False,
    dip: Annotated[bool, typer.Option("--dip", help="What readers get (the default).")] = False,
    receipt: Annotated[bool, typer.Option("--receipt", help="Only the depositor's receipt.")] = False,
    zipped: Annotated[bool, typer.Option("--zip", help="As one ZIP file.")] = False,
) -> int:
    """Give a package back, verified on the way.

    Whole or not at all; a damaged copy is passed over for a good one.
    """
    from services.access.export import export as export_one  # noqa: PLC0415  # start-up time

    if aip + dip + receipt > 1 or (receipt and (zipped or version)):
        raise UsageError("only one of --aip, --dip and --receipt can be given", "a receipt is a single file")
    to = to.expanduser()
    if receipt:
        return _export_receipt(call, reference, to)
    kind = "aip" if aip else "dip"
    with call.activity(f"exporting the {kind.upper()}") as progress:
        done = export_one(
            call.archive,
            call.actor,
            reference,
            to,
            kind=kind,
            version=version,
            zipped=zipped,
            progress=progress,
        )
    call.voice.document(done.as_json())
    call.voice.say(
        f"exported version {done.version} as {kind.upper()} to {printable(str(done.path))}: "
        f"{counted(done.files, 'file')}, {size(done.bytes)}, each verified"
    )
    if done.second_judge:
        call.voice.facts([("second judge", done.second_judge)])
    for each in done.damaged:
        call.voice.note(f"a copy is damaged (another one was taken): {each}")
    for each in done.away:
        call.voice.note(f"a store is away (another one was taken): {each}")
    if done.damaged:
        call.voice.note(f"→ holdfast repair {done.package_id}")
    return exit_codes.DAMAGED if done.damaged else exit_codes.DONE


def _export_receipt(call: Call, reference: str, to: Path) -> int:
    from services.access.export import receipt as receipt_of  # noqa: PLC0415  # start-up time

    data = receipt_of(call.archive, call.actor, reference)
    call.archive.settings.require_outside(to)
    try:
        with to.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(f"{to} is there already", "name a file that does not exist yet") from None
    call.voice.document({"path": str(to.absolute()), "bytes": len(data)})
    call.voice.say(f"wrote the receipt to {printable(str(to))}")
    return exit_codes.DONE


@command(app, "holdfast reconcile --dry-run")
def reconcile(
    call: Call,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> int:
    """Finish or clean up what was left undone.

    Goes on with what a dead worker left, and finds what storage and catalogue disagree on.
    """
    from services.data_management.reconcile import reconcile as reconcile_all  # noqa: PLC0415  # start-up time

    call.interrupted_hint = "run `holdfast reconcile` again: it goes on from there"
    with call.observer() as observer:
        done = reconcile_all(call.archive, call.actor, dry_run=dry_run, observer=observer)
    call.voice.document(done.as_json())
    for each in done.actions:
        call.voice.say(printable(each))
    for each in done.disagreements:
        call.voice.say(f"{painted('disagreement:', 'red', sys.stdout)} {printable(each)}")
    failed = [job for job in done.jobs if job.state == "failed"]
    for job in failed:
        call.voice.say(f"{painted('failed:', 'red', sys.stdout)} {job.package_id}: {printable(job.reason)}")
    if not done.actions and not done.disagreements:
        call.voice.say("everything agrees; nothing was left to do")
    return exit_codes.SYSTEM if done.disagreements or failed else exit_codes.DONE


@command(app, "holdfast rebuild --index")
def rebuild(
    call: Call,
    catalogue: Annotated[bool, typer.Option("--catalogue", help="Only the catalogue.")] = False,
    index: Annotated[bool, typer.Option("--index", help="Only the search index.")] = False,
    store: Annotated[
        str | None, typer.Option("--store", metavar="NAME", help="Read this store alone: any one is enough.")
    ] = None,
) -> int:
    """Make catalogue and index from storage alone.

    Both, if none is named. A store that is away is named, the others are read, and the exit code is 3.
    """
    from services.data_management.rebuild import rebuild_catalogue, rebuild_index  # noqa: PLC0415  # start-up time

    call.interrupted_hint = "what was there before is still in use; run `holdfast rebuild` again"
    only_index = index and not catalogue  # which a lost catalogue does not allow
    if call.make_archive("ingest" if only_index else "rebuild"):
        call.voice.note(f"made an archive in {call.home}")
    shown: dict[str, object] = {}
    failed: list[tuple[str, str]] = []
    code = exit_codes.DONE
    if catalogue or not index:
        done = rebuild_catalogue(call.archive, call.actor, store=store)
        shown |= _tell_catalogue(call, done)
        failed += done.failed
        code = exit_codes.DAMAGED if done.failed or done.differing else code
        code = exit_codes.worst([code, exit_codes.SYSTEM if done.away else exit_codes.DONE])
    if index or not catalogue:
        done = rebuild_index(call.archive, call.actor)
        shown["indexed"] = done.indexed
        failed += done.failed
        code = exit_codes.worst([code, exit_codes.SYSTEM if done.failed else exit_codes.DONE])
        call.voice.say(f"index: {counted(done.indexed, 'package')}")
    call.voice.document({**shown, "failed": _pairs(failed)})
    for name, reason in failed:
        call.voice.note(f"not wholly restored: {name}: {reason}")
    return code


def _tell_catalogue(call: Call, done: "Rebuilt") -> dict[str, object]:
    """Say what was restored and what is to be seen to; return it as JSON, without what failed."""
    call.voice.say(f"catalogue: {counted(done.packages, 'package')}, {counted(done.files, 'file')} restored")
    if done.deleted:
        call.voice.say(f"           {counted(done.deleted, 'tombstone')}")
    if len(done.read) == 1 < len(call.archive.stores):
        call.voice.note(f"only the store {done.read[0]} was read: no other confirms what it says")
    for name, reason in done.unconfirmed:
        call.voice.note(f"not confirmed: {name}: {reason}")
    if done.unconfirmed:
        accept = "`holdfast repair ID --entries accept` where it is right, `--entries refuse` where it is not"
        call.voice.note(f"→ {accept}")
    for name, reason in done.differing:
        call.voice.note(f"differs: {name}: {reason}")
    if done.differing:
        call.voice.note(
            "→ look at both; `holdfast repair ID` makes the others like the one that was taken, and"
        )
        call.voice.note("  `holdfast rebuild --store NAME` takes what NAME has")
    for name, reason in done.away:
        call.voice.note(f"the store {name} was not read: {reason}")
    if done.away:
        call.voice.note("→ once it is there, `holdfast rebuild` again brings back what only it holds")
    return {
        "packages": done.packages,
        "deleted": done.deleted,
        "files": done.files,
        "away": [{"store": name, "reason": reason} for name, reason in done.away],
        "read": done.read,
        "unconfirmed": _pairs(done.unconfirmed),
        "differing": _pairs(done.differing),
    }


def _pairs(told: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"id": name, "reason": reason} for name, reason in told]


@command(app, "holdfast backup ~/backups/2026-11-21.zip")
def backup(call: Call, file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> int:
    """Save what only the database knows.

    People, tokens (as hashes), the queue, rejections, clients' keys: one consistent snapshot, while work
    goes on. Archived content is not in it: the stores keep that, and `holdfast rebuild` reads it.
    """
    from services.data_management.backup import backup as backup_all  # noqa: PLC0415  # start-up time

    done = backup_all(call.archive, call.actor, file.expanduser())
    call.voice.document(done.as_json())
    call.voice.say(f"wrote {counted(sum(done.rows.values()), 'row')} to {printable(str(done.path))}")
    return exit_codes.DONE


@command(app, "holdfast restore ~/backups/2026-11-21.zip")
def restore(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `holdfast backup` has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove tokens, keys and submissions that are there first.")
    ] = False,
) -> int:
    """Take a backup back, after a rebuild.

    All of it or nothing. What the catalogue knows already from storage is newer, and stays.
    """
    from services.data_management.backup import restore as restore_all  # noqa: PLC0415  # start-up time

    done = restore_all(call.archive, call.actor, file.expanduser(), replace=replace)
    call.voice.document(done.as_json())
    told = ", ".join(f"{number} {name}" for name, number in done.rows.items() if number)
    call.voice.say(f"restored from {done.created}: {told or 'nothing was lacking'}")
    if done.suspended:
        opens = "opens" if done.suspended == 1 else "open"
        call.voice.note(
            f"{counted(done.suspended, 'token')} may have been revoked since, and {opens} nothing yet"
        )
        call.voice.note("→ `holdfast token list`; revoke what is to stay shut, then `holdfast token confirm`")
    return exit_codes.DONE
