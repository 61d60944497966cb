"""Making an archive and looking at its settings: init, config."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli import exit_codes
from cli.call import Call
from cli.main_app import app
from cli.options import command
from cli.text import painted, printable

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@command(app, "holdfast init ~/archive")
def init(
    call: Call,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where; the home, if it is not given.")
    ] = None,
    anew: Annotated[
        list[str] | None,
        typer.Option(
            "--anew", metavar="STORE", help="A store whose disk is lost for good begins in the empty folder."
        ),
    ] = None,
) -> int:
    """Make an archive in the home.

    With embedded defaults: SQLite, two local stores, full-text search. Twice changes nothing.
    """
    if folder is not None:
        call.home = folder.expanduser().absolute()
    is_new = call.make_archive("init", anew=anew or ())
    stores = {name: store.url for name, store in call.archive.stores.items()}
    call.voice.document(
        {"home": str(call.home), "new": is_new, "archive_id": call.archive.archive_id, "stores": stores}
    )
    call.voice.say(f"{'made an archive' if is_new else 'there is an archive'} in {printable(str(call.home))}")
    call.voice.facts(stores.items())
    if _is_to_be_rebuilt(call):
        call.voice.note("→ the stores hold packages of this archive: `holdfast rebuild` brings them back")
    return exit_codes.DONE


def _is_to_be_rebuilt(call: Call) -> bool:
    """Tell whether the catalogue knows of no package although a store holds some."""
    with call.archive.catalogue.read() as view:
        if view.packages(limit=1):
            return False
    return any(next(iter(store.objects()), None) for store in call.archive.stores.values())


@command(app, "holdfast config --check")
def config(
    call: Call,
    check: Annotated[bool, typer.Option("--check", help="Try each server, store and tool.")] = False,
) -> int:
    """Show every setting and where it came from.

    Secrets are masked.
    """
    from services.archive import Archive  # noqa: PLC0415  # start-up time
    from services.settings_sources import load_settings, origins  # noqa: PLC0415  # same reason

    call.opened(lambda: Archive(load_settings(call.home)))  # wrong settings are all named here
    settings = origins(call.home)
    shown: dict[str, object] = {"home": str(call.home), "settings": [asdict(each) for each in settings]}
    call.voice.say(f"home {printable(str(call.home))}")
    for each in settings:
        value = each.value if each.value != "" else "(unset)"
        source = "" if each.source == "default" else f"  [{each.source}]"
        call.voice.say(f"  {each.name:<28} {printable(value)}{source}")
    code = exit_codes.DONE
    if check:
        shown["checks"], code = _try_all(call)
    call.voice.document(shown)
    return code


def _try_all(call: Call) -> tuple[list[dict[str, str]], int]:
    """Try every part and print what came of each as it comes."""
    from services.administration.health import try_all  # noqa: PLC0415  # start-up time

    call.voice.say()
    tried = []
    for each in try_all(call.archive):
        tried.append(asdict(each))
        verdict = painted(each.verdict.ljust(7), _COLOURS[each.verdict], sys.stdout)
        call.voice.say(f"  {verdict}  {each.part}: {printable(each.message)}")
    wrong = any(each["verdict"] == "error" for each in tried)
    return tried, exit_codes.SYSTEM if wrong else exit_codes.DONE
