"""Poppler: a picture of the first page of a PDF."""

from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import OneByOne, concluded, schema, whole
from tools.runs import Job


def _jpeg(job: Job, runner: Runner) -> Converted:
    """Draw the page so that no side is longer than `max_side`."""
    side = job.arguments["max_side"]
    target = job.folder / "1.jpg"
    ran = runner.run(
        [
            *("pdftoppm", "-jpeg", "-jpegopt", "quality=85", "-f", "1", "-l", "1", "-singlefile"),
            *("-scale-to", str(side), job.source, target.with_suffix("")),
        ],
        [job],
    )
    return concluded(job, ran, target)


ADAPTER = OneByOne(
    name="poppler",
    recipes={"jpeg": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side."))},
    commands=("pdftoppm",),
    says=("Poppler", ["pdftoppm", "-v"], r"version (\d[\d.]*)"),
    does=_jpeg,
)
