"""The `holdfast` command: puts the tree together, and turns what is left of errors into exit codes."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import typer

from cli import commands, exit_codes
from cli.main_app import app
from cli.voice import Voice
from packages import garbage


def main() -> None:
    """Run the command and exit."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    # What is restricted must be so on this machine, too: nothing made here, by parts that are started from
    # here neither, is for other users. What the group may read is the user's own setting.
    os.umask(os.umask(0o077) | 0o007)
    # Typer's pydantic would look for plugins in the files of every installed package, 0.05 s; it has none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    garbage.look_seldom()
    code = run(sys.argv[1:])
    garbage.leave_to_the_end()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command with `arguments` and return its exit code; never raises."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        commands.register()
        code = app(arguments, prog_name="holdfast", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _usage(error, as_json=asks_for_json(arguments))
    except typer.Abort:
        return exit_codes.INTERRUPTED
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    return int(code or 0)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Tell whether JSON is asked for by a command line that could not be read."""
    before = list(arguments)[: list(arguments).index("--")] if "--" in arguments else arguments
    return "--json" in before


def _usage(error: typer.TyperException, *, as_json: bool) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "holdfast"
    message = error.format_message()
    if message.startswith("Usage:"):  # no command was given, and this is the help
        print(message, file=sys.stderr)
        return exit_codes.USAGE
    message = message.replace("Value error, ", "")
    Voice(json=as_json).failure("usage", message, f"see `{path} --help`")
    return exit_codes.USAGE


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop by an exception, so that the job is put back; a second signal stops at once."""
    del number, frame
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: os._exit(exit_codes.INTERRUPTED))
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
