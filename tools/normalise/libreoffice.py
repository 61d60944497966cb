"""LibreOffice: office documents become PDF/A, OpenDocument, and of spreadsheets a CSV file a sheet.

One start of the program does all documents of a call that want the same. Its profile is new each time
and says what an archive needs (`SETTINGS`): no macro is run, nothing that a document points to is fetched,
and the results of formulas stay what they were when the document was saved.
"""

import csv
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import md5
from pathlib import Path
from shutil import copyfile, which
from typing import Any
from xml.sax.saxutils import escape

from packages.format_policy import Outcome
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, also, concluded, one_of, schema, version_said, whole
from tools.runs import Ended, Job, Ran
from tools.sandbox import open_left

OFFICE = "/org.openoffice.Office"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    f"{OFFICE}.Common/Security/Scripting": {
        "MacroSecurityLevel": "3",
        "DisableMacrosExecution": "true",
        "DisableActiveContent": "true",
        "BlockUntrustedRefererLinks": "true",  # without this, linked pictures are fetched
    },
    f"{OFFICE}.Writer/Content/Update": {"Link": "2", "Field": "false", "Chart": "false"},
    f"{OFFICE}.Calc/Content/Update": {"Link": "2"},
    f"{OFFICE}.Calc/Formula/Load": {"OOXMLRecalcMode": "1", "ODFRecalcMode": "1"},
    f"{OFFICE}.Common/Save/ODF": {"DefaultVersion": "10"},  # ODF 1.3 as it is in the standard, no extensions
    "/org.openoffice.Setup/L10N": {
        "ooSetupSystemLocale": "en-CA"
    },  # writes dates as 2020-12-31, numbers as 1.5
}
TOLD = "with macros, links and recalculation off"
CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
"""Comma, double quote, UTF-8; values as they are stored, not as they are shown; every sheet."""

SOCKETS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  # the program takes no other folder for its socket
READABLE = (Path("/var/lib/libreoffice"), Path("/var/spool/libreoffice"))
"""Where Debian keeps what extensions leave behind: without it the program does not start."""
_SHEET = re.compile(r"^Writing sheet (.*) -> .*/([^/]+\.csv)$", re.MULTILINE)
MOST_NAMES = 50
LONGEST_LINE = 64 << 20
"""Bytes of a line of CSV: a row of a thousand cells that are all full."""
DRAWING = Path(__file__).with_name("pages.py")
"""Draws pages; copied beside the documents, as the confined process reads nothing of ours."""
MOST_STARTS = 5
"""Starts for documents that want the same, when some of them end the program."""
AGAIN = 1
"""Status of a start that came to nothing because of the socket."""


@dataclass(frozen=True)
class _Want:
    """What one start of the program makes: `filter` is its ``--convert-to``, `part` that of PDF/A."""

    filter: str
    suffix: str
    part: int = 2


def _want(job: Job) -> _Want:
    if job.action.recipe == "odf":
        to = job.arguments["to"]
        return _Want(to, to)
    if job.action.recipe == "csv":
        return _Want(CSV, "csv")
    return _Want("pdf", "pdf", job.arguments.get("part", 2))


class LibreOffice:
    """An `Adapter`; see `tools.normalise.ports`."""

    name = "libreoffice"
    recipes: Mapping[str, Mapping[str, Any]] = {
        "pdfa": schema(["part"], part={"enum": [1, 2, 3], "description": "Part of ISO 19005."}),
        "odf": schema(["to"], to=one_of("odt", "ods", "odp", "odg", description="Kind of document.")),
        "csv": schema(),
        "jpeg": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side.")),
    }
    commands = ("soffice",)
    batch = 200
    few = 80  # twenty documents that want four copies each

    def version(self) -> str:
        """Return name and version for PREMIS."""
        return version_said("LibreOffice", ["soffice", "--version"], r"LibreOffice (\d[\d.]*)")

    def convert(self, jobs: Sequence[Job], runner: Runner) -> Iterator[Converted]:
        """Convert each of `jobs`, with one start for all that want the same."""
        wanted: defaultdict[_Want, list[Job]] = defaultdict(list)
        for job in jobs:
            wanted[_want(job)].append(job)
        pictures: list[Converted] = []
        for number, (want, group) in enumerate(wanted.items()):
            for done in _make(want, group, runner, runner.folder / "out" / str(number)):
                if done.job.action.recipe == "jpeg":
                    pictures.append(done)
                else:
                    yield done
        yield from _drawn(pictures, runner)


def _make(want: _Want, jobs: Sequence[Job], runner: Runner, out: Path) -> Iterator[Converted]:
    """Make `want` of all `jobs`; each source once, although several derivatives may be made of it."""
    firsts: dict[Path, Job] = {}
    for job in jobs:
        firsts.setdefault(job.source.resolve(), job)
    out.mkdir(parents=True)
    runs = _started(want, list(firsts.values()), runner, out)
    for job in jobs:
        first = firsts[job.source.resolve()]
        ran, stem = runs[first.source], first.source.stem
        if want.suffix == "csv":
            yield _sheets(job, ran, out, stem)
        else:
            made = out / f"{stem}.{want.suffix}"
            yield _one(job, ran, made)


def _started(want: _Want, jobs: Sequence[Job], runner: Runner, out: Path) -> dict[Path, Ran]:
    """Start the program for all `jobs`, and again for those behind a document that ended it.

    Return by source the run that it was last in. Documents are done in their order: the first that is not
    there is the one to blame, and is left to a start of its own.
    """
    runs: dict[Path, Ran] = {}
    rest = jobs
    for _ in range(MOST_STARTS):
        ran = _start(want, rest, runner, out)
        runs |= {job.source: ran for job in rest}
        if ran.ok or ran.ended is Ended.STOPPED:
            break
        rest = [job for job in rest if not _is_there(want, job, out)][1:]
        if not rest:
            break
    return runs


def _is_there(want: _Want, job: Job, out: Path) -> bool:
    stem = job.source.stem
    return (
        any(out.glob(f"{stem}-*.csv")) if want.suffix == "csv" else (out / f"{stem}.{want.suffix}").is_file()
    )


def _start(want: _Want, jobs: Sequence[Job], runner: Runner, out: Path) -> Ran:
    """Start the program once for all `jobs`; a second time where it took offence at a new profile.

    It would do that by itself, but finds the socket of its first life, which it may not remove.
    """
    profile = runner.folder / "home" / f"profile-{want.part}"
    starts = 1 if profile.exists() else 2
    _prepare(profile, want.part)
    while True:
        ran = runner.run(
            [
                *("soffice", f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore"),
                *("--nologo", "--nodefault", "--nolockcheck", "--nofirststartwizard", "--convert-to"),
                *(want.filter, "--outdir", str(out), *(str(job.source) for job in jobs)),
            ],
            jobs,
            readable=READABLE,
            sockets=SOCKETS,
        )
        _remove_socket(profile)
        starts -= 1
        if ran.status != AGAIN or not starts:
            break
    told = f"{TOLD}; PDF/A-{want.part}b" if want.suffix == "pdf" else TOLD
    return replace(ran, command=f"{ran.command} ({told})")


def _remove_socket(profile: Path) -> None:
    """Remove the socket by which a second start would find the first: it could not do so itself."""
    digest = md5(profile.as_uri().encode("utf-16-le"), usedforsecurity=False).digest()
    name = "".join(f"{each:x}" for each in digest)
    for folder in SOCKETS:
        (folder / f"OSL_PIPE_{os.getuid()}_SingleOfficeIPC_{name}").unlink(missing_ok=True)


def _prepare(profile: Path, part: int) -> None:
    """Write the profile's settings, as the program itself would, and which build of it the profile is for.

    Without that the program takes the profile for another build's, and wants to be started again.
    """
    pdf = {"SelectPdfVersion": str(part), "ExportHiddenSlides": "true"}  # what is not shown is not left out
    settings = {**SETTINGS, f"{OFFICE}.Common/Filter/PDF/Export": pdf}
    items = "".join(
        f'<item oor:path="{escape(path)}"><prop oor:name="{name}" oor:op="fuse">'
        f"<value>{value}</value></prop></item>\n"
        for path, properties in settings.items()
        for name, value in properties.items()
    )
    extensions = profile / "user" / "extensions"
    if not extensions.exists():  # later the program's own word stands there
        extensions.mkdir(parents=True)
        (extensions / "buildid").write_text(_build(), "utf-8")
    (profile / "user" / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items xmlns:oor="http://openoffice.org/2001/registry"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        f"{items}</oor:items>\n",
        "utf-8",
    )


@cache
def _build() -> str:
    """Return the id of the installed build, from the file beside the program; empty where it does not say."""
    program = which("soffice")
    try:
        said = Path(program or "").resolve().with_name("versionrc").read_text("utf-8")
    except (OSError, ValueError):
        return ""
    found = re.search(r"^buildid=(.*)$", said, re.MULTILINE)
    return found[1].strip() if found else ""


def _one(job: Job, ran: Ran, made: Path) -> Converted:
    """Give a job its output; a run that failed may have made it before."""
    if not made.is_file():
        return concluded(job, ran, made)
    target = job.folder / f"1{made.suffix}"
    os.link(made, target)  # another job may want the same
    return replace(concluded(job, _well(ran), target), command=ran.command)


def _well(ran: Ran) -> Ran:
    """Return `ran` as one that ended well: what was wrong with it was wrong with another document."""
    return replace(ran, ended=type(ran.ended).BY_ITSELF, status=0)


def _drawn(made: Sequence[Converted], runner: Runner) -> Iterator[Converted]:
    """Draw the first pages of the PDFs that were made for pictures, all by one start of our own program."""
    to_draw = [each for each in made if each.outcome is Outcome.DONE]
    yield from (each for each in made if each.outcome is not Outcome.DONE)
    if not to_draw:
        return
    script = runner.folder / DRAWING.name
    copyfile(DRAWING, script)
    asked = [
        (
            str(each.files[0]),
            str(each.job.folder / "1.jpg"),
            each.job.arguments["max_side"],
            each.job.action.limits.max_pixels,
        )
        for each in to_draw
    ]
    ran = runner.run(
        [sys.executable, "-I", "-B", script],
        [each.job for each in to_draw],
        stdin=json.dumps(asked).encode(),
    )
    wrong = [json.loads(line) for line in ran.output.splitlines()]
    for at, each in enumerate(to_draw):
        target = each.job.folder / "1.jpg"
        if at < len(wrong) and wrong[at]:
            yield Converted(each.job, Outcome.FAILED, wrong[at][:LONGEST], command=ran.command)
        else:
            done = concluded(each.job, _well(ran) if at < len(wrong) else ran, target)
            yield replace(done, command=also(each, ran))


def _sheets(job: Job, ran: Ran, out: Path, stem: str) -> Converted:
    """Give a job a file for each sheet, in their order, and say how they are called."""
    said = ran.output.decode(errors="replace")
    names = {file: name for name, file in _SHEET.findall(said) if file.startswith(f"{stem}-")}
    order = list(names)
    made = sorted(
        out.glob(f"{stem}-*.csv"),
        key=lambda each: (order.index(each.name) if each.name in order else len(order), each.name),
    )
    if not made:
        return concluded(job, ran, out / f"{stem}.csv")
    files = []
    for number, sheet in enumerate(made, 1):
        files.append(target := job.folder / f"{number}.csv")
        os.link(sheet, target)
    shown = ", ".join(
        f"{number}: {names.get(each.name, each.name)}" for number, each in enumerate(made[:MOST_NAMES], 1)
    )
    return Converted(
        job,
        message=f"sheets {shown}"[:1000],
        files=tuple(files),
        command=ran.command,
        after={"sheets": len(files), "rows": _rows(files) if "rows" in job.properties else None},
    )


def _rows(files: Sequence[Path]) -> int | None:
    """Count the rows that hold a value, in all files; None where one cannot be read."""
    try:
        return sum(any(row) for file in files for row in csv.reader(_lines(file)))
    except (OSError, ValueError, csv.Error):
        return None


def _lines(file: Path) -> Iterator[str]:
    """Yield the lines of what the program left; raises ValueError for one that no sheet can have."""
    with open_left(file) as left:
        while line := left.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise ValueError("a line without an end")
            yield line.decode()


ADAPTER = LibreOffice()
