"""Looking at what there is: list, status, events, versions, search."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import exit_codes
from cli.call import Call, UsageError
from cli.filters import package_filter
from cli.main_app import app
from cli.options import Reference, Since, State, Step, command
from cli.presenting import list_heading, list_line, show_package
from cli.text import counted, moment, painted, printable, size
from packages.ledger import PackageState

if TYPE_CHECKING:
    from storage.search.port import Hit, Hits

SORTS = ("relevance", "newest", "oldest", "title", "year")


@command(app, "holdfast list --state failed --since 7d", name="list")
def list_packages(
    call: Call,
    state: State = None,
    step: Step = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Only packages whose reason holds this text."),
    ] = None,
    since: Since = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those cancelled because their content was there already.")
    ] = False,
) -> int:
    """List packages, oldest first.

    A package that was cancelled because the same content is there already is left out, unless --all or
    --state cancelled is given.
    """
    from services.data_management.views import listing  # noqa: PLC0415  # start-up time

    wanted = package_filter(state, step, reason, since)
    everything = everything or wanted.state is PackageState.CANCELLED
    number = 0
    for package in listing(call.archive, call.actor, wanted):
        if package["same_as"] and not everything:
            continue
        if not number:
            call.voice.say(list_heading())
        number += 1
        call.voice.document(package)
        call.voice.say(list_line(package))
    if not number and not call.voice.json:
        call.voice.note("no packages" + ("" if not any((state, step, reason, since)) else " match"))
    return exit_codes.DONE


@command(app, "holdfast status 7f3c9a21")
def status(call: Call, reference: Reference) -> int:
    """Show one package with steps and findings."""
    from services.data_management.views import status as status_of  # noqa: PLC0415  # start-up time

    package = status_of(call.archive, call.actor, reference)
    call.voice.document(package)
    show_package(call.voice, package, is_test=call.archive.pids.is_test, steps=True)
    return exit_codes.DONE


@command(app, "holdfast events 7f3c9a21 --json")
def events(call: Call, reference: Reference) -> int:
    """List a package's PREMIS events."""
    from services.data_management.views import events as events_of  # noqa: PLC0415  # start-up time

    for each in events_of(call.archive, call.actor, reference):
        call.voice.document(each)
        outcome = "" if each["outcome"] == "success" else f" [{each['outcome']}]"
        call.voice.say(f"{moment(each['at'])}  {each['type']}{outcome}: {printable(each['detail'])}")
    return exit_codes.DONE


@command(app, "holdfast versions ark:99999/hf1x5k2r")
def versions(call: Call, reference: Reference) -> int:
    """List a package's versions, oldest first."""
    from services.data_management.views import versions as versions_of  # noqa: PLC0415  # start-up time

    for each in versions_of(call.archive, call.actor, reference):
        call.voice.document(each)
        content = f"{counted(each['files'], 'file')}, {size(each['bytes'])}"
        told = f"{printable(each['user'])}: {printable(each['message'])}"
        call.voice.say(f"v{each['version']}  {moment(each['created'])}  {content}  {told}")
    return exit_codes.DONE


@command(app, "holdfast search 'harbour year:1925 -draft' --sort newest")
def search(
    call: Call,
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='Words, "phrases", field:word, -not, OR, prefix*.')
    ],
    sort: Annotated[
        str, typer.Option("--sort", metavar="ORDER", help=f"One of {', '.join(SORTS)}.")
    ] = "relevance",
    size: Annotated[int, typer.Option("--size", metavar="N", min=1, max=1000, help="Hits on a page.")] = 10,
    after: Annotated[
        str | None, typer.Option("--after", metavar="TOKEN", help="The page behind this token.")
    ] = None,
) -> int:
    """Search the archive.

    In titles, descriptions, people, subjects, file names and formats.
    """
    from services.access.searching import hits_json  # noqa: PLC0415  # start-up time
    from services.access.searching import search as search_for  # noqa: PLC0415  # same reason

    if sort not in SORTS:
        raise UsageError(f"--sort {sort}: there is no such order", f"one of {', '.join(SORTS)}")
    hits = search_for(call.archive, call.actor, query, sort=sort, size=size, after=after)
    call.voice.document(hits_json(hits))
    if not call.voice.json:
        _show_hits(call, hits)
    return exit_codes.DONE


def _show_hits(call: Call, hits: "Hits") -> None:
    call.voice.say(f"{counted(hits.total, 'package')} found")
    for hit in hits.hits:
        _show_hit(call, hit)
    rows = []
    for name, values in hits.facets.items():
        rows.append((name, ", ".join(f"{each.label or each.value} ({each.count})" for each in values[:8])))
    if any(value for _, value in rows):
        call.voice.say()
        call.voice.facts(rows)
    if hits.next is not None:
        call.voice.note(f"→ more: --after {hits.next}")


def _show_hit(call: Call, hit: "Hit") -> None:
    document: Any = hit.document
    year = f" ({document['year']})" if document["year"] else ""
    state = str(document["state"]).replace("_", " ")
    standing = "" if state == "published" else f"  [{painted(state, 'yellow', sys.stdout)}]"
    call.voice.say(f"  {painted(printable(hit.title), 'bold', sys.stdout)}{year}{standing}")
    call.voice.say(f"    {hit.id}  {printable(document['pid'] or '')}".rstrip())
    before, after = ("\x1b[1m", "\x1b[0m") if painted("x", "bold", sys.stdout) != "x" else ("", "")
    for name, fragments in hit.highlights.items():
        for fragment in fragments[:2] if name != "title" else ():
            call.voice.say(f"    {name}: {fragment.marked(before, after, printable)}")
