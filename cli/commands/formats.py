"""Formats of what is archived: identified again after an update of the signatures."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import app
from cli.options import References, command
from cli.text import count, printable

if TYPE_CHECKING:
    from services.reidentify import Reidentified


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
    from services.reidentify import Outcome  # noqa: PLC0415  # start-up time
    from services.reidentify import reidentify as identify_again  # noqa: PLC0415  # as above

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
            call.voice.say(f"{was or 'unknown'} → {now or 'unknown'}: {count(number, 'file')}")
        _sum_up(call, outcomes, dry_run=dry_run)
    return exit_codes.SYSTEM if outcomes[Outcome.FAILED] else exit_codes.DONE


def _show(call: Call, found: "Reidentified") -> None:
    call.voice.document(_as_json(found))
    if call.voice.json or found.outcome in {"unchanged", "up_to_date"}:
        return
    call.voice.say(f"{found.package_id}  {found.outcome}  {found.message or count(found.changed, 'file')}")
    for each in found.changes:
        call.voice.say(f"  {each.was or 'unknown'} → {each.puid or 'unknown'}  {printable(each.path)}")


def _sum_up(call: Call, outcomes: Counter[str], *, dry_run: bool) -> None:
    if not outcomes:
        call.voice.note("nothing to identify: no package is archived")
        return
    told = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in outcomes.most_common())
    call.voice.note(f"{count(outcomes.total(), 'package')}: {told}{'; nothing was recorded' * dry_run}")


def _as_json(found: "Reidentified") -> dict[str, Any]:
    return {
        "id": found.package_id,
        "outcome": found.outcome,
        "files": found.files,
        "changed": found.changed,
        "changes": [
            {"path": each.path, "from": each.was, "to": each.puid, "format": each.name}
            for each in found.changes
        ],
        "formats": [
            {"from": was, "to": now, "files": number} for (was, now), number in found.formats.most_common()
        ],
        "message": found.message,
    }
