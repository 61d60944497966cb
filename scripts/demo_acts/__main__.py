"""Plays the acts one after the other. Started by scripts/demo, which makes the environment first."""

import argparse
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import act_1_refuse
import act_2_archive
import act_3_damage
import act_4_kill
import act_5_rebuild
import act_6_serve
from stage import CORPUS, HOLDFAST, NotProved, Stage

ACTS = (act_1_refuse, act_2_archive, act_3_damage, act_4_kill, act_5_rebuild, act_6_serve)
# Seconds of processor time and megabytes at their most, measured; a machine that does nothing else takes
# about as many seconds. Printed so that nobody waits without knowing for what.
USUAL = (90, 35)
USUAL_WITH_CORPUS = (105, 75)


def main() -> int:
    """Play the acts; return 0 only if each proved what it says."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Six acts of Holdfast on real files.")
    parser.add_argument("--once", action="store_true", help="clean up at the end")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    stage = Stage(folder)
    has_corpus = CORPUS.is_dir()
    seconds, megabytes = USUAL_WITH_CORPUS if has_corpus else USUAL
    print(f"Holdfast, six acts on real files: {seconds} s if nothing else runs, {megabytes} MB in {folder}")
    if not has_corpus:
        print("(../shared/corpus is absent: the samples of the project play alone)")
    began = time.perf_counter()
    done = 0
    try:
        stage.run("init")
        for number, act in enumerate(ACTS, 1):
            stage.title(number, act.TITLE)
            act.play(stage)
            done = number
    except NotProved as error:
        print(f"   ✗ {error}", file=sys.stderr)
    except subprocess.TimeoutExpired as error:
        print(f"   ✗ a command did not end within {error.timeout:.0f} s: {error.cmd}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        stage.go_down()
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    return _curtain(stage, done, time.perf_counter() - began, once=once)


def _curtain(stage: Stage, done: int, seconds: float, *, once: bool) -> int:
    """Say how it went and what is left; keep the archive where there is something to look at."""
    if done < len(ACTS):
        stage.go_down()
        print(f"\nThe demo ends in act {done + 1}. Its archive is kept in {stage.folder}", file=sys.stderr)
        return 1
    print(f"\nAll {done} acts proved what they say, in {seconds:.0f} s.")
    if once:
        stage.go_down()
        shutil.rmtree(stage.folder)
        return 0
    _stay_up(stage)
    look = shlex.join([str(HOLDFAST), "list", "--home", str(stage.home)])
    away = shlex.join(["rm", "-rf", str(stage.folder)])  # by force: what is archived is read-only
    print(f"Look around:  {look}\nThrow away:   {away}")
    return 0


def _stay_up(stage: Stage) -> None:
    """Show the addresses to open, and stay up until Ctrl-C."""
    shown = stage.run("up").document  # it is up: this gives a new link
    print(f"\nIt stays up for you to look around, until Ctrl-C:\n  sign in     {shown['sign_in']}")
    print(f"  readers     {shown['pages']}\n  Prefect     {shown['prefect']}", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("\nStopping …", file=sys.stderr)
    stage.go_down()


if __name__ == "__main__":
    sys.exit(main())
