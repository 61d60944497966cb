"""An archivist's hand: retry, approve, reject, cancel; by ids, or by the filters of `list`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.filters import package_filter
from cli.main_app import app
from cli.options import Reason, References, Since, State, Step, Yes, command
from cli.presenting import list_heading, list_line
from cli.text import counted, printable
from cli.walking import code_of, show_job, walk
from packages.ledger import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from packages.ledger import Job, Package, PackageFilter
    from packages.model import Actor
    from services.administration.decisions import Decided
    from services.archive import Archive

Matching = Annotated[
    str | None,
    typer.Option(
        "--matching", metavar="TEXT", help="Only packages whose reason for stopping holds this text."
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only decide; `reconcile` goes on with the work.")]


@command(app, "holdfast retry --state failed --matching 'no space' --yes")
def retry(
    call: Call,
    references: References = None,
    state: State = None,
    step: Step = None,
    matching: Matching = None,
    since: Since = None,
    yes: Yes = False,
    no_wait: NoWait = False,
) -> int:
    """Try failed work again, here and now."""
    chosen = chosen_ids(call, "retry", references, (state, step, matching, since), yes)
    return _decide(call, "retry", chosen, "", no_wait)


@command(app, "holdfast approve 7f3c9a21")
def approve(  # noqa: PLR0913, PLR0917  # every option of the command is one
    call: Call,
    references: References = None,
    state: State = None,
    step: Step = None,
    matching: Matching = None,
    since: Since = None,
    reason: Reason = "",
    yes: Yes = False,
    no_wait: NoWait = False,
) -> int:
    """Let waiting packages be archived."""
    chosen = chosen_ids(call, "approve", references, (state, step, matching, since), yes)
    return _decide(call, "approve", chosen, reason, no_wait)


@command(app, "holdfast reject 7f3c9a21 --reason 'the photographs are of another harbour'")
def reject(  # noqa: PLR0913, PLR0917  # every option of the command is one
    call: Call,
    reason: Reason,
    references: References = None,
    state: State = None,
    step: Step = None,
    matching: Matching = None,
    since: Since = None,
    yes: Yes = False,
    no_wait: NoWait = False,
) -> int:
    """Turn waiting packages away, with a reason."""
    if not reason.strip():
        raise UsageError("a rejection needs a reason, for the depositor", "add --reason")
    chosen = chosen_ids(call, "reject", references, (state, step, matching, since), yes)
    return _decide(call, "reject", chosen, reason, no_wait)


@command(app, "holdfast cancel --state queued --since 1d")
def cancel(
    call: Call,
    references: References = None,
    state: State = None,
    step: Step = None,
    matching: Matching = None,
    since: Since = None,
    reason: Reason = "",
    yes: Yes = False,
) -> int:
    """Give up packages that are not yet stored."""
    chosen = chosen_ids(call, "cancel", references, (state, step, matching, since), yes)
    return _decide(call, "cancel", chosen, reason, no_wait=True)


def chosen_ids(
    call: Call,
    verb: str,
    references: list[str] | None,
    filters: tuple[str | None, str | None, str | None, str | None],
    yes: bool,
    find: "Callable[[Archive, Actor, PackageFilter], list[Package]] | None" = None,
) -> list[str]:
    """Return the packages that were named or filtered, confirmed if there are several.

    Those that a filter found (by `find`) are always shown: nobody has named them.
    """
    from services.administration.decisions import chosen  # noqa: PLC0415  # start-up time
    from services.data_management.views import status  # noqa: PLC0415  # same reason

    filtered = any(each is not None for each in filters)
    if references and filtered:
        raise UsageError("name packages or give filters, not both", f"see `holdfast {verb} --help`")
    if not references and not filtered:
        raise UsageError(
            f"say which packages to {verb}", "name ids, or filter by --state, --step, --matching, --since"
        )
    if references:
        ids = list(dict.fromkeys(references))
    else:
        ids = [each.id for each in (find or chosen)(call.archive, call.actor, package_filter(*filters))]
        if not ids:
            call.voice.note("no packages match")
    asking = len(ids) > 1 and not yes
    if ids and (asking or (filtered and not call.voice.quiet)):
        print(list_heading(), file=sys.stderr)
        for each in ids:
            print(list_line(status(call.archive, call.actor, each)), file=sys.stderr)
    if not asking:
        return ids
    question = f"{verb.capitalize()} these {counted(len(ids), 'package')}?"
    if not sys.stdin.isatty():
        raise UsageError(f"{question} nobody is there to be asked", "look at the list above, then add --yes")
    if not typer.confirm(question, err=True):
        call.voice.note("nothing was done")
        return []
    return ids


def _decide(call: Call, verb: str, ids: list[str], reason: str, no_wait: bool) -> int:
    """Carry out the decisions, and go on with the work where that follows from one."""
    from services.administration.decisions import decide  # noqa: PLC0415  # start-up time

    codes = []
    for decided in decide(call.archive, call.actor, verb, ids, reason):
        if decided.error is not None or decided.job is None:
            if decided.error is not None:
                call.voice.fail(decided.error, id=decided.package_id)
                codes.append(exit_codes.BY_KIND[decided.error.kind])
            continue
        job = decided.job
        if job.state is JobState.QUEUED and not no_wait:
            if not call.voice.json:
                call.voice.note(f"{verb} {printable(decided.package_id)}")
            job = walk(call, job)
        if verb == "reject":
            _show_rejection(call, job, decided)
        else:
            show_job(call, job)
        codes.append(_code(verb, job))
    return exit_codes.worst(codes)


def _show_rejection(call: Call, job: "Job", decided: "Decided") -> None:
    """Print the package and the reason on record: the first one, if it was rejected before."""
    show_job(call, job, reason=decided.reason, new=decided.is_new)
    word = "rejected" if decided.is_new else "rejected already"
    call.voice.say(f"  {word}, because: {printable(decided.reason)}")


def _code(verb: str, job: "Job") -> int:
    """Return 0 for a rejection or cancellation that took place: that is what was asked for."""
    wanted = {"reject": JobState.REJECTED, "cancel": JobState.CANCELLED}.get(verb)
    return exit_codes.DONE if job.state is wanted else code_of(job)
