"""H1: SIGKILL at random instants inside the steps, of the ingest and of the restart after it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import rounds, settled
from tests.support.deposits import KINDS
from tests.support.killer import Killer
from tests.support.settled import Undisturbed

pytest_plugins = ["tests.support.crash_fixtures"]

SEED = 20261121
BATCHES = 4
KILLS = 15  # in each batch; relapses come on top
MORE = 4  # times that kills which came too late are made up for


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_H1_killed_at_random_instants(
    killer: Killer,
    empty_home: Path,
    home: Path,
    reference: Callable[[str], Undisturbed],
    batch: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settled.empty_home(empty_home, home)
    tally = rounds.Tally()
    chosen = list(rounds.plans(SEED + batch, KINDS, reference, KILLS))
    rounds.run(killer, home, chosen, reference, tally)
    # Where the machine is faster than when the reference was measured, kills come too late: make up for them.
    for again in range(1, MORE + 1):
        missing = KILLS - tally.kills
        if missing > 0 and not tally.wrong:
            sooner = rounds.plans(SEED + batch + 100 * again, KINDS, reference, missing)
            chosen = [replace(plan, share=plan.share / 2**again) for plan in sooner]
            rounds.run(killer, rounds.fresh(empty_home, home), chosen, reference, tally)
    with capsys.disabled():
        print(f"\nbatch {batch}: {tally}")  # noqa: T201  # which steps were hit is part of the proof
    assert tally.wrong == []
    assert killer.orphans() == []
    assert tally.kills >= KILLS, str(tally)
    assert len(tally.steps.keys() - {rounds.BETWEEN}) >= 5, str(tally)  # a busy machine misses the short ones
