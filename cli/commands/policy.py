"""The format policy: shown, checked, tried out on files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import policy_app
from cli.options import command
from cli.text import counted, padded, painted, printable, size
from packages.format_names import formats_told

if TYPE_CHECKING:
    from packages.model import FileEntry
    from services.preservation_planning.policy import Tried

_BY_OUTCOME = {
    "done": exit_codes.DONE,
    "no_rule": exit_codes.DONE,
    "skipped": exit_codes.DONE,
    "tool_missing": exit_codes.SYSTEM,
    "timed_out": exit_codes.SYSTEM,
}
"""All other outcomes are the content's fault."""
_COLOURS = {exit_codes.DONE: "green", exit_codes.SYSTEM: "yellow", exit_codes.CONTENT: "red"}


@command(policy_app, "holdfast policy show")
def show(
    call: Call,
    puids: Annotated[
        list[str] | None,
        typer.Argument(metavar="PUID", help="Only the rules for these formats, such as fmt/43."),
    ] = None,
) -> int:
    """Show the rules: what is made of which formats, by which tools, under which checks.

    The rules are those of Holdfast, changed by format-policy.json in the home where there is one.
    """
    from services.preservation_planning.policy import shown_policy  # noqa: PLC0415  # start-up time

    shown = shown_policy(call.archive, call.actor).as_json()
    if puids:
        shown["rules"] = [each for each in shown["rules"] if set(puids) & set(each["puids"])]
    call.voice.document(shown)
    if call.voice.json:
        return exit_codes.DONE
    for rule in shown["rules"]:
        _show_rule(call, rule)
    ruled = {each for rule in shown["rules"] for each in rule["puids"]}
    for puid in sorted(set(puids or ()) - ruled):
        call.voice.say(f"{printable(puid)}: no rule; files of this format are kept as they are")
    own = f", with rules of the home ({shown['override'][:12]})" if shown["override"] else ""
    call.voice.note(f"format policy {printable(shown['version'])}{own}")
    for tool in shown["tools"]:
        if tool["missing"]:
            call.voice.note(f"not installed: {tool['missing']} (for {tool['name']})")
        if tool["switched_off"]:
            call.voice.note(f"switched off: {tool['name']} (HOLDFAST_OUTSIDE_TOOLS)")
    for each in shown["not_isolated"]:
        call.voice.note(f"on this machine {each}")
    return exit_codes.DONE


@command(policy_app, "holdfast policy check format-policy.json")
def check(
    call: Call,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Own rules; those in the home if left out.")
    ] = None,
) -> int:
    """Check own rules, and name every fault; nothing is changed."""
    from services.preservation_planning.policy import NAME, checked  # noqa: PLC0415  # start-up time

    found = checked(call.archive, call.actor, file)
    place = str(file or call.home / NAME)
    call.voice.document(
        {
            "file": place,
            "valid": found.policy is not None,
            "faults": list(found.faults),
            "name": found.policy.name if found.policy else None,
        }
    )
    for fault in found.faults:
        call.voice.say(printable(fault))
    if found.policy is None:
        call.voice.note(f"{printable(place)}: {counted(len(found.faults), 'fault')}")
        return exit_codes.CONTENT
    if file is None and not found.policy.override:
        call.voice.note("the home has no rules of its own; those of Holdfast hold")
    else:
        call.voice.say(f"valid: format policy {printable(found.policy.name)}")
    return exit_codes.DONE


@command(policy_app, "holdfast policy test scan.bmp report.docx")
def test(
    call: Call,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files to try the rules on.")],
) -> int:
    """Try the rules on files: say what would be made of each, make it, and judge it; nothing is kept."""
    from services.preservation_planning.policy import tried  # noqa: PLC0415  # start-up time

    codes = []
    for each in tried(call.archive, call.actor, files):
        call.voice.document(each.as_json())
        codes += [_BY_OUTCOME.get(outcome, exit_codes.CONTENT) for outcome in each.outcomes]
        if not call.voice.json:
            _show_tried(call, each)
    return exit_codes.worst(codes)


def _show_rule(call: Call, rule: dict[str, Any]) -> None:
    call.voice.say(painted(printable(rule["name"]), "bold", sys.stdout) + f"  {printable(rule['family'])}")
    rows = [("formats", formats_told(rule["puids"])), ("why", printable(rule["reason"]))]
    if rule["keeps_original"]:
        rows.append(("preservation", "the original is kept as it is"))
    for action in rule["actions"]:
        arguments = "".join(f" {name}={value}" for name, value in action["arguments"].items())
        told = f"{action['tool']} {action['recipe']}{arguments}"
        if action["expect"]:
            told += f" → {formats_told(action['expect'])}"
        if action["checks"]:
            told += f"; compared: {', '.join(action['checks'])}"
        if action["condition"]:
            told += f"; {action['condition']}"
        if not action["installed"]:
            told += " (not installed, or switched off)"
        rows.append((action["kind"], printable(told)))
    call.voice.facts(rows)


def _show_tried(call: Call, each: "Tried") -> None:
    rule = f"rule “{printable(each.rule)}”" if each.rule else "no rule"
    call.voice.say(f"{printable(each.path)}  {_format(each.entry)}: {rule}")
    for one in each.derivatives:
        made, entry = one.made, one.entry
        code = _BY_OUTCOME.get(made.outcome, exit_codes.CONTENT)
        word = painted(made.outcome.replace("_", " "), _COLOURS[code], sys.stdout)
        told = printable(made.message) or ("the archive is unpacked" if one.is_of_archive else "")
        is_member = entry is not None and made.action is not None and made.action.unpacks
        if entry is not None:
            told = f"{_format(entry)}, {size(entry.size)}"
            told = f"{printable((made.name or '').partition('/')[2])}: {told}" if is_member else told
        call.voice.say(f"  {padded(made.kind, 12)}  {word}  {told}")
        if made.command and not is_member:  # it is that of every other member
            call.voice.say(f"    {printable(made.command)}")
        if (said := one.validity) is not None:
            call.voice.say(
                f"    {said.outcome} by {printable(said.tool)} ({printable(said.profile or 'none')})"
            )
        elif one.missing:
            call.voice.say(f"    not validated: {one.missing} is not installed")
        for compared in one.checks:
            state = {True: "the same", False: "differs", None: "not known"}[compared.is_same]
            is_told = compared.is_same is None or compared.after == state  # some tools only say so
            values = "" if is_told else f" ({_value(compared.after)})"
            call.voice.say(f"    {compared.name.replace('_', ' ')}: {state}{values}")
        for changed in one.changed:
            told = f"{_value(changed.before)} became {_value(changed.after)}"
            call.voice.say(f"    {changed.name.replace('_', ' ')}: {told}")


def _format(entry: "FileEntry") -> str:
    return formats_told([entry.puid]) if entry.puid else "unknown format"


def _value(value: Any) -> str:
    text = printable(str(value))
    return text if len(text) <= 40 else f"{text[:37]}…"
