"""H1: SIGKILL at random instants of an ingest, of what befalls a kept package, of the restart after it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import duties, rounds, settled
from tests.support.deposits import KINDS
from tests.support.killer import Killer
from tests.support.settled import Undisturbed

pytest_plugins = ["tests.support.crash_fixtures"]

SEED = 20261121
BATCHES = 3
KILLS = 17  # in each batch, those of restarts among them
KEPT = 12  # kills of duties; 63 in all, at least
DUTIES = 4  # in which they strike, at least
STEPS = 5  # in which each batch strikes, at least; a busy machine misses the short ones
MORE = 4  # times that kills which came too late, or all in the same steps, are made up for


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
    # Where the machine is faster than when the reference was measured, kills come too late; where it is busy,
    # many strike the long step after the one that was meant. Make up for both.
    for again in range(1, MORE + 1):
        missing = max(KILLS - tally.kills, 6 * (STEPS - len(struck(tally))))
        if missing > 0 and not tally.wrong:
            sooner = rounds.plans(SEED + batch + 100 * again, KINDS, reference, missing)
            chosen = [replace(plan, share=plan.share / 2**again) for plan in sooner]
            rounds.run(killer, rounds.fresh(empty_home, home), chosen, reference, tally)
    with capsys.disabled():
        print(f"\nbatch {batch}: {tally}")  # noqa: T201  # which steps were hit is part of the proof
    assert tally.wrong == []
    assert killer.orphans() == []
    assert tally.kills >= KILLS, str(tally)
    assert len(struck(tally)) >= STEPS, str(tally)


def struck(tally: rounds.Tally) -> set[str]:
    """Return the steps in which something was killed."""
    return tally.steps.keys() - {rounds.BETWEEN}


@pytest.mark.slow
def test_H1_killed_at_random_instants_of_what_befalls_a_kept_package(
    killer: Killer, empty_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new version, a replication, a repair, a deletion and a rebuild, in turn, in one home."""
    tally = rounds.Tally()
    usual = dict.fromkeys(duties.NAMES, 0.4)  # seconds; a wrong guess only kills too late, or early
    ward = duties.ward_of(killer, empty_home, tmp_path, SEED, tally, usual)
    for _ in range(MORE):
        if (tally.kills < KEPT or len(tally.duties) < DUTIES) and not tally.wrong:
            duties.run(ward, duties.NAMES)
    with capsys.disabled():
        print(f"\n{tally}")  # noqa: T201  # which duties were hit is part of the proof
    assert tally.wrong == []
    assert killer.orphans() == []
    assert tally.kills >= KEPT, str(tally)
    assert len(tally.duties) >= DUTIES, str(tally)
