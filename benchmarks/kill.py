"""Kill by the hundred and look after each: ``python -m benchmarks.kill --kills 1000 --seed 7``.

Ingests, new versions, replications, repairs, deletions and rebuilds; ``--only`` names some of them.

With ``--everywhere`` the instants are not drawn: one ingest is killed before its first change of a name or a
file, another before its second, and so on until one gets through. Prints where the kills struck; exits 1 when
anything was amiss, and leaves that home where it is.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import time
from pathlib import Path

from services.archive import init_archive, open_archive
from tests.support import deposits, duties, rounds, settled
from tests.support.killer import Killer

ROUNDS_PER_HOME = 12  # each round looks at the whole home, so homes stay small


class Known:
    """What undisturbed ingests give, made when first asked for."""

    def __init__(self, killer: Killer, template: Path, folder: Path) -> None:
        self._killer, self._template, self._folder = killer, template, folder
        self._known: dict[str, settled.Undisturbed] = {}

    def __call__(self, kind: str) -> settled.Undisturbed:
        if kind not in self._known:
            home = settled.empty_home(self._template, self._folder / f"undisturbed-{kind}")
            deposit = deposits.make(kind, self._folder / "undisturbed", 0)
            self._known[kind] = settled.undisturbed(self._killer, home, deposit)
        return self._known[kind]


def at_random(killer: Killer, template: Path, folder: Path, asked: argparse.Namespace) -> rounds.Tally:
    """Kill at drawn instants, home after home, until enough kills have struck or something is amiss."""
    known, tally, number = Known(killer, template, folder), rounds.Tally(), 0
    spans: dict[str, float] = {}
    while tally.kills < asked.kills and not tally.wrong:
        place = folder / f"home-{number}"
        place.mkdir()
        if number % 3 == 0 and rounds.INGEST in asked.only:
            home = settled.empty_home(template, place / "home")
            chosen = list(rounds.plans(asked.seed + number, deposits.KINDS, known, ROUNDS_PER_HOME))
            rounds.run(killer, home, chosen, known, tally, first=1 + number * ROUNDS_PER_HOME)
        elif names := [each for each in duties.NAMES if each in asked.only]:
            ward = duties.ward_of(killer, template, place, asked.seed + number, tally, spans)
            duties.run(ward, [names[each % len(names)] for each in range(ROUNDS_PER_HOME)])
        number += 1
        print(f"{tally}", flush=True)
        if not tally.wrong:
            shutil.rmtree(place)
    return tally


def everywhere(killer: Killer, template: Path, folder: Path, kind: str, every: int) -> rounds.Tally:
    """Kill before every change (or each `every`-th) that an ingest makes; see `tests.support.mutations`."""
    known, tally, at = Known(killer, template, folder), rounds.Tally(), 1
    while not tally.wrong:
        home = settled.empty_home(template, folder / f"change-{at}" / "home")
        deposit = deposits.make(kind, home.parent / "sources", at)
        victim = killer.do(home, "ingest", sources=[str(deposit.source)], mutation=at)
        if victim.end() == 0:
            break
        tally.kills += 1
        tally.steps[victim.died_in or rounds.BETWEEN] += 1
        killer.restart(home)
        archive = open_archive(home)
        found = settled.problems(archive, [deposit], {kind: known(kind).events})
        found += settled.ocfl_problems(archive)
        archive.close()
        tally.wrong += [f"change {at}: {each}" for each in found]
        if not found:
            shutil.rmtree(home.parent)
        at += every
    return tally


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    known = (rounds.INGEST, *duties.NAMES)
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="of these only")
    parser.add_argument("--everywhere", choices=deposits.KINDS, help="kill before every change, in turn")
    parser.add_argument("--every", type=int, default=1, help="with --everywhere: each so manieth change only")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # ocfl-py and Alembic tell of every root and table
    folder = Path(tempfile.mkdtemp(prefix="holdfast-kill-"))
    template = folder / "template"
    init_archive(template)[0].close()
    begun = time.monotonic()
    with Killer() as killer:
        if asked.everywhere:
            tally = everywhere(killer, template, folder, asked.everywhere, asked.every)
        else:
            tally = at_random(killer, template, folder, asked)
        orphans = killer.orphans()
    print(f"{tally}; {time.monotonic() - begun:.0f} s")
    for each in [*tally.wrong, *(f"still running: {each}" for each in orphans)]:
        print(f"AMISS: {each}")
    if tally.wrong or orphans:
        print(f"left in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
