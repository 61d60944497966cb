"""Act 2: good files are archived, found, and come back byte for byte."""

from pathlib import Path

from stage import CORPUS, SAMPLES, Stage, files_below, is_equal, shorten, size_of

TITLE = "Good files are archived in two verified copies, found by search, and come back byte for byte"

# By default nobody is asked to approve; a package of plain text has nothing to convert and no access copies.
MAY_BE = {("approve", "not_required"), ("normalise", "no_rule"), ("build_dip", "no_access_copies")}


def play(stage: Stage) -> None:
    """Archive the samples (and the corpus where there is one), search for each, export and compare."""
    _archive(stage, SAMPLES / "harbour", "gauge", record=SAMPLES / "harbour.record.json")
    _archive(stage, SAMPLES / "lighthouse-bag", "lighthouse")
    if CORPUS.is_dir():
        _archive(stage, CORPUS, "corpus", title="Format corpus of real documents")
    packages = [each for each in stage.run("list", "--state", "published").documents if each["pid"]]
    files = sum(each["files"] for each in packages)
    octets = sum(each["bytes"] for each in packages)
    stage.proved(
        f"{len(packages)} packages ({size_of(files, octets)}): every original is equal byte for byte"
    )


def _archive(stage: Stage, source: Path, word: str, *, record: Path | None = None, title: str = "") -> None:
    options = (["--record", record] if record else []) + (["--title", title] if title else [])
    answer = stage.run("ingest", source, *options)
    package = stage.run("status", answer.document["id"]).document
    copies = {each["store"]: each["state"] for each in package["copies"]}
    stage.check(that=package["state"] == "published", otherwise=f"its state is {package['state']}")
    stage.check(that=copies == {"primary": "intact", "copy": "intact"}, otherwise=f"its copies: {copies}")
    unproved = [
        step["name"]
        for step in package["steps"]
        if step["outcome"] != "done" and (step["name"], step["result"]) not in MAY_BE
    ]
    stage.check(that=not unproved, otherwise=f"steps that are not done: {unproved}")
    scan = next(step["result"] for step in package["steps"] if step["name"] == "scan")
    hits = stage.run("search", word).document["hits"]
    stage.check(
        that=package["id"] in [hit["id"] for hit in hits], otherwise=f"a search for {word!r} does not find it"
    )
    out = stage.folder / "exports" / package["id"]
    out.parent.mkdir(exist_ok=True)
    export = stage.run("export", package["id"], "--to", out, "--aip").document
    compare(stage, source, out)
    stage.tell(f"{package['title']}: {package['pid']}, {answer.seconds:.1f} s")
    judged = export["second_judge"].partition(": '")[0]  # without the name that it would misread
    stage.tell(f"  virus scan: {scan.replace('_', ' ')}; second judge: {shorten(judged, 76)}")


def compare(stage: Stage, source: Path, exported: Path) -> None:
    """Compare each deposited file with the exported one, byte by byte, by its original name."""
    payload = source / "data" if (source / "bagit.txt").is_file() else source
    originals = next(path for path in exported.rglob("original") if path.parent.name == "data")
    wanted = dict(files_below(payload))
    given = dict(files_below(originals))
    stage.check(that=wanted.keys() == given.keys(), otherwise=f"other files: {wanted.keys() ^ given.keys()}")
    for path, file in wanted.items():
        stage.check(that=is_equal(file, given[path]), otherwise=f"{path} came back with other bytes")
