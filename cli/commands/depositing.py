"""What a depositor does: check, ingest, identify."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.main_app import app
from cli.options import command
from cli.presenting import tally
from cli.text import painted, printable
from cli.walking import code_of, go_on_with_abandoned, make_optional_copies, show_job, walk
from packages.errors import HoldfastError, NotFound
from packages.format_names import with_version
from packages.ledger import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packages.ledger import Job
    from services.ingest.submission import Wanted

Paths = Annotated[list[Path], typer.Argument(metavar="PATH", help="Folders, archives, bags or files.")]


SIDE_BY_SIDE = 8
"""With as many submissions, or more, several processes work on them."""


class Via(StrEnum):
    """Who walks the steps of an ingest."""

    LOCAL = "local"
    PREFECT = "prefect"


@command(app, "holdfast check ~/deposit.zip --strict")
def check(
    call: Call,
    paths: Paths,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", metavar="FILE", help="A BagIt profile (JSON) that each must follow."),
    ] = None,
) -> int:
    """Validate submissions, taking nothing in.

    Prints every finding with its path and what to do about it.
    """
    import sys  # noqa: PLC0415  # only to ask whether stdout is a terminal

    from services.archive import Archive  # noqa: PLC0415  # start-up time
    from services.ingest.checking import check as check_one  # noqa: PLC0415  # same reason
    from services.ingest.fetching import allowed_places  # noqa: PLC0415  # same reason
    from services.ingest.profiles import archive_profiles  # noqa: PLC0415  # same reason
    from services.settings_sources import load_settings  # noqa: PLC0415  # same reason

    archive = call.opened(lambda: Archive(load_settings(call.home)))
    profiles = archive_profiles(archive.settings, profile)
    places = allowed_places(archive.settings)
    codes = []
    for path in paths:
        with call.activity(f"checking {path.name}") as progress:
            checked = check_one(
                path,
                limits=archive.limits,
                profiles=profiles,
                fetch_from=places,
                strict=strict,
                progress=progress,
            )
        shown = [asdict(each) for each in checked.findings]
        code = exit_codes.BY_VERDICT[checked.verdict]
        codes.append(code)
        call.voice.document(checked.as_json())
        colour = {exit_codes.DONE: "green", exit_codes.CONTENT: "red"}.get(code, "yellow")
        told = f" ({tally(shown)})" if shown else ""
        call.voice.say(f"{painted(checked.verdict, colour, sys.stdout)}  {printable(checked.path)}{told}")
        if checked.reason and not shown:
            call.voice.say(f"  {printable(checked.reason)}")
        call.voice.findings(shown)
    return exit_codes.worst(codes)


@command(app, 'holdfast ingest ~/deposit --title "Harbour office papers"')
def ingest(
    call: Call,
    paths: Paths,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="A record (JSON) that describes the content."),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="T", help="The title, if no record says it.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Archive it even if the same content is there already.")
    ] = False,
    corrects: Annotated[
        str | None, typer.Option("--corrects", metavar="ID", help="The rejected package that this one mends.")
    ] = None,
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Return once it is received durably; `reconcile` goes on with it."),
    ] = False,
    via: Annotated[
        Via,
        typer.Option(
            "--via", metavar="local|prefect", help="Who walks the steps: this command, or the workers."
        ),
    ] = Via.LOCAL,
) -> int:
    """Take submissions in and archive them.

    A submission is a folder, ZIP, 7z, TAR (gz, bz2, xz, zst), or a BagIt bag in any of these.
    The first ingest makes the archive in the home if there is none yet.
    """
    if len(paths) > 1 and (record or title or corrects):
        raise UsageError(
            "--record, --title and --corrects speak of one submission", "ingest one PATH at a time"
        )
    described = _described(record) if record else None
    works_here = via is Via.LOCAL and (len(paths) < SIDE_BY_SIDE or no_wait)
    if call.make_archive("ingest", works_here=works_here):  # or completes what was begun, in milliseconds
        call.voice.note(f"made an archive in {call.home}")
    from services.ingest.submission import Wanted  # noqa: PLC0415  # start-up time

    go_on_with_abandoned(call)
    every = [Wanted(path, record=described, title=title, new=new, corrects=corrects) for path in paths]
    codes = _ingest_all(call, every, via, no_wait=no_wait)
    if via is Via.LOCAL and not no_wait:
        make_optional_copies(call)
    return exit_codes.worst(codes)


def _described(record: Path) -> bytes:
    """Return the record's bytes; of one that is larger than any may be, only so many that this shows."""
    from packages.record import RECORD_LIMIT  # noqa: PLC0415  # start-up time

    with record.open("rb") as stream:
        return stream.read(RECORD_LIMIT + 1)


def _ingest_all(call: Call, every: "list[Wanted]", via: Via, *, no_wait: bool) -> list[int]:
    from services.work.launching import require_worker  # noqa: PLC0415  # start-up time

    if via is Via.PREFECT:
        settings = call.archive.settings
        require_worker(settings, seconds=settings.prefect_patience, tell=call.voice.note)
        if not no_wait:
            return _ingest_by_workers(call, every)
    elif len(every) >= SIDE_BY_SIDE and not no_wait:
        return _ingest_many(call, every)
    codes = []
    for wanted in every:
        try:
            codes.append(_ingest_one(call, wanted, until="receive" if no_wait else None))
        except HoldfastError as error:
            codes.append(_failed(call, error, wanted))
    return codes


def _failed(call: Call, error: HoldfastError, wanted: "Wanted") -> int:
    call.voice.fail(error, path=str(wanted.source))
    return exit_codes.BY_KIND[error.kind]


def _ingest_many(call: Call, every: "Iterable[Wanted]") -> list[int]:
    """Take many in side by side, telling what became of each but not its steps; return a code for each."""
    from services.ingest.submission import submit  # noqa: PLC0415  # same reason
    from services.work.crowd import run_jobs, usual_size  # noqa: PLC0415  # start-up time

    codes: list[int] = []
    entered: dict[str, Wanted] = {}

    def job_ids() -> "Iterator[str]":
        for wanted in every:
            try:
                job = submit(call.archive, call.actor, wanted)
            except HoldfastError as error:
                codes.append(_failed(call, error, wanted))
                continue
            entered[job.id] = wanted
            yield job.id

    call.interrupted_hint = "what was begun goes on with `holdfast reconcile`"
    for job in run_jobs(call.archive, job_ids(), workers=usual_size()):
        wanted = entered.pop(job.id)
        code = _show_ingested(call, walk(call, job) if job.state is JobState.RUNNING else job, wanted)
        codes.append(exit_codes.SYSTEM if job.state is JobState.QUEUED else code)  # its worker died
    call.interrupted_hint = ""
    return codes


def _ingest_by_workers(call: Call, every: "Iterable[Wanted]") -> list[int]:
    """Enter all in the ledger, where the workers find them, and tell what became of each."""
    from services.ingest.submission import submit  # noqa: PLC0415  # same reason
    from services.work.launching import PrefectLauncher  # noqa: PLC0415  # start-up time

    codes: list[int] = []
    entered: list[tuple[Job, Wanted]] = []
    for wanted in every:
        try:
            entered.append((submit(call.archive, call.actor, wanted), wanted))
        except HoldfastError as error:
            codes.append(_failed(call, error, wanted))
    call.interrupted_hint = "the workers go on with it"
    launcher = PrefectLauncher(call.archive)
    for job, wanted in entered:
        try:
            codes.append(_show_ingested(call, launcher.launch(job.id), wanted))
        except HoldfastError as error:
            codes.append(_failed(call, error, wanted))
    call.interrupted_hint = ""
    return codes


def _ingest_one(call: Call, wanted: "Wanted", *, until: str | None) -> int:
    from services.ingest.submission import submit  # noqa: PLC0415  # start-up time

    if not call.voice.json:
        call.voice.note(f"ingesting {wanted.source}")
    return _show_ingested(call, walk(call, submit(call.archive, call.actor, wanted), until=until), wanted)


def _show_ingested(call: Call, job: "Job", wanted: "Wanted") -> int:
    """Print what became of a submission, and return its code."""
    existing = _same_content(call, job)
    if existing is not None:
        call.voice.note(
            f"the same content is in the archive already, as {existing.package_id}; nothing was added "
            "(--new keeps it a second time)"
        )
        job = existing
    show_job(call, job, path=str(wanted.source), same_content=existing is not None)
    return code_of(job)


def _same_content(call: Call, job: "Job") -> "Job | None":
    """Return the newest job of the package that holds the same content, if that is why this job ended."""
    existing = job.options.get("same_as")
    if job.state is not JobState.CANCELLED or existing is None:
        return None
    with call.archive.catalogue.read() as view:
        found = view.latest_job(existing)
    if found is None:
        raise NotFound(f"there is no package {existing} any more", hint="ingest it again")
    return found


@command(app, "holdfast identify ~/deposit --json")
def identify(call: Call, paths: Paths) -> int:
    """Tell each file's PRONOM PUID and MIME type.

    Folders are walked.
    """
    from services.ingest.checking import identify as identify_all  # noqa: PLC0415  # start-up time

    codes = []
    for path in paths:
        try:
            for found in identify_all([path]):
                call.voice.document(found)
                name = with_version(found["format"] or "unknown", found["version"])
                puid, mime = found["puid"] or "-", found["mime"] or "-"
                call.voice.say(f"{puid:<13} {mime:<28} {name}  {printable(found['path'])}")
                if found["warning"]:
                    call.voice.say(f"{'':<13} warning: {printable(found['warning'])}")
            codes.append(exit_codes.DONE)
        except HoldfastError as error:
            call.voice.fail(error, path=str(path))
            codes.append(exit_codes.BY_KIND[error.kind])
    return exit_codes.worst(codes)
