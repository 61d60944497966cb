"""Deletion: ask for it, look at requests, approve or refuse those of others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.commands.deciding import Matching, NoWait, chosen_ids
from cli.main_app import app, deletion_app
from cli.options import Reason, References, Since, State, Step, Yes, command
from cli.text import counted, moment, padded, printable, size
from cli.walking import code_of, walk
from packages.deletions import SENTENCES, Category, ItemState

if TYPE_CHECKING:
    from packages.model import Actor
    from services.administration.deletable import Outcome
    from services.administration.deletion import Asked

Request = Annotated[str, typer.Argument(metavar="DELETION", help="A request's id, or its beginning.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Act as the person whose API token this file holds, not as the user of this machine.",
    ),
]
_CODE = {"deleted": exit_codes.DONE, "refused": exit_codes.DONE, "partly_deleted": exit_codes.SYSTEM}


@command(app, "holdfast delete 7f3c9a21 --reason 'kept for ten years, as agreed' --category retention")
def delete(  # noqa: PLR0913, PLR0917  # every option of the command is one
    call: Call,
    reason: Reason,
    references: References = None,
    category: Annotated[
        str,
        typer.Option(
            "--category",
            metavar="WORD",
            help=f"What everybody is told: {', '.join(Category)}.",
        ),
    ] = "other",
    state: State = None,
    step: Step = None,
    matching: Matching = None,
    since: Since = None,
    yes: Yes = False,
    token_file: TokenFile = None,
) -> int:
    """Ask for packages to be deleted; another person approves it.

    Nothing is deleted by this command, and nothing changes for anybody until the request is approved. The
    reason is for archivists; of a deleted package everybody is told its category only.
    """
    from services.administration.deletion import preview, request  # noqa: PLC0415  # start-up time
    from services.administration.second_person import ANOTHER, SECOND_PERSON, is_alone  # noqa: PLC0415  # as above

    if not reason.strip():
        raise UsageError("a deletion needs a reason: it is kept for ever", "add --reason")
    if category not in list(Category):
        raise UsageError(f"--category {category}: there is no such category", f"one of {', '.join(Category)}")
    ids = chosen_ids(call, "delete", references, (state, step, matching, since), yes, preview)
    if not ids:
        return exit_codes.DONE
    actor = _actor(call, token_file)
    asked = request(call.archive, actor, ids, reason, category=Category(category))
    codes = _show_outcomes(call, asked)
    if asked.deletion is None:
        call.voice.document({"deletion": None, "outcomes": _outcomes(asked)})
        return exit_codes.worst(codes)
    call.interrupted_hint = ""
    shown = _shown(call, actor, asked.deletion.id)
    call.voice.document({"deletion": shown, "outcomes": _outcomes(asked)})
    _show(call, shown)
    call.voice.note(f"→ {SECOND_PERSON if is_alone(call.archive, actor) else ANOTHER}")
    return exit_codes.worst([*codes, exit_codes.WAITING])


@command(deletion_app, "holdfast deletion list", name="list")
def list_all(call: Call) -> int:
    """List the requests, newest first."""
    from services.administration.deletion_views import listed  # noqa: PLC0415  # start-up time

    after = None
    while True:
        found, after = listed(call.archive, call.actor, before=after)
        for each in found:
            call.voice.document(each)
            told = f"{counted(each['packages'], 'package')}, by {each['requested']['name']}: {each['reason']}"
            when = moment(each["requested"]["at"])
            call.voice.say(
                f"{each['id'][:8]}  {padded(_words(each['state']), 15)}  {when}  {printable(told)}"
            )
        if after is None:
            return exit_codes.DONE


@command(deletion_app, "holdfast deletion show 5c1d0e2f")
def show(call: Call, request: Request) -> int:
    """Show one request: who asked, why, what it removes, and what has become of each package."""
    shown = _shown(call, call.actor, request)
    call.voice.document(shown)
    _show(call, shown)
    return exit_codes.DONE


@command(deletion_app, "holdfast deletion approve 5c1d0e2f --token-file ~/second-person.token")
def approve(
    call: Call,
    request: Request,
    reason: Reason = "",
    token_file: TokenFile = None,
    no_wait: NoWait = False,
) -> int:
    """Approve a request that another person has made, and delete its packages.

    Whoever asked does not approve, nor whoever made the asker's token or got theirs from the asker. On one
    machine each of the two brings a token (`holdfast token create --name NAME --role archivist`).
    """
    from services.administration import deletion  # noqa: PLC0415  # start-up time

    actor = _actor(call, token_file)
    asked = deletion.approve(call.archive, actor, request, reason)
    codes = _show_outcomes(call, asked)
    call.interrupted_hint = "it was approved: `holdfast reconcile` goes on with it"
    found = asked.deletion.id if asked.deletion else request
    if not no_wait:
        codes += [code_of(walk(call, job)) for job in deletion.jobs_of(call.archive, found)]
    call.interrupted_hint = ""
    shown = _shown(call, actor, found)
    call.voice.document({"deletion": shown, "outcomes": _outcomes(asked)})
    _show(call, shown)
    return exit_codes.worst([*codes, _CODE.get(shown["state"], exit_codes.DONE)])


@command(deletion_app, "holdfast deletion refuse 5c1d0e2f --reason 'it is still cited'")
def refuse(call: Call, request: Request, reason: Reason, token_file: TokenFile = None) -> int:
    """Refuse a request, or take your own back; every package stays as it is."""
    from services.administration import deletion  # noqa: PLC0415  # start-up time

    if not reason.strip():
        raise UsageError("a refusal needs a reason, for whoever asked", "add --reason")
    actor = _actor(call, token_file)
    asked = deletion.refuse(call.archive, actor, request, reason)
    shown = _shown(call, actor, asked.deletion.id if asked.deletion else request)
    call.voice.document({"deletion": shown, "outcomes": _outcomes(asked)})
    _show(call, shown)
    return exit_codes.DONE


def _actor(call: Call, token_file: Path | None) -> "Actor":
    from services.administration.sign_in import actor_of_token  # noqa: PLC0415  # start-up time

    if token_file is None:
        return call.actor
    try:
        secret = token_file.expanduser().read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise UsageError(
            f"--token-file {token_file}: {error.strerror}", "name a file with the token"
        ) from None
    actor = actor_of_token(call.archive, secret)
    if actor is None:
        raise UsageError(f"--token-file {token_file}: this token is not valid", "see `holdfast token list`")
    return actor


def _shown(call: Call, actor: "Actor", request: str) -> dict[str, Any]:
    """Return a request with all of its packages."""
    from services.administration.deletion_views import shown  # noqa: PLC0415  # start-up time

    made, after = shown(call.archive, actor, request)
    while after is not None:
        more, after = shown(call.archive, actor, made["id"], after=after)
        made["items"] += more["items"]
    return made


def _outcomes(asked: "Asked") -> list[dict[str, Any]]:
    return [
        {
            "id": each.package_id,
            "changed": each.error is None and each.is_new,
            "problem": None if each.error is None else each.error.message,
        }
        for each in asked.outcomes
    ]


def _show_outcomes(call: Call, asked: "Asked") -> list[int]:
    codes = []
    for each in asked.outcomes:
        codes.append(_code_of(each))
        if each.error is not None:
            call.voice.note(f"{each.package_id}: {each.error.message}")
        elif not each.is_new:
            call.voice.note(f"{each.package_id} is deleted already")
    return codes


def _code_of(outcome: "Outcome") -> int:
    return exit_codes.DONE if outcome.error is None else exit_codes.BY_KIND[outcome.error.kind]


def _show(call: Call, shown: dict[str, Any]) -> None:
    voice, decided = call.voice, shown["decided"]
    voice.say(f"{_words(shown['state'])}  deletion {shown['id']}")
    asked = shown["requested"]
    content = (
        f"{counted(shown['packages'], 'package')}: {counted(shown['files'], 'file')}, {size(shown['bytes'])}"
        f", in {counted(shown['copies'], 'copy', 'copies')}"
    )
    is_refused = shown["state"] == "refused"
    verdict = "refused" if is_refused else "approved"
    refused = "refused" if is_refused else "not carried out"
    voice.facts(
        [
            ("asked for", f"by {asked['name']}, {moment(asked['at'])}: {shown['reason']}"),
            ("category", f"{shown['category']}: {SENTENCES[Category(shown['category'])]}"),
            (verdict, _decision(decided) if decided else ""),
            ("removes", content),
            ("progress", _progress(shown["progress"], refused)),
        ]
    )
    for each in shown["items"]:
        told = f"  {each['message']}" if each["message"] else ""
        state = refused if each["state"] == "refused" else _words(each["state"])
        voice.say(f"  {each['package']}  {padded(state, 15)}  {printable(each['title'] + told)}")


def _decision(decided: dict[str, Any]) -> str:
    reason = f": {decided['reason']}" if decided["reason"] else ""
    return f"by {decided['name']}, {moment(decided['at'])}{reason}"


def _progress(progress: dict[str, int], refused: str) -> str:
    """Return how many packages stand where; `refused` is the word for those that were turned down."""
    words = {state: refused if state is ItemState.REFUSED else _words(state) for state in ItemState}
    return ", ".join(f"{progress[state]} {words[state]}" for state in ItemState if progress.get(state))


def _words(state: str) -> str:
    return state.replace("_", " ")
