"""Formats of what is archived: listed by risk, and identified again after an update of the signatures."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import app
from cli.options import References, command
from cli.text import counted, padded, printable
from packages.format_names import format_name, formats_told

if TYPE_CHECKING:
    from services.preservation_planning.reidentify import Reidentified


_STANDING = {
    "unknown": "not identified",
    "no_rule": "no rule",
    "looked_at": "copies to look at only",
    "converted": "preservation copies",
    "kept": "preservation format",
}


@command(app, "holdfast formats fmt/116")
def formats(
    call: Call,
    puids: Annotated[
        list[str] | None,
        typer.Argument(metavar="PUID", help="Only these formats, with each package; `unknown` is one."),
    ] = None,
) -> int:
    """List the formats that are archived, the riskiest first: how many files, and where.

    Of the originals in the newest version of each package; risk follows from the format policy.
    """
    from services.preservation_planning.held_formats import held_formats  # noqa: PLC0415  # start-up time

    found = held_formats(call.archive, call.actor, puids or ())
    for each in found:
        call.voice.document(each.as_json())
        condition = f": {printable(each.condition)}" if each.condition else ""
        rule = f" (rule “{printable(each.rule)}”{condition})" if each.rule else ""
        call.voice.say(
            f"{padded(each.puid or 'unknown', 12)}  {padded(_STANDING[each.standing], 22)}  "
            f"{counted(each.files, 'file')} in {counted(each.packages, 'package')}  "
            f"{format_name(each.puid or '') or printable(each.name)}{rule}"
        )
        if puids:
            for package, files in each.where:
                call.voice.say(f"  {package}  {counted(files, 'file')}")
    if not found:
        call.voice.note("no package with such a format is archived")
    return exit_codes.DONE


@command(app, "holdfast reidentify --dry-run")
def reidentify(
    call: Call,
    references: References = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; record nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Packages, too, whose files these signatures have seen.")
    ] = False,
) -> int:
    """Identify the formats of archived files again, and record what changed.

    After an update of the signatures (PRONOM). Packages that these signatures have seen are passed over:
    after an interruption the same command goes on. Content is read once, however often it occurs.
    """
    from services.preservation_planning.reidentify import Outcome  # noqa: PLC0415  # start-up time
    from services.preservation_planning.reidentify import reidentify as identify_again  # noqa: PLC0415  # as above

    call.interrupted_hint = "what was identified is recorded; the same command goes on with the rest"
    outcomes: Counter[str] = Counter()
    moves: Counter[tuple[str | None, str | None]] = Counter()
    with call.activity("identifying formats") as progress:
        for found in identify_again(
            call.archive, call.actor, references or (), dry_run=dry_run, again=again, progress=progress
        ):
            outcomes[found.outcome] += 1
            moves += found.formats
            _show(call, found)
    if not call.voice.json:
        for (was, now), number in moves.most_common():
            call.voice.say(f"{_told(was)} → {_told(now)}: {counted(number, 'file')}")
        _sum_up(call, outcomes, dry_run=dry_run)
    return exit_codes.SYSTEM if outcomes[Outcome.FAILED] else exit_codes.DONE


def _show(call: Call, found: "Reidentified") -> None:
    call.voice.document(found.as_json())
    if call.voice.json or found.outcome in {"unchanged", "up_to_date"}:
        return
    call.voice.say(f"{found.package_id}  {found.outcome}  {found.message or counted(found.changed, 'file')}")
    for each in found.changes:
        call.voice.say(f"  {_told(each.was)} → {_told(each.puid)}  {printable(each.path)}")


def _told(puid: str | None) -> str:
    return formats_told([puid]) if puid else "unknown"


def _sum_up(call: Call, outcomes: Counter[str], *, dry_run: bool) -> None:
    if not outcomes:
        call.voice.note("nothing to identify: no package is archived")
        return
    told = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in outcomes.most_common())
    call.voice.note(f"{counted(outcomes.total(), 'package')}: {told}{'; nothing was recorded' * dry_run}")
