"""readpst (libpst): the mailboxes of Outlook become MBOX, a file a folder, with vCards and iCalendars.

What it says it wrote of each folder is compared with what is in its files. Items that it has no form for
(settings, tasks, notes) it skips; how many these are is the message of the outcome.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from packages.format_policy import Outcome
from packages.wording import counted
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, OneByOne, concluded, schema
from tools.runs import Job
from tools.sandbox import OUTPUT_BUDGET, open_left

KINDS = {
    "mbox": (".mbox", b"From "),
    "contacts": (".vcf", b"BEGIN:VCARD"),
    "calendar": (".ics", b"BEGIN:VEVENT"),
    "journal": (".ics", b"BEGIN:VJOURNAL"),
}
"""What it calls a file of a folder → the suffix that this has with us, and how a line of each item begins.

Where two folders have one name, or names that it writes alike, the files of the second bear a number.
"""
CHUNK = 1 << 20
_VERSION = b"VERSION:3.0"
_NAMED = re.compile(r"([a-z]+)(?:\d{8})?")
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
    said, is_cut = ran.output.decode(errors="replace"), len(ran.output) >= OUTPUT_BUDGET
    told = [(int(done), int(skipped)) for done, skipped in _ITEMS.findall(said)]
    skipped = sum(each for _, each in told)
    files = sorted(_written(out))
    if not files:
        why = "it holds nothing that can become MBOX, vCards or iCalendars"
        return Converted(job, Outcome.SKIPPED, _also_skipped(why, skipped), command=ran.command)
    named = [job.folder / f"{number}{each.suffix}" for number, each in enumerate(files, 1)]
    try:
        for target, each in zip(named, files, strict=True):
            if each.suffix == ".vcf":
                _vcards(each.path, target)
            else:
                os.link(each.path, target)
    except OSError as error:
        why = f"what it left cannot be taken over: {error.strerror}"
        return Converted(job, Outcome.FAILED, why, command=ran.command)
    shown = ", ".join(
        f"{at}: {each.folder} ({counted(each.items, 'item')})" for at, each in enumerate(files, 1)
    )
    return Converted(
        job,
        message=_also_skipped(f"folders {shown}"[:LONGEST], skipped),
        files=tuple(named),
        command=ran.command,
        # A folder within another is one of its items.
        before={"items": None if is_cut else sum(done for done, _ in told) - len(_FOLDER.findall(said))},
        after={"items": sum(each.items for each in files)},
    )


def _also_skipped(words: str, skipped: int) -> str:
    if not skipped:
        return words
    told = f"{counted(skipped, 'item')} of other kinds left out"
    return f"{told}; {words}"[:LONGEST]


def _written(out: Path) -> Iterator[_File]:
    """Yield what it left, by the folders of the mailbox; what it calls otherwise is none of it."""
    if out.is_symlink():
        return
    for place, _, names in os.walk(out):
        for name in names:
            named = _NAMED.fullmatch(name)
            if named is None or named[1] not in KINDS:
                continue
            path = Path(place, name)
            suffix, beginning = KINDS[named[1]]
            with suppress(OSError):
                if count := _items(path, beginning):
                    yield _File(path.parent.relative_to(out).as_posix(), path, suffix, count)


def _vcards(source: Path, target: Path) -> None:
    """Write the cards with lines as in RFC 2426 and the version first: else no signature knows them."""
    with open_left(source) as lines, target.open("xb") as cards:  # never through a link that lies there
        is_within = False  # a line longer than a chunk
        for piece in iter(partial(lines.readline, CHUNK), b""):
            word = piece.rstrip(b"\r\n")
            if is_within or (word and word.replace(b" ", b"") != _VERSION):  # some write it with a blank
                cards.write(word + b"\r\n" if piece.endswith(b"\n") else word)
            if word == b"BEGIN:VCARD" and not is_within:
                cards.write(_VERSION + b"\r\n")
            is_within = not piece.endswith(b"\n")


def _items(path: Path, beginning: bytes) -> int:
    """Count the lines that begin so, in bounded memory; raises OSError for what is no file of its own."""
    count, before = 0, b"\n"
    wanted = b"\n" + beginning
    with open_left(path) as stream:
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
