"""Act 3: one byte rots in a copy; the audit names the file; repair mends it."""

from pathlib import Path

from stage import SAMPLES, Stage, files_below, is_equal

TITLE = "One byte is flipped in a copy: the audit names the file, and repair mends it"
VICTIM = SAMPLES / "harbour" / "images" / "tide-curve.png"
DAMAGED = 5  # the exit code for an archival copy that is not what it was


def play(stage: Stage) -> None:
    """Flip a byte on disk, behind the archive's back, and follow what it notices."""
    kept = [
        path
        for _, path in files_below(stage.home / "stores" / "copy")
        if path.name == VICTIM.name and "original" in path.parts and is_equal(path, VICTIM)
    ]
    stage.check(that=len(kept) == 1, otherwise=f"{VICTIM.name} lies {len(kept)} times in the copy, not once")
    file = kept[0]
    place = flip_a_byte(file)
    stage.tell(f"flipped bit 0 of byte {place} of {VICTIM.name} in the store “copy”")
    answer = stage.run("audit", expect=DAMAGED)
    bad = [(each, problem) for each in answer.documents for problem in each["problems"]]
    stage.check(that=len(bad) == 1, otherwise=f"the audit named {len(bad)} problems, not one")
    report, problem = bad[0]
    stage.check(that=problem["path"].endswith(VICTIM.name), otherwise=f"it named {problem['path']}")
    stage.check(that=report["store"] == "copy", otherwise=f"it named the store {report['store']}")
    stage.tell(f"audit: {report['verdict']} {problem['path']} in {report['store']} ({answer.seconds:.1f} s)")
    stage.tell(f"       expected {problem['expected'][:23]}…, found {problem['found'][:23]}…")
    stage.run("repair", report["id"])
    again = stage.run("audit")
    intact = sum(each["intact"] for each in again.documents)
    octets = sum(each["bytes"] for each in again.documents)
    stage.check(that=is_equal(file, VICTIM), otherwise="the file on disk is still not the original")
    stage.proved(
        f"one file named of {intact:,}; after repair all {intact:,} ({octets:,} bytes read) are intact"
    )


def flip_a_byte(file: Path) -> int:
    """Change one bit in the middle of `file` without changing size or time; return the byte's place."""
    status = file.stat()
    place = status.st_size // 2
    file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ 1]))
    file.chmod(status.st_mode & 0o777)
    return place
