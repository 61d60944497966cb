"""Fixity: audit, repair, what audits found, alarms, seals."""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.main_app import app
from cli.options import References, command
from cli.text import counted, moment, octets_of, painted, printable, size

if TYPE_CHECKING:
    from packages.errors import HoldfastError
    from packages.model import Event
    from storage.ports import ObjectReport


Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="End after so many copies.")]
Budget = Annotated[
    str | None, typer.Option("--budget", metavar="BYTES/s", help="Read no faster: 500K, 50M, 1.5GiB.")
]

Entries = Annotated[
    str | None,
    typer.Option(
        "--entries",
        metavar="DECISION",
        help="accept or refuse the entries of its log that a rebuild found in some stores only.",
    ),
]
DECIDED = {"accept": "accepted", "refuse": "refused"}


@command(app, "holdfast audit --due --store copy --budget 50M")
def audit(  # its options
    call: Call,
    references: References = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="NAME", help="Only this store's copies.")
    ] = None,
    due: Annotated[
        bool,
        typer.Option("--due", help="Only copies not read back within their store's period (`fixity_days`)."),
    ] = False,
    limit: Limit = None,
    budget: Budget = None,
) -> int:
    """Read archived bytes back and compare them.

    Every copy of the packages, or of all packages; says exactly what is not as it was. With --due, what was
    never read comes first, then what was read longest ago; after an interruption the same command goes on.
    """
    from services.archival_storage.fixity import audit as audit_all  # noqa: PLC0415  # start-up time

    if due and references:
        raise UsageError("--due chooses by itself what to read", "leave out the packages, or leave out --due")
    call.interrupted_hint = "what was read is recorded; `holdfast audit --due` reads only what is due"
    codes, away, octets = [], [], 0

    def hear(name: str, error: "HoldfastError") -> None:
        call.voice.fail(error, store=name)
        away.append(exit_codes.BY_KIND[error.kind])

    with call.activity("reading copies back") as progress:
        for report in audit_all(
            call.archive,
            call.actor,
            references or (),
            store=store,
            due=due,
            limit=limit,
            budget=_rate(budget),
            progress=progress,
            hear=hear,
        ):
            codes.append(_show_report(call, report))
            octets += report.bytes
    if not (codes or away):
        call.voice.note("nothing is due" if due else "nothing to audit: no package is archived")
    else:
        _sum_up(call, codes, len(away), octets)
    return exit_codes.worst(codes + away)


@command(app, "holdfast repair 7f3c9a21")
def repair(
    call: Call,
    reference: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="A package id, its unambiguous beginning, or a PID."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="NAME", help="Not a package, but a storage root itself and its evidence."
        ),
    ] = None,
    alarms: Annotated[bool, typer.Option("--alarms", help="Every package that has an alarm.")] = False,
    entries: Entries = None,
) -> int:
    """Mend bad copies from a good one.

    The good one is verified first. Where there is none, nothing is overwritten, and the copy is marked.
    """
    from services.archival_storage.mending import repair_store  # noqa: PLC0415  # start-up time

    if entries not in {None, *DECIDED} or (entries and reference is None):
        raise UsageError(
            "--entries goes with a package, and is accept or refuse", "`holdfast reconcile` tells"
        )
    if (reference is not None) + (store is not None) + alarms != 1:
        raise UsageError(
            "name a package, or --alarms, or a --store", "`holdfast alarms` lists what is damaged"
        )
    if store is not None:
        return _show_report(call, repair_store(call.archive, call.actor, store))
    if reference is None:
        return _repair_alarmed(call)
    if entries is not None:
        _settle(call, reference, entries)
    return _repair(call, reference, refuse=entries == "refuse")


def _repair(call: Call, reference: str, *, refuse: bool = False) -> int:
    from services.archival_storage.mending import repair as repair_one  # noqa: PLC0415  # start-up time

    mended: dict[str, str] = {}

    def hear(event: "Event") -> None:
        mended[event.note] = event.detail
        call.voice.say(f"{'mended' if event.type == 'recovery' else event.type}: {printable(event.detail)}")

    with call.activity("reading copies back") as progress:
        reports = repair_one(call.archive, call.actor, reference, progress=progress, hear=hear, refuse=refuse)
    if not mended and all(each.verdict == "intact" for each in reports):
        call.voice.note("nothing to mend")
    return exit_codes.worst(
        [_show_report(call, each, {"mended": mended.get(each.store)}) for each in reports]
    )


def _repair_alarmed(call: Call) -> int:
    """Repair one package after the other; one that cannot be mended keeps no other from it."""
    from packages.errors import HoldfastError  # noqa: PLC0415  # start-up time
    from services.archival_storage import audits as kept  # noqa: PLC0415  # as above

    alarmed = kept.alarmed(call.archive, call.actor)
    codes = [exit_codes.DONE]
    for package_id in alarmed:
        try:
            codes.append(_repair(call, package_id))
        except HoldfastError as error:
            codes.append(exit_codes.BY_KIND[error.kind])
            call.voice.note(f"{package_id}: {printable(error.message)}")
            call.voice.note(f"  → {printable(error.hint)}")
    if not alarmed:
        call.voice.note("no package has an alarm")
    return exit_codes.worst(codes)


def _settle(call: Call, reference: str, decision: str) -> None:
    from services.archival_storage.doubt import settle  # noqa: PLC0415  # start-up time

    number = settle(call.archive, call.actor, reference, accept=decision == "accept")
    call.voice.say(f"{DECIDED[decision]}: {counted(number, 'entry', 'entries')} of the log")


@command(app, "holdfast audits 5d0e4c55 --csv > report.csv")
def audits(
    call: Call,
    reference: Annotated[
        str | None, typer.Argument(metavar="AUDIT", help="An audit's id, or its unambiguous beginning.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="The report of one audit as CSV.")] = False,
    problems: Annotated[
        bool, typer.Option("--problems", help="Only copies of that audit that are not intact.")
    ] = False,
) -> int:
    """List audits, or show the report of one.

    Who had it made, when, of what, and what became of each copy; as JSON, CSV or text.
    """
    from services.archival_storage import audits as kept  # noqa: PLC0415  # start-up time

    if reference is None:
        if as_csv or problems:
            raise UsageError("--csv and --problems are for one audit", "`holdfast audits` lists their ids")
        return _list_runs(call)
    run = kept.run(call.archive, call.actor, reference)
    if as_csv:
        for line in kept.csv_lines(call.archive, call.actor, run["id"]):
            sys.stdout.write(line)
        sys.stdout.flush()
        return exit_codes.DONE
    call.voice.document(run)
    call.voice.say(_run_line(run))
    call.voice.facts([("by", run["person"]), ("ended", run["ended"] or "not yet"), ("but", run["message"])])
    for each in kept.every_report(call.archive, call.actor, run["id"], problems_only=problems):
        call.voice.document(each)
        _say_copy(call, each)
    return exit_codes.DONE


@command(app, "holdfast alarms")
def alarms(
    call: Call,
    everything: Annotated[bool, typer.Option("--all", help="Mended ones too, with who mended them.")] = False,
) -> int:
    """List what audits found damaged and nobody has mended.

    An alarm stays until a repair, or a later audit, finds the copy intact.
    """
    from services.archival_storage import audits as kept  # noqa: PLC0415  # start-up time

    after, codes = None, []
    while True:
        page, after = kept.alarms(call.archive, call.actor, everything=everything, after=after)
        for each in page:
            call.voice.document(each)
            _say_alarm(call, each)
            if each["mended"] is None:
                codes.append(exit_codes.BY_VERDICT[each["verdict"]])
        if after is None:
            break
    if not codes:
        call.voice.note("no alarms")
    return exit_codes.worst(codes)


@command(app, "holdfast seal --check 'holdfast-seal 7f3c… 42 2026-11-21T… sha512:…'")
def seal(
    call: Call,
    check: Annotated[
        str | None, typer.Option("--check", metavar="SEAL", help="Hold every store against this line.")
    ] = None,
) -> int:
    """Print one line that stands for everything archived so far.

    Keep it outside of the archive: who rewrites something later cannot make the line true again.
    """
    from services.archival_storage import seals  # noqa: PLC0415  # start-up time

    if check is None:
        made = seals.seal(call.archive, call.actor)
        call.voice.document({"seal": made.line(), "number": made.link.number, "at": made.link.at})
        call.voice.say(made.line())
        return exit_codes.DONE
    proofs = seals.check_seal(call.archive, call.actor, seals.parse_seal(check))
    for each in proofs:
        call.voice.document({"store": each.store, "links": each.links, "problems": list(each.problems)})
        word = painted(
            "broken" if each.problems else "sound ", "red" if each.problems else "green", sys.stdout
        )
        fit = counted(each.links, "link fits", "links fit")
        call.voice.say(f"{word}  {printable(each.store)}  {fit} the seal")
        for problem in each.problems:
            call.voice.say(f"  {printable(problem)}")
    return exit_codes.DAMAGED if any(each.problems for each in proofs) else exit_codes.DONE


def _sum_up(call: Call, codes: list[int], away: int, octets: int) -> None:
    """Say in a line for people what came of an audit; *unchecked* and a store that is away are no damage."""
    if call.voice.json:
        return
    bad = codes.count(exit_codes.DAMAGED)
    unread = len(codes) - bad - codes.count(exit_codes.DONE)
    parts = [f"{bad} not intact"] * bool(bad) + [f"{unread} not checked"] * bool(unread)
    parts += [f"{counted(away, 'store')} left out"] * bool(away)
    told = ", ".join(parts) or "all intact"
    copies = counted(len(codes), "copy", "copies")
    call.voice.note(f"{copies}, {size(octets)} read: {told}")


def _rate(budget: str | None) -> int | None:
    try:
        return None if budget is None else octets_of(budget)
    except ValueError as error:
        raise UsageError(f"--budget: {error}") from None


def _show_report(call: Call, report: "ObjectReport", more: Mapping[str, Any] = MappingProxyType({})) -> int:
    """Print what was found in one copy; return its exit code."""
    from services.archival_storage.fixity import report_json  # noqa: PLC0415  # start-up time
    from services.archival_storage.mending import has_news  # noqa: PLC0415  # as above

    shown = report_json(report)
    call.voice.document({**shown, **more})
    code = exit_codes.BY_VERDICT[report.verdict]
    _say_copy(call, shown | {"package": shown["id"]})
    if code == exit_codes.DAMAGED and not call.voice.json:
        call.voice.say(f"  → holdfast repair {shown['id'] or f'--store {report.store}'}")
        if has_news(report):  # which `repair` refuses to judge where every store has it
            call.voice.say("  → holdfast rebuild --catalogue, if the catalogue is an old copy")
    return code


def _say_copy(call: Call, shown: dict[str, Any]) -> None:
    """Print for people what was found in one copy."""
    if call.voice.json:
        return
    code = exit_codes.BY_VERDICT[shown["verdict"]]
    colour = {exit_codes.DONE: "green", exit_codes.DAMAGED: "red"}.get(code, "yellow")
    word = painted(str(shown["verdict"]).ljust(9), colour, sys.stdout)
    content = f"{counted(shown['intact'], 'file')} intact, {size(shown['bytes'])} read"
    package = shown["package"] or "the storage root itself"
    call.voice.say(f"{word}  {package}  {printable(shown['store'])}  {content}")
    for each in shown["problems"]:
        call.voice.say(f"  {each['verdict']}  {printable(each['path'] or 'the whole object')}")
        call.voice.facts([("  expected", each["expected"] or ""), ("  found", each["found"] or "")])


def _say_alarm(call: Call, alarm: dict[str, Any]) -> None:
    mended = alarm["mended"]
    word = "mended" if mended else f"{alarm['verdict']}{', quarantined' if alarm['quarantined'] else ''}"
    package = alarm["package"] or "the storage root itself"
    colour = "green" if mended else "yellow" if alarm["verdict"] == "unchecked" else "red"
    call.voice.say(f"{painted(word.ljust(9), colour, sys.stdout)}  {package}  {printable(alarm['store'])}")
    how = f"{moment(mended)}, {alarm['how']} by {alarm['mended_by']}" if mended else ""
    call.voice.facts(
        [
            ("title", alarm["title"] or ""),
            ("since", moment(alarm["raised"])),
            ("found", alarm["message"]),
            ("mended", how),
        ]
    )
    if not mended and alarm["verdict"] != "unchecked":
        call.voice.say(f"  → holdfast repair {alarm['package'] or '--store ' + alarm['store']}")
        if alarm["verdict"] == "extra":  # perhaps what an old catalogue does not know
            call.voice.say("  → holdfast rebuild --catalogue, if the catalogue is an old copy")


def _list_runs(call: Call) -> int:
    from services.archival_storage import audits as kept  # noqa: PLC0415  # start-up time

    after, number = None, 0
    while True:
        page, after = kept.runs(call.archive, call.actor, after=after)
        for each in page:
            number += 1
            call.voice.document(each)
            call.voice.say(_run_line(each))
        if after is None:
            break
    if not number:
        call.voice.note("no audits yet")
    return exit_codes.DONE


def _run_line(run: dict[str, Any]) -> str:
    told = ", ".join(f"{number} {verdict}" for verdict, number in run["counts"].items()) or "nothing read"
    kind = run["scope"].get("kind", "audit")
    return (
        f"{run['id']}  {moment(run['started'])}  {run['state'].replace('_', ' ')}  {kind}: {told}, "
        f"{size(run['bytes'])}"
    )
