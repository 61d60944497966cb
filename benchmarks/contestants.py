"""Who runs: the pipeline, and what somebody would use instead. Each gets a fresh folder."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.processes import Cost, run

Contestant = Callable[[Sequence[Path], Path], Cost]
"""Takes what is to be archived, and a fresh folder to work in."""

PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[1]
ROCFL_PLACES = ("/opt/rocfl/bin", "/var/cache/holdfast-ci/rocfl-1.7.0/bin")


def copy(sources: Sequence[Path], folder: Path) -> Cost:
    """Copy each folder once, and make the copy durable."""
    return _shell('to=$1; shift; cp -r "$@" "$to/" && sync -f "$to"', folder, *sources)


def openssl(sources: Sequence[Path], folder: Path) -> Cost:
    """Digest every file with OpenSSL."""
    script = 'to=$1; shift; find "$@" -type f -print0 | xargs -0 openssl dgst -sha512 >"$to/list"'
    return _shell(script, folder, *sources)


def two_copies_and_openssl(sources: Sequence[Path], folder: Path) -> Cost:
    """Copy a folder of large files twice, digest them with OpenSSL, and make the copies durable."""
    script = 'cp -r "$2" "$1/a" && cp -r "$2" "$1/b" && openssl dgst -sha512 "$2"/* && sync -f "$1"'
    return _shell(script, folder, *sources)


def two_copies_and_sha512sum(sources: Sequence[Path], folder: Path) -> Cost:
    """Copy each folder twice, digest its files with coreutils, and make the copies durable, one by one."""
    script = """
      set -e; to=$1; shift; mkdir "$to/a" "$to/b"
      for each; do
        cp -r "$each" "$to/a/"; cp -r "$each" "$to/b/"
        find "$each" -type f -print0 | xargs -0 sha512sum >>"$to/list"
        sync -f "$to"
      done"""
    return _shell(script, folder, *sources)


def bagit_python(sources: Sequence[Path], folder: Path) -> Cost:
    """Copy, bag with SHA-512 on two processes, validate, copy the bag, and make both durable."""
    script = """
      set -e; python=$1; to=$2; mkdir "$to/a"
      cp -r "$3" "$to/a/"
      "$python" -W ignore -m bagit --quiet --sha512 --processes 2 "$to/a"
      "$python" -W ignore -m bagit --quiet --validate --processes 2 "$to/a"
      cp -r "$to/a" "$to/b"; sync -f "$to" """
    return _shell(script, PYTHON, folder, *sources)


def rocfl(sources: Sequence[Path], folder: Path) -> Cost:
    """Ingest into an OCFL root with rocfl, validate, copy the root, and make both durable."""
    return _shell(f'{_ROCFL}; cp -r "$to/a" "$to/b"; sync -f "$to"', _rocfl(), folder, *sources)


def rocfl_alone(sources: Sequence[Path], folder: Path) -> Cost:
    """Ingest into an OCFL root with rocfl, validate, and make it durable."""
    return _shell(f'{_ROCFL}; sync -f "$to"', _rocfl(), folder, *sources)


_ROCFL = """
  set -e; rocfl=$1; to=$2; mkdir "$to/a"; cd "$to/a"
  "$rocfl" -q init; "$rocfl" -q new urn:b; "$rocfl" -q cp -r urn:b "$3" -- /
  "$rocfl" -q commit -n b -a mailto:b@b.example -m b urn:b; "$rocfl" -q validate"""


def _rocfl() -> str:
    return rocfl_binary() or "rocfl"


def rocfl_binary() -> str | None:
    """Return where rocfl is, or None."""
    home = Path.home() / ".cache/holdfast-ci/rocfl-1.7.0/bin"
    return shutil.which("rocfl") or shutil.which("rocfl", path=":".join([*ROCFL_PLACES, str(home)]))


def holdfast(sources: Sequence[Path], folder: Path) -> Cost:
    """Take everything through all steps; the start of the process counts, the making of the home not."""
    command = [PYTHON, "-m", "benchmarks.pipeline", str(folder / "home")]
    run(command, folder=ROOT)
    return run([*command, str(folder / "steps.json"), *map(str, sources)], folder=ROOT)


def _shell(script: str, *arguments: object) -> Cost:
    return run(["sh", "-c", script, "sh", *map(str, arguments)])
