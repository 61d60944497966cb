"""Act 4: an ingest is killed with SIGKILL, again and again, and exactly one AIP comes of it."""

import shutil
from functools import partial
from pathlib import Path

from act_1_refuse import objects
from stage import SAMPLES, Stage

TITLE = "An ingest is killed with SIGKILL, twice more while it is finished: exactly one AIP"
TITLE_OF_PACKAGE = "Eleven hundred gauge readings"
FILES = 1100
# What lies in the workspace when each kill comes: a sheet of received files, the SIP, the staged OCFL object.
MOMENTS = (
    ("after reception", "sheets/received.jsonl"),
    ("building the SIP", "sip/data"),
    ("building the AIP", "object/v1"),
)


def play(stage: Stage) -> None:
    """Kill the ingest and the restarts at three moments, let the last one finish, and count."""
    before = {name: len(objects(stage, name)) for name in ("primary", "copy")}
    source = many_files(stage.folder / "readings")
    command: tuple[str | Path, ...] = ("ingest", source, "--title", TITLE_OF_PACKAGE)
    kills = 0
    for when, mark in MOMENTS:
        if stage.run_until_killed(*command, moment=partial(_lies, stage, mark)):
            kills += 1
            stage.tell(f"SIGKILL {when}")
        command = ("reconcile",)
    stage.check(that=kills > 0, otherwise="it was faster than the killer: nothing was shown")
    stage.run("reconcile")
    packages = [each for each in stage.run("list").documents if each["title"] == TITLE_OF_PACKAGE]
    stage.check(that=len(packages) == 1, otherwise=f"there are {len(packages)} packages of it")
    package = stage.run("status", packages[0]["id"]).document
    stage.check(that=package["state"] == "published", otherwise=f"its state is {package['state']}")
    after = {name: len(objects(stage, name)) - count for name, count in before.items()}
    stage.check(that=after == {"primary": 1, "copy": 1}, otherwise=f"new AIPs in the stores: {after}")
    events = stage.run("events", package["id"]).documents
    ids = {event["id"] for event in events}
    stage.check(that=len(ids) == len(events), otherwise="an event was recorded twice")
    left = list((stage.home / "staging").iterdir())
    stage.check(that=not left, otherwise=f"staging is not empty: {left}")
    again = stage.run("reconcile")
    stage.check(that=again.code == 0, otherwise="a second reconcile found something")
    audit = stage.run("audit", package["id"]).documents
    stage.check(that=all(each["verdict"] == "intact" for each in audit), otherwise=f"the audit says {audit}")
    stage.proved(
        f"{kills} kills, one AIP of {package['files']:,} files in each store, one PID, "
        f"{len(events)} events, staging empty"
    )
    shutil.rmtree(source)


def many_files(folder: Path) -> Path:
    """Make a folder of small true text files, enough of them that there is a middle to kill in."""
    lines = (SAMPLES / "harbour" / "logbook" / "gauge.csv").read_text(encoding="utf-8").splitlines()
    for number in range(FILES):
        file = folder / f"{number // 100:02d}" / f"reading-{number:04d}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{lines[0]}\n{lines[1 + number % 4]},{number}\n", encoding="utf-8")
    return folder


def _lies(stage: Stage, mark: str) -> bool:
    """Tell whether a workspace in staging has come as far as `mark`."""
    staging = stage.home / "staging"
    return staging.is_dir() and any((workspace / mark).exists() for workspace in staging.iterdir())
