"""What converters made, held to the rules of the formats that it is in."""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.ports import Identification
from tools.validity import Check, Outcome, Subject, Validator, Validity
from tools.validity.table import XML


class Judged(NamedTuple):
    """What a validator says of one file; where the one that would is not installed, `missing` names it.

    Neither is there for a file whose format nothing judges, or whose validator is switched off.
    """

    validity: Validity | None = None
    missing: str = ""


NOTHING_SAID = Judged()


class Conformity:
    """Judges the outputs of one package by the table of `validator`, as many and as long as its limits say.

    Tools work in private folders below `scratch`; `progress` is told the bytes of what has been judged.
    """

    def __init__(self, validator: Validator, scratch: Path, progress: Callable[[int], None] | None) -> None:
        self._validator, self._scratch, self._progress = validator, scratch, progress
        self._checks = validator.table.by_puid()
        self._left = validator.table.files
        self._seconds = float(validator.table.seconds)

    def judge(self, files: Sequence[tuple[Path, Identification]]) -> list[Judged]:
        """Return for each file, in order, what its validator says.

        Files of one validator go to it together, as many as it takes in one start. Never raises for what a
        tool does. Memory grows with the number of `files`.
        """
        judged = [NOTHING_SAID] * len(files)
        asked: defaultdict[Check, list[int]] = defaultdict(list)
        for at, (_, match) in enumerate(files):
            check = self._checks.get(match.puid or "")
            if check is None or check.tool == XML:
                continue
            tool = self._validator.tool(check.tool)
            if tool.version is None:
                judged[at] = NOTHING_SAID if tool.is_off else Judged(missing=tool.title)
            elif self._left:
                self._left -= 1
                asked[check].append(at)
            else:
                most = self._validator.table.files
                why = f"of what is made of one package, {most:,} files are judged"
                said = Validity.of(Outcome.UNCHECKED, f"{tool.title} {tool.version}", None, [why])
                judged[at] = Judged(said)
        for at, said in self._said(files, asked):
            judged[at] = Judged(said)
        return judged

    def tidy(self) -> None:
        """Remove the folder that the tools worked in, once the last file has been judged."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _said(
        self, files: Sequence[tuple[Path, Identification]], asked: dict[Check, list[int]]
    ) -> list[tuple[int, Validity]]:
        if not asked:
            return []
        subjects = {
            check: [Subject(file.name, file, file.stat().st_size) for file in (files[at][0] for at in places)]
            for check, places in asked.items()
        }
        begun = time.monotonic()
        found = self._validator.judge(
            subjects,
            scratch=self._scratch,
            root=self._scratch,
            progress=self._progress or (lambda _: None),
            seconds=self._seconds,
        )
        self._seconds -= time.monotonic() - begun
        return [pair for check, places in asked.items() for pair in zip(places, found[check], strict=True)]
