"""librsvg: SVG becomes PDF, or a picture. It runs no scripts and fetches nothing."""

from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import OneByOne, also, concluded, schema, whole
from tools.runs import Job


def _convert(job: Job, runner: Runner) -> Converted:
    if job.action.recipe == "pdf":
        target = job.folder / "1.pdf"
        ran = runner.run(["rsvg-convert", "--format=pdf", f"--output={target}", job.source], [job])
        return concluded(job, ran, target)
    return _jpeg(job, runner)


def _jpeg(job: Job, runner: Runner) -> Converted:
    """Draw the picture into a square of `max_side`, on white."""
    side = job.arguments["max_side"]
    drawn, target = runner.folder / "tmp" / "drawn.png", job.folder / "1.jpg"
    size = [f"--width={side}", f"--height={side}", "--keep-aspect-ratio", "--background-color=white"]
    ran = runner.run(["rsvg-convert", "--format=png", *size, f"--output={drawn}", job.source], [job])
    done = concluded(job, ran, drawn)
    if not done.files:
        return done
    ran = runner.run(
        ["vips", "jpegsave", drawn, target, "--Q", "85", "--background", "255", "--strip"], [job]
    )
    written = concluded(job, ran, target)
    return Converted(job, written.outcome, written.message, written.files, also(done, ran))


ADAPTER = OneByOne(
    name="rsvg",
    recipes={
        "pdf": schema(),
        "jpeg": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side.")),
    },
    commands=("rsvg-convert", "vips"),
    says=("librsvg", ["rsvg-convert", "--version"], r"version (\d[\d.]*)"),
    does=_convert,
)
