"""A contest: several contestants on the same data in turn, a few rounds, and the table that comes of it."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import TOOLS
from benchmarks.contestants import Contestant
from benchmarks.processes import Cost

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Contest:
    """What runs on what; `amount` of `unit` makes the rate, and ratios are against the first contestant."""

    title: str
    sources: Sequence[Path]
    amount: float
    unit: str
    contestants: Mapping[str, Contestant]


def hold(contest: Contest, folder: Path, rounds: int) -> None:
    """Run the contest and print its tables. Each run has a fresh folder below `folder`; none is deleted:

    ext4 creates files 10 to 20 times slower for a while after a large tree was deleted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in contest.contestants}
    for number in range(rounds):
        for name, contestant in contest.contestants.items():
            place = folder / f"{number}-{contestant.__name__}"
            place.mkdir()
            costs[name].append(contestant(contest.sources, place))
            print(f"<!-- round {number + 1}, {name}: {costs[name][-1].wall:.2f} s -->", flush=True)
    print(f"\n### {contest.title}\n\n{about(rounds)}\n\n{_table(contest, costs)}\n\n{_steps(folder)}\n")


def about(rounds: int) -> str:
    """Say on which machine and when this ran."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MIB / 1024
    return (
        f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}, Python"
        f" {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC,"
        f" median of {rounds} round{'s' if rounds > 1 else ''}, load {os.getloadavg()[0]:.1f} at the end;"
        f" {TOOLS}"
    )


def _table(contest: Contest, costs: Mapping[str, Sequence[Cost]]) -> str:
    rows = [
        f"| | wall s | {contest.unit}/s | ratio | CPU s | ratio | MB: parent | children | together |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    first: Cost | None = None
    for name, several in costs.items():
        cost = _median(several)
        first = first or cost
        cells = [
            f"{cost.wall:.2f}",
            f"{contest.amount / cost.wall:,.0f}",
            f"{cost.wall / first.wall:.2f}",
            f"{cost.cpu:.2f}",
            f"{cost.cpu / first.cpu:.2f}",
            *(f"{each / 1e6:.0f}" for each in (cost.parent, cost.children, cost.together)),
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _median(costs: Sequence[Cost]) -> Cost:
    """Return the run of the median wall clock, with the largest memory of all."""
    middle = sorted(costs, key=lambda each: each.wall)[(len(costs) - 1) // 2]
    return Cost(
        middle.wall if len(costs) % 2 else statistics.median(each.wall for each in costs),
        statistics.median(each.cpu for each in costs),
        max(each.parent for each in costs),
        max(each.children for each in costs),
        max(each.together for each in costs),
    )


def _steps(folder: Path) -> str:
    """Return the pipeline's steps as a table, of its last round."""
    reports = sorted(folder.glob("*/steps.json"), key=lambda each: each.stat().st_mtime)
    if not reports:
        return ""
    report = json.loads(reports[-1].read_text())
    rows = ["| step | wall s | CPU s (with children) |", "|---|--:|--:|"]
    rows += [f"| {name} | {wall:.2f} | {cpu:.2f} |" for name, (wall, cpu) in report["steps"].items()]
    rows.append(f"| from opening the archive to closing it | {report['wall']:.2f} | |")
    return "\n".join(rows)
