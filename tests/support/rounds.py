"""Kills at random instants: which deposit, which step, how far into it, and whether the restart dies too.

The same seed draws the same plan. The instant itself is the machine's: that is the point of it.
"""

import contextlib
import queue
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.archive import open_archive
from tests.support import deposits, settled
from tests.support.deposits import Deposit
from tests.support.killer import Killer, Victim, restart
from tests.support.settled import Undisturbed

BETWEEN = "between steps"
INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Plan:
    """One kill: of whom, when, and how often the restart dies before it may finish.

    With a `step` the clock starts when it does, and `share` counts in its measured span; without one, when
    the victim is ready, and in the whole ingest.
    """

    kind: str
    step: str | None
    share: float
    relapses: tuple[float, ...]


@dataclass(slots=True)
class Tally:
    """Where the kills struck."""

    kills: int = 0
    too_late: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    duties: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Say it in a line."""
        where = ", ".join(f"{step} {count}" for step, count in self.steps.most_common())
        of_what = ", ".join(f"{duty} {count}" for duty, count in self.duties.most_common())
        return f"{self.kills} kills ({self.too_late} came too late) of {of_what}: {where}"


def plans(seed: int, kinds: Sequence[str], spans: Callable[[str], Undisturbed], count: int) -> Iterator[Plan]:
    """Draw plans of `count` kills or a few more, those of restarts among them: kinds in turn.

    A quarter strikes over the whole ingest, the rest over its steps alike.
    """
    draw = random.Random(seed)
    number = kills = 0
    while kills < count:
        kind = kinds[number % len(kinds)]
        steps = list(spans(kind).spans)
        step = None if draw.random() < 0.25 else draw.choice(steps)
        relapses = tuple(draw.random() for _ in range(draw.choice((0, 0, 0, 1, 2))))
        yield Plan(kind, step, draw.random() * 0.9, relapses)
        number += 1
        kills += 1 + len(relapses)


def strike(victim: Victim, step: str | None, seconds: float, tally: Tally, duty: str = INGEST) -> None:
    """Kill the victim `seconds` after it has begun the step, or was ready, and note where that was."""
    if step is None:
        victim.until("ready")
    else:
        victim.until("step", step=step)
    with contextlib.suppress(queue.Empty):
        victim.until("exit", seconds=seconds)  # it may be over before
    victim.signal(signal.SIGKILL)
    if victim.end() == -signal.SIGKILL:
        tally.kills += 1
        tally.duties[duty] += 1
        tally.steps[victim.died_in or BETWEEN] += 1
    else:
        tally.too_late += 1


def play(
    killer: Killer, home: Path, plan: Plan, number: int, known: Callable[[str], Undisturbed], tally: Tally
) -> Deposit:
    """Make a deposit, kill its ingest as planned, and restart until it is through."""
    deposit = deposits.make(plan.kind, home.parent / "sources", number)
    usual = known(plan.kind)
    span = usual.spans[plan.step] if plan.step else usual.seconds
    victim = killer.order(home, "ingest", sources=[str(deposit.source)])
    strike(victim, plan.step, span * plan.share, tally)
    for share in plan.relapses:
        strike(killer.order(home, "reconcile"), None, usual.seconds * share, tally)
    restart(home)
    return deposit


def run(
    killer: Killer,
    home: Path,
    chosen: Sequence[Plan],
    known: Callable[[str], Undisturbed],
    tally: Tally,
    first: int = 1,
) -> list[Deposit]:
    """Play the plans one after another in one home, looking after each for anything amiss."""
    made: list[Deposit] = []
    events = {plan.kind: known(plan.kind).events for plan in chosen}
    archive = open_archive(home)
    try:
        for number, plan in enumerate(chosen, first):
            made.append(play(killer, home, plan, number, known, tally))
            found = settled.problems(archive, made, events, export_only=made[-1])
            tally.wrong += [f"{plan}: {each}" for each in found]
            if found:
                break
        tally.wrong += settled.ocfl_problems(archive)
    finally:
        archive.close()
    return made


def fresh(template: Path, home: Path) -> Path:
    """Put a fresh copy of an empty home at `home`, whatever was there."""
    shutil.rmtree(home, ignore_errors=True)
    return settled.empty_home(template, home)
