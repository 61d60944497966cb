"""LibRaw: what a camera's sensor saw becomes a picture.

The TIFF has 16 bits, the camera's white balance and sRGB. It is one development of many: the raw file stands.
"""

from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import OneByOne, also, concluded, schema, whole
from tools.normalise.vips import ENVIRONMENT
from tools.runs import Job


def _convert(job: Job, runner: Runner) -> Converted:
    developed = job.folder / "1.tif"
    options = ["-T", "-w", "-o", "1", "-q", "3", *(["-6"] if job.action.recipe == "tiff" else ["-h"])]
    ran = runner.run(["dcraw_emu", *options, "-Z", developed, job.source], [job])
    done = concluded(job, ran, developed)
    if job.action.recipe == "tiff" or not done.files:
        return done
    side, target = str(job.arguments["max_side"]), job.folder / "1.jpg"
    words = ["--height", side, "--size", "down"]
    saved = f"{target}[Q=85,strip]"
    ran = runner.run(["vips", "thumbnail", developed, saved, side, *words], [job], environment=ENVIRONMENT)
    developed.unlink()
    written = concluded(job, ran, target)
    return Converted(job, written.outcome, written.message, written.files, also(done, ran))


ADAPTER = OneByOne(
    name="libraw",
    recipes={
        "tiff": schema(),
        "jpeg": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side.")),
    },
    commands=("dcraw_emu", "vips"),
    says=("LibRaw", ["simple_dcraw"], r"LibRaw (\d[\d.]*\d)"),
    does=_convert,
)
