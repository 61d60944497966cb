"""API tokens: create, list, revoke, and confirm after a restore."""

from dataclasses import replace
from typing import Annotated

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.filters import time_of
from cli.main_app import token_app
from cli.options import command
from cli.text import moment, padded, printable
from packages.model import now


@command(token_app, "holdfast token create --name harvester --role archivist --expires 90d")
def create(
    call: Call,
    name: Annotated[str, typer.Option("--name", metavar="N", help="What it is for.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="depositor, archivist or admin.")],
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="TIME", help="When it ends: 2027-01-31, or 90d from now."),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            "--person", metavar="TOKEN", help="A further one for whom TOKEN (id or name) stands for."
        ),
    ] = None,
) -> int:
    """Make a token; it is shown this once."""
    from services.administration.people import ROLES, create_token, token_json  # noqa: PLC0415  # start-up time

    if role not in ROLES:
        raise UsageError(f"--role {role}: there is no such role", f"one of {', '.join(ROLES)}")
    end = None if expires is None else time_of("--expires", expires, past=False)
    if end is not None and end <= now():
        raise UsageError(f"--expires {expires}: this is past", "write a time to come, or a span such as 90d")
    token, secret = create_token(call.archive, call.actor, name=name, role=role, expires=end, person=person)
    call.voice.document({**token_json(token), "token": secret})
    call.voice.say(secret)
    call.voice.note(f"token {token.id} for {name} ({role}): keep it now, it is not shown again")
    return exit_codes.DONE


@command(token_app, "holdfast token list", name="list")
def list_all(call: Call) -> int:
    """List all tokens, ended ones too."""
    from services.administration.people import list_tokens, token_json  # noqa: PLC0415  # start-up time

    for token in list_tokens(call.archive, call.actor):
        shown = token_json(token)
        call.voice.document(shown)
        until = f"until {moment(token.expires)}" if token.expires else ""
        told = f"revoked {moment(token.revoked)}" if token.revoked else until
        line = f"{token.id}  {padded(token.role, 9)}  {shown['state']:<9}  {printable(token.name)}  {told}"
        call.voice.say(line.rstrip())
    return exit_codes.DONE


@command(token_app, "holdfast token revoke harvester")
def revoke(
    call: Call,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, or its name if only one has it.")],
) -> int:
    """Make a token useless from now on."""
    from services.administration.people import revoke_token  # noqa: PLC0415  # start-up time

    revoke_token(call.archive, call.actor, token)
    call.voice.document({"token": token, "state": "revoked"})
    call.voice.say(f"revoked {printable(token)}")
    return exit_codes.DONE


@command(token_app, "holdfast token confirm harvester")
def confirm(
    call: Call,
    tokens: Annotated[
        list[str] | None, typer.Argument(metavar="TOKEN", help="Ids, or names that only one has.")
    ] = None,
) -> int:
    """Let tokens open again that a restore has suspended; all of them, if none is named."""
    from services.administration.people import confirm_tokens, token_json  # noqa: PLC0415  # start-up time

    done = confirm_tokens(call.archive, call.actor, tokens or [])
    for token in done:
        call.voice.document(token_json(replace(token, suspended=None)))
        call.voice.say(f"confirmed {token.id}  {printable(token.name)}")
    if not done:
        call.voice.say("no token was suspended")
    return exit_codes.DONE
