"""Archival stores: list, show, levels; add, describe, fill, move, retire."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.main_app import store_app
from cli.options import Reason, command
from cli.text import counted, moment, padded, painted, printable

if TYPE_CHECKING:
    from packages.preservation_levels import Column
    from services.archival_storage.stores import Changed
    from services.data_management.overview import StoreStanding

TELL_EVERY = 10.0
"""Seconds between two notes on how far a long work is."""
_MARKS = {"met": ("met", "green"), "unmet": ("missing", "red"), "unseen": ("unseen", "yellow")}

Name = Annotated[str, typer.Argument(metavar="NAME", help="The store's name in the settings.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="Where it is, such as file:///disk3/archive.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only check, and say what would be done.")]
Facts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FACT=VALUE", help="What is said of it: place=Oslo medium=tape required=false; see settings."
    ),
]


@command(store_app, "holdfast store list", name="list")
def list_all(call: Call) -> int:
    """List the stores, primary first, and the levels of preservation they come to."""
    from services.archival_storage.presence import Presence  # noqa: PLC0415  # same reason
    from services.archival_storage.stores import retired  # noqa: PLC0415  # same reason
    from services.data_management.overview import stores  # noqa: PLC0415  # start-up time
    from services.preservation_planning.preservation import preservation  # noqa: PLC0415  # same reason

    known = stores(call.archive, call.actor)
    away = Presence(call.archive).away()
    for each in known:
        call.voice.document(each.as_json() | {"away": away.get(each.name)})
        call.voice.say(f"{painted(padded(each.name, 12), 'bold', sys.stdout)}  {printable(each.url)}")
        call.voice.facts(_facts(each, away))
    for gone in retired(call.archive, call.actor):
        call.voice.say(f"{padded(gone.name, 12)}  retired {moment(gone.since)}: {printable(gone.reason)}")
    if not call.voice.json:
        named = ", ".join(f"{each.name} {each.level} of 4" for each in preservation(call.archive, call.actor))
        call.voice.say(f"NDSA levels: {named}")
        call.voice.note("→ holdfast store levels says what each rests on, and what is missing")
    return exit_codes.DONE


@command(store_app, "holdfast store show copy")
def show(call: Call, name: Name) -> int:
    """Show one store: what is said of it, and how its copies stand."""
    from packages.errors import NotFound  # noqa: PLC0415  # start-up time
    from services.archival_storage.presence import Presence  # noqa: PLC0415  # same reason
    from services.data_management.overview import stores  # noqa: PLC0415  # same reason

    known = {each.name: each for each in stores(call.archive, call.actor)}
    if name not in known:
        raise NotFound(f"there is no store {name}", hint=f"one of {', '.join(known)}")
    away = Presence(call.archive).away()
    call.voice.document(known[name].as_json() | {"away": away.get(name)})
    call.voice.say(f"{painted(printable(name), 'bold', sys.stdout)}  {printable(known[name].url)}")
    call.voice.facts(_facts(known[name], away, unsaid="not said"))
    return exit_codes.DONE


@command(store_app, "holdfast store levels")
def levels(call: Call) -> int:
    """Show the NDSA levels of storage and integrity.

    Computed from what is said of the stores and known of their copies: each line with the fact it rests on.
    """
    from services.preservation_planning.preservation import preservation  # noqa: PLC0415  # start-up time

    columns = preservation(call.archive, call.actor)
    call.voice.document({each.name: each.as_json() for each in columns})
    for each in columns:
        _show_column(call, each)
    return exit_codes.DONE


@command(store_app, "holdfast store add vault file:///disk3/archive place=Oslo medium=tape required=false")
def add(call: Call, name: Name, url: Url, facts: Facts = None, dry_run: DryRun = False) -> int:
    """Add a store: to holdfast.toml, with its marker.

    Packages that are kept already are copied by `holdfast store fill`, or by the next reconcile.
    """
    from services.archival_storage.stores import add as add_one  # noqa: PLC0415  # start-up time

    done = add_one(call.archive, call.actor, name, url, _said(facts or ()), dry_run=dry_run)
    _show_changed(call, done)
    if done.to_copy:
        call.voice.note(f"→ {counted(done.to_copy, 'package')} to copy: holdfast store fill {name}")
    return exit_codes.DONE


@command(store_app, "holdfast store describe copy place=Bergen operator='the university'")
def describe(
    call: Call,
    name: Name,
    facts: Annotated[
        list[str], typer.Argument(metavar="FACT=VALUE", help="What to say; FACT= takes it back.")
    ],
) -> int:
    """Say more of a store, in holdfast.toml, or something else."""
    from services.archival_storage.stores import describe as describe_one  # noqa: PLC0415  # start-up time

    describe_one(call.archive, call.actor, name, _said(facts))
    return show(call, name)


@command(store_app, "holdfast store fill vault")
def fill(call: Call, name: Name, dry_run: DryRun = False) -> int:
    """Bring every package over to a store that lacks it, and every tombstone and audit's evidence.

    Each copy is read back. What was made before this was interrupted is not made again.
    """
    from services.archival_storage.copies import fill as fill_one  # noqa: PLC0415  # start-up time

    call.interrupted_hint = "run it again: it goes on from there"
    with call.activity(f"filling {name}") as progress:
        done = fill_one(
            call.archive, call.actor, name, dry_run=dry_run, progress=progress, told=_teller(call, "copies")
        )
    call.voice.document(done.as_json() | {"dry_run": dry_run})
    left = f"{counted(done.left, 'package')} to copy" if dry_run else f"{done.made:,} copied and read back"
    call.voice.say(f"{printable(name)}: {left}, {done.there:,} there already")
    beside = done.beside
    if beside.tombstones or beside.evidence:
        told = f"{counted(beside.tombstones, 'tombstone')}, evidence of {counted(beside.evidence, 'audit')}"
        call.voice.say(f"{printable(name)}: {told} {'to bring' if dry_run else 'brought'}")
    failed = (*beside.failed, *done.failed)
    for package_id, reason in failed:
        call.voice.say(f"  {painted('failed', 'red', sys.stdout)}  {package_id}: {printable(reason)}")
    return exit_codes.SYSTEM if failed or (done.left and not dry_run) else exit_codes.DONE


@command(store_app, "holdfast store move copy file:///disk9/archive --full")
def move(
    call: Call,
    name: Name,
    url: Url,
    full: Annotated[
        bool, typer.Option("--full", help="Compare the inventories of all packages, not of a sample.")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    """Say that a store is at another URL now.

    What is there must be this store: its marker, all its packages, their inventories. Its copies count as
    unchecked until an audit has read them there.
    """
    from services.archival_storage.stores import move as move_one  # noqa: PLC0415  # start-up time

    told = _teller(call, "inventories")
    _show_changed(call, move_one(call.archive, call.actor, name, url, full=full, dry_run=dry_run, told=told))
    return exit_codes.DONE


@command(store_app, "holdfast store retire attic --reason 'the disk is old'")
def retire(call: Call, name: Name, reason: Reason, dry_run: DryRun = False) -> int:
    """Take a store out of use; its bytes stay.

    Refused while a package would be left with fewer copies than are required.
    """
    from services.archival_storage.stores import retire as retire_one  # noqa: PLC0415  # start-up time

    call.interrupted_hint = "run it again: it goes on from there"
    told = _teller(call, "packages")
    _show_changed(call, retire_one(call.archive, call.actor, name, reason, dry_run=dry_run, told=told))
    return exit_codes.DONE


def _said(facts: Sequence[str]) -> dict[str, Any]:
    """Return what FACT=VALUE say. Raises UsageError, naming every one that was not understood."""
    from packages.errors import Invalid  # noqa: PLC0415  # start-up time
    from services.settings_file import facts_of  # noqa: PLC0415  # same reason

    try:
        return facts_of(facts)
    except Invalid as error:
        raise UsageError(error.message, error.hint) from None


def _show_changed(call: Call, done: "Changed") -> None:
    call.voice.document(done.as_json())
    would = "would be " if done.dry_run else ""
    shown = done.as_json()
    told = f"{printable(done.store)} {would}{done.change}: {printable(shown['url'])}"
    if done.checked:
        told += f", {done.checked:,} of {done.packages:,} inventories compared"
    call.voice.say(told)
    for each in done.notes:
        call.voice.note(each)


def _teller(call: Call, what: str) -> Callable[[int, int], None]:
    """Return what is called with how far a work is, and says so now and then."""
    told = time.monotonic()

    def tell(done: int, everything: int) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            call.voice.note(f"{done:,} of {everything:,} {what}")

    return tell


def _facts(store: "StoreStanding", away: Mapping[str, str], unsaid: str = "") -> list[tuple[str, str]]:
    said = store.facts
    kind = [said.purpose, "required" if said.required else "optional"]
    kind += ["read-only"] * said.read_only + ["to be recalled"] * said.recall
    copies = ", ".join(f"{number:,} {state}" for state, number in store.copies.items())
    life = store.life
    at_work = f"{life.worker} since {moment(life.worker_since)}" if life and life.worker else ""
    return [
        ("is", ", ".join(kind)),
        ("away", away.get(store.name, "")),
        ("place", said.place or unsaid),
        ("medium", said.medium or unsaid),
        ("operator", said.operator or unsaid),
        ("disaster", said.disaster or unsaid),
        ("replace by", said.replace_by or unsaid),
        ("copies", copies or "none yet"),
        ("read back", f"each since {moment(store.oldest)}" if store.oldest else ""),
        ("at work", at_work),
        ("warning", _together(store)),
    ]


def _together(store: "StoreStanding") -> str:
    if not store.shares_disk_with:
        return ""
    return f"on the same device as {', '.join(store.shares_disk_with)}: they count as one copy"


def _show_column(call: Call, column: "Column") -> None:
    call.voice.say(painted(f"{column.name}: level {column.level} of 4", "bold", sys.stdout))
    for line in column.lines:
        word, colour = _MARKS[line.state]
        call.voice.say(f"  {line.level}  {painted(word.ljust(7), colour, sys.stdout)}  {line.says}")
        call.voice.say(f"              {printable(line.fact)}")
        if line.missing:
            call.voice.say(f"              → {printable(line.missing)}")
