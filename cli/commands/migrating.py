"""Format migration: the plan, the run and the report."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.commands.depositing import Via
from cli.main_app import app
from cli.options import Yes, command
from cli.text import counted, padded, printable, size
from cli.walking import go_on_with_abandoned, walk
from packages.format_names import formats_told
from packages.ledger import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packages.ledger import Job
    from services.preservation_planning.migration import MigrationPlan
    from services.preservation_planning.migration_report import Migrated

_STANDING = {"done": "done by this policy", "open": "being worked on", "no_rule": "without a rule"}


@command(app, "holdfast migrate fmt/116 --dry-run")
def migrate(
    call: Call,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PUID", help="Formats of the originals; with --report: a run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; change nothing.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many packages now.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Packages, too, that today's policy was applied to.")
    ] = False,
    via: Annotated[
        Via,
        typer.Option(
            "--via", metavar="WHO", help="`local` walks the steps here, `prefect` leaves them to the workers."
        ),
    ] = Via.LOCAL,
    report: Annotated[
        bool, typer.Option("--report", help="Say what came of a run, or of all of them.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Make derivatives of archived originals anew by today's policy, as new versions.

    A package for which nothing is different gets none. After an interruption the same command adds what is
    neither done nor under way.
    """
    from services.preservation_planning.migration import plan_migration  # noqa: PLC0415  # start-up time
    from services.preservation_planning.migration_report import migration_report  # noqa: PLC0415  # same reason

    if report:
        if dry_run or len(names or []) > 1:
            raise UsageError("--report speaks of one run, or of all", "leave out what is beside it")
        return _report(call, migration_report(call.archive, call.actor, *(names or ())))
    if not names:
        raise UsageError("say which formats", "`holdfast formats` lists those that are archived")
    if not dry_run:
        go_on_with_abandoned(call)
    plan = plan_migration(call.archive, call.actor, names, limit=limit, again=again)
    if dry_run and call.voice.json:
        call.voice.document(plan.as_json())
    elif dry_run or not call.voice.quiet:
        _show_plan(plan, to_out=dry_run)
    if dry_run or not plan.due or not _is_confirmed(call, plan, yes=yes):
        return exit_codes.DONE
    return _carry_out(call, plan, via)


def _show_plan(plan: "MigrationPlan", *, to_out: bool) -> None:
    def say(line: str) -> None:
        print(line, file=sys.stdout if to_out else sys.stderr)

    due = plan.due
    for each in due:
        say(f"{each.package_id}  {padded(counted(each.files, 'file'), 9)}  {padded(size(each.bytes), 9)}  "
            f"{printable(each.title)}")  # fmt: skip  # fewer lines read better
    for made, files in sorted(plan.made.items()):
        label = f" ({made.label})" if made.label else ""
        which = f"{formats_told([made.puid])} → {made.kind}{label}"
        say(f"{which}: {counted(files, 'file')} by {made.tool} {made.recipe}")
    for tool, why in plan.missing.items():
        say(f"missing: {tool}: {why}")
    others = Counter(each.standing for each in plan.packages if each.standing in _STANDING)
    for standing, number in sorted(others.items()):
        say(f"{counted(number, 'package')} {_STANDING[standing]}")
    files, total = sum(each.files for each in due), sum(each.bytes for each in due)
    told = f"{counted(len(due), 'package')} due, {counted(files, 'file')}, {size(total)}"
    say(f"{told}, by the policy {plan.policy}")


def _is_confirmed(call: Call, plan: "MigrationPlan", *, yes: bool) -> bool:
    if yes or len(plan.due) < 2:
        return True
    question = f"Migrate {counted(len(plan.due), 'package')}?"
    if not sys.stdin.isatty():
        raise UsageError(f"{question} nobody is there to be asked", "look at --dry-run, then add --yes")
    if typer.confirm(question, err=True):
        return True
    call.voice.note("nothing was done")
    return False


def _carry_out(call: Call, plan: "MigrationPlan", via: Via) -> int:
    """Enter the jobs, get them worked on, and say of each what became of it."""
    from services.preservation_planning.migration import enter_migration  # noqa: PLC0415  # start-up time
    from services.preservation_planning.migration_report import migrated  # noqa: PLC0415  # same reason
    from services.work.launching import require_worker  # noqa: PLC0415  # same reason

    if via is Via.PREFECT:
        settings = call.archive.settings
        require_worker(settings, seconds=settings.prefect_patience, tell=call.voice.note)
    jobs = list(enter_migration(call.archive, call.actor, plan))
    if jobs:
        call.voice.note(f"run {jobs[0].options['run']}: {counted(len(jobs), 'package')}")
    ended = (migrated(call.archive, each) for each in _worked_on(call, jobs, via))
    return _report(call, ended)


def _worked_on(call: Call, jobs: "Iterable[Job]", via: Via) -> "Iterator[Job]":
    from services.work.crowd import run_jobs, usual_size  # noqa: PLC0415  # start-up time
    from services.work.launching import PrefectLauncher  # noqa: PLC0415  # same reason

    ids = [each.id for each in jobs]
    call.interrupted_hint = "what was entered goes on with `holdfast reconcile`, or with a worker"
    if via is Via.PREFECT:
        launcher = PrefectLauncher(call.archive)
        yield from map(launcher.launch, ids)
    else:
        for job in run_jobs(call.archive, ids, workers=usual_size()):
            yield walk(call, job) if job.state is JobState.RUNNING else job
    call.interrupted_hint = ""


def _report(call: Call, told: "Iterable[Migrated]") -> int:
    """Print what became of each package, and return the worst."""
    outcomes: Counter[str] = Counter()
    files = 0
    for each in told:
        outcomes[each.outcome] += 1
        files += each.files
        call.voice.document(each.as_json())
        call.voice.say(f"{each.package_id}  {padded(each.outcome, 9)}  {printable(each.message)}")
        for reason in each.failed:
            call.voice.say(f"  {printable(reason)}")
    summed = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    packages = counted(outcomes.total(), "package")
    call.voice.note(
        f"{packages}: {summed}; {counted(files, 'new derivative')}" if summed else "no such migration"
    )
    return exit_codes.SYSTEM if outcomes.keys() & {"failed", "open"} else exit_codes.DONE
