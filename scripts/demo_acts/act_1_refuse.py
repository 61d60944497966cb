"""Act 1: a broken bag is refused, with every reason, path and remedy."""

from stage import Stage, copy_of_samples, files_below, shorten

TITLE = "A broken bag is refused, with every reason, path and remedy"

# The faults that samples/broken-bag was made with, by the path that a finding must name.
PLANTED = {
    "data/minutes.txt": "one word differs from what its digest says",
    "data/photograph.png": "is listed and was never sent",
    "data/thumbs.tmp": "was sent and is not listed",
    "manifest-sha512.txt": "lists data/../../outside.txt",
    "bag-info.txt": "was changed after its digest was taken",
}


def play(stage: Stage) -> None:
    """Show that each planted fault is named, and that nothing of the bag was stored."""
    bag = copy_of_samples("broken-bag", stage.folder)
    before = [(path, file.read_bytes()) for path, file in files_below(bag)]
    package = stage.run("ingest", bag, expect=1).document
    errors = [each for each in package["findings"] if each["severity"] == "error"]
    for each in errors:
        stage.tell(shorten(each["message"], 104))
        stage.tell(f"  → {shorten(each['hint'], 100)}")
        stage.check(that=bool(each["hint"]), otherwise=f"the finding {each['code']} says no remedy")
    named = {each["path"] for each in errors}
    missed = [f"{path} ({fault})" for path, fault in PLANTED.items() if path not in named]
    stage.check(that=not missed, otherwise="not found: " + "; ".join(missed))
    stage.check(that=package["state"] == "rejected", otherwise=f"its state is {package['state']}")
    kept = [file for name in ("primary", "copy") for _, file in objects(stage, name)]
    stage.check(that=not kept, otherwise=f"there is something in the stores: {kept}")
    after = [(path, file.read_bytes()) for path, file in files_below(bag)]
    stage.check(that=before == after, otherwise="the depositor's own folder was changed")
    stage.proved(
        f"{len(PLANTED)} of {len(PLANTED)} planted faults named, each with what to do; nothing stored"
    )


def objects(stage: Stage, store: str) -> list[tuple[str, object]]:
    """Return the OCFL objects of a store, found by their declaration files as any other tool would."""
    root = stage.home / "stores" / store
    return [(path, file) for path, file in files_below(root) if file.name == "0=ocfl_object_1.1"]
