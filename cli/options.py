"""Options that many commands share, and the decorator that gives every command the common three."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.call import Call, guarded
from cli.voice import Voice

Json = Annotated[bool, typer.Option("--json", help="Print results as JSON, and nothing else, on stdout.")]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="The archive's home. [default: HOLDFAST_HOME, or the platform's user data folder]",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Leave out progress and notes.")]

Reference = Annotated[
    str, typer.Argument(metavar="ID", help="A package id, its unambiguous beginning, or a PID.")
]
References = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Package ids or PIDs.")]
State = Annotated[
    str | None,
    typer.Option(
        "--state", metavar="STATE", help="Only packages in this state, or whose work is queued, running, …"
    ),
]
Step = Annotated[
    str | None, typer.Option("--step", metavar="STEP", help="Only packages that stand at this step.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="TIME",
        help="Only what changed since: 2026-11-21, 2026-11-21T09:30Z, 90m, 12h, 7d.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before more than one package.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept and shown.")]

_COMMON = (
    inspect.Parameter("home", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Home),
    inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json),
    inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet),
)

Command = Callable[..., int]


def command(app: typer.Typer, example: str, name: str | None = None) -> Callable[[Command], Command]:
    """Make a function a command of `app`: it gets a `Call` first and returns the exit code.

    ``--home``, ``--json`` and ``--quiet`` are added here; given before the command's name they hold too.
    """

    def decorate(function: Command) -> Command:
        own = list(inspect.signature(function).parameters.values())[1:]

        @wraps(function)
        def run(context: typer.Context, **values: Any) -> int:
            call = call_of(context, values.pop("home"), values.pop("json"), values.pop("quiet"))
            return guarded(call, lambda: function(call, **values))

        parameters = [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own),
            *_COMMON,
        ]
        typed: Any = run  # typer reads the signature and the annotations that are written here
        typed.__signature__ = inspect.Signature(parameters, return_annotation=int)
        typed.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": int}
        del typed.__wrapped__  # or inspect would look through to the function
        app.command(name, epilog=f"Example: {example}")(typed)
        return function

    return decorate


def remember_common(
    context: typer.Context, home: Home = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Keep the common options that were given before the command's name."""
    context.obj = {"home": home, "json": json, "quiet": quiet}


def call_of(context: typer.Context, home: Path | None, json: bool, quiet: bool) -> Call:
    """Return the call with the common options from both places; the one after the command's name wins."""
    before = context.find_root().obj or {}
    return Call(
        home=found_home(home or before.get("home")),
        voice=Voice(json=json or before.get("json", False), quiet=quiet or before.get("quiet", False)),
    )


def found_home(given: Path | None) -> Path:
    """Return the home that was named, or the default one."""
    if given is not None:
        return given.expanduser().absolute()
    from services.settings_sources import default_home  # noqa: PLC0415  # start-up time

    return default_home()
