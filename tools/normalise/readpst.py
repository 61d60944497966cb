"""readpst (libpst): the mailboxes of Outlook become MBOX, a file a folder, with vCards and iCalendars.

What it says it wrote of each folder is compared with what is in its files. Items that it has no form for
(settings, tasks, notes) it skips; how many these are is the message of the outcome.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packages.format_policy import Outcome
from packages.wording import counted
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, OneByOne, concluded, schema
from tools.runs import Job

KINDS = {
    "mbox": (".mbox", b"From "),
    "contacts": (".vcf", b"BEGIN:VCARD"),
    "calendar": (".ics", b"BEGIN:VEVENT"),
    "journal": (".ics", b"BEGIN:VJOURNAL"),
}
"""What it calls a file of a folder → the suffix that this has with us, and how a line of each item begins."""
CHUNK = 1 << 20
_VERSION = b"VERSION:3.0"
_FOLDER = re.compile(r'^Processing Folder "', re.MULTILINE)
_ITEMS = re.compile(r"^\t.* - (\d+) items done, (\d+) items skipped\.$", re.MULTILINE)


class _File(NamedTuple):
    folder: str
    path: Path
    suffix: str
    items: int


def _mailbox(job: Job, runner: Runner) -> Converted:
    out = runner.folder / "out"
    ran = runner.run(
        # With deleted items, in UTF-8, as a tree of folders, in one process: its report stays in order.
        ["readpst", "-D", "-8", "-r", "-j", "0", "-tejca", "-cv", "-o", out, job.source],
        [job],
    )
    if not ran.ok:
        return concluded(job, ran)
    said = ran.output.decode(errors="replace")
    told = [(int(done), int(skipped)) for done, skipped in _ITEMS.findall(said)]
    skipped = sum(each for _, each in told)
    files = sorted(_written(out))
    if not files:
        why = "it holds nothing that can become MBOX, vCards or iCalendars"
        return Converted(job, Outcome.SKIPPED, _also_skipped(why, skipped), command=ran.command)
    named = [job.folder / f"{number}{each.suffix}" for number, each in enumerate(files, 1)]
    for target, each in zip(named, files, strict=True):
        if each.suffix == ".vcf":
            _vcards(each.path, target)
        else:
            os.link(each.path, target)
    shown = ", ".join(
        f"{at}: {each.folder} ({counted(each.items, 'item')})" for at, each in enumerate(files, 1)
    )
    return Converted(
        job,
        message=_also_skipped(f"folders {shown}"[:LONGEST], skipped),
        files=tuple(named),
        command=ran.command,
        # A folder within another is one of its items.
        before={"items": sum(done for done, _ in told) - len(_FOLDER.findall(said))},
        after={"items": sum(each.items for each in files)},
    )


def _also_skipped(words: str, skipped: int) -> str:
    if not skipped:
        return words
    told = f"{counted(skipped, 'item')} of other kinds left out"
    return f"{told}; {words}"[:LONGEST]


def _written(out: Path) -> Iterator[_File]:
    """Yield what it left, by the folders of the mailbox; what it calls otherwise is none of it."""
    for place, _, names in os.walk(out):
        for name in names:
            path = Path(place, name)
            facts = path.lstat()
            if name in KINDS and stat.S_ISREG(facts.st_mode) and facts.st_size:
                suffix, beginning = KINDS[name]
                folder = path.parent.relative_to(out).as_posix()
                yield _File(folder, path, suffix, _items(path, beginning))


def _vcards(source: Path, target: Path) -> None:
    """Write the cards with lines as in RFC 2426 and the version first: else no signature knows them."""
    with source.open("rb") as lines, target.open("wb") as cards:
        for line in lines:
            word = line.rstrip(b"\r\n")
            if word and word != _VERSION:
                cards.write(word + b"\r\n")
            if word == b"BEGIN:VCARD":
                cards.write(_VERSION + b"\r\n")


def _items(path: Path, beginning: bytes) -> int:
    """Count the lines that begin so, in bounded memory."""
    count, before = 0, b"\n"
    wanted = b"\n" + beginning
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            whole = before + chunk
            count += whole.count(wanted)
            before = whole[-len(wanted) + 1 :]
    return count


ADAPTER = OneByOne(
    name="readpst",
    recipes={"mbox": schema()},
    commands=("readpst",),
    says=("libpst", ["readpst", "-V"], r"LibPST v?(\d[\d.]*)"),
    does=_mailbox,
)
