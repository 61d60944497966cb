"""Act 5: catalogue and index are rebuilt from storage; one file comes back without Holdfast."""

import os
import re
import subprocess
import sys
from typing import Any

from stage import SAMPLES, NotProved, Stage

TITLE = "Catalogue and index are deleted and rebuilt from storage; a file comes back without Holdfast"
WANTED = "data/original/reports/high-water.pdf"
# What must be the same afterwards. `copies` is not among them: what was not read again counts as unchecked.
KEPT = ("id", "state", "title", "owner", "access", "pid", "oai_id", "version", "files", "bytes", "created")


def play(stage: Stage) -> None:
    """Ask, delete, rebuild, ask again; then read the storage root as a stranger would."""
    before = answers(stage)
    gone = [file for file in stage.home.iterdir() if re.match(r"(catalogue|search)\.db", file.name)]
    for file in gone:
        file.unlink()
    stage.tell("deleted " + ", ".join(sorted(file.name for file in gone)))
    seconds = stage.run("rebuild").seconds
    after = answers(stage)
    for question, answer in before.items():
        stage.check(
            that=after[question] == answer,
            otherwise=f"{question}: other answers\n  before: {answer}\n  after:  {after[question]}",
        )
    stage.tell(f"rebuilt in {seconds:.1f} s; the same answers to all {len(before)} questions")
    package = next(each for each in before["list"] if each["title"].startswith("Harbour office"))
    restored = without_holdfast(stage, package["id"])
    original = SAMPLES / "harbour" / "reports" / "high-water.pdf"
    stage.check(
        that=restored == original.read_bytes(), otherwise="the restored file differs from the original"
    )
    stage.proved(
        f"{len(before['list'])} packages answer as before; {original.name} came back by the "
        f"storage root's README alone, all {len(restored):,} bytes equal"
    )


def answers(stage: Stage) -> dict[str, Any]:
    """Return what the archive says about what it keeps: packages, their events, and searches."""
    packages = stage.run("list", "--state", "published").documents
    listed = sorted(({name: each[name] for name in KEPT} for each in packages), key=lambda each: each["id"])
    told: dict[str, Any] = {"list": listed}
    for each in listed:
        events = stage.run("events", each["id"]).documents
        told[f"events {each['id']}"] = sorted((event["id"], event["type"]) for event in events)
    for word in ("gauge", "lighthouse", "creator:Süderoog"):
        found = stage.run("search", word).document
        told[f"search {word}"] = [
            found["total"],
            [(hit["id"], hit["title"]) for hit in found["hits"]],
            found["facets"],
        ]
    return told


def without_holdfast(stage: Stage, package_id: str) -> bytes:
    """Do what the root's README.md says, with an isolated Python that cannot see Holdfast."""
    root = stage.home / "stores" / "copy"
    file = root / "bring_back.py"
    target = stage.folder / "restored.pdf"
    python = getattr(sys, "_base_executable", sys.executable)  # the one outside of the virtual environment
    file.write_text(script_of((root / "README.md").read_text(encoding="utf-8")), encoding="utf-8")
    try:
        result = subprocess.run(
            [python, "-I", "-S", str(file), f"urn:uuid:{package_id}", WANTED, str(target)],
            cwd=root,
            env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        file.unlink()  # a store is no place for anything of ours
    stage.check(that=result.returncode == 0, otherwise=f"the README's script failed: {result.stderr}")
    stage.tell(f"python3 bring_back.py urn:uuid:{package_id[:8]}… {WANTED}: {result.stdout.strip()}")
    return target.read_bytes()


def script_of(readme: str) -> str:
    """Return the Python script that the README prints; NotProved when it prints none."""
    fenced = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    if not fenced:
        raise NotProved("the storage root's README prints no Python script")
    return fenced[1]
