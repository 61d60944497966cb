"""libvips: HEIF becomes PNG or TIFF, by a home's rule JPEG 2000; large images become pyramids.

Small images are Pillow's, which starts no process for each. Loaders that libvips itself calls untrusted
(ImageMagick among them) are shut off.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from packages.format_policy import Outcome
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, OneByOne, also, concluded, one_of, schema, whole
from tools.runs import Job, Ran

ENVIRONMENT = {"VIPS_BLOCK_UNTRUSTED": "1", "VIPS_CONCURRENCY": "2", "VIPS_WARNING": "0"}
OWN_OUTPUT = {name: value for name, value in ENVIRONMENT.items() if name != "VIPS_BLOCK_UNTRUSTED"}
"""To read what libvips itself wrote: its own reader of JPEG 2000 is among those that it calls untrusted."""
SIDES = ("width", "height")
LARGEST_PIXEL = 16
"""Bytes of a pixel: four channels of 32 bits."""
TIFF_ENDS = 3 << 30
KEPT_ALL = ("--compression", "deflate", "--predictor", "horizontal")
TOLD_ALIKE = ("bands", "format", "interpretation")
"""What a JPEG 2000 must say of its samples as its source does."""
DESCRIBING = ("exif-data", "iptc-data", "xmp-data")
"""Metadata that libvips does not write into JPEG 2000; the original, which stays, has it."""


def _vips(job: Job, runner: Runner, *words: str) -> Ran:
    return runner.run(["vips", *words], [job], environment=ENVIRONMENT)


def _lossless(job: Job, runner: Runner) -> Converted:
    """Write all samples as they are decoded, with colour profile and metadata, and compare them."""
    target = job.folder / f"1.{job.arguments['format']}"
    if target.suffix == ".png":
        ran = _vips(job, runner, "pngsave", _whole(job), str(target), "--compression", "9")
    else:
        ran = _vips(job, runner, "tiffsave", _whole(job), str(target), *KEPT_ALL, *_wide(job))
    done = concluded(job, ran, target)
    return _compared(job, runner, done, target) if done.files else done


def _jpeg2000(job: Job, runner: Runner) -> Converted:
    """Write all samples without loss, decode them again and compare; refuse what libvips would not write."""
    target, written = job.folder / "1.jp2", runner.folder / "tmp" / "written.tif"
    said = _said_of(job, job.source, runner)
    done = concluded(job, _vips(job, runner, "jp2ksave", _whole(job), str(target), "--lossless"), target)
    if not done.files:
        return done
    decode = ["vips", "tiffsave", str(target), str(written), *KEPT_ALL, *_wide(job)]
    runner.run(decode, [job], environment=OWN_OUTPUT)
    compared = _compared(job, runner, done, written)
    lost = _lost(said, _said_of(job, written, runner))
    written.unlink(missing_ok=True)
    if lost:
        return Converted(job, Outcome.DIFFERS, lost)
    left = [name.removesuffix("-data").upper() for name in DESCRIBING if name in said]
    return replace(compared, message=f"without {', '.join(left)}" if left else "")


def _compared(job: Job, runner: Runner, done: Converted, written: Path) -> Converted:
    """Compare every sample of the source with those of `written`, which has what the output has."""
    equal = runner.folder / "tmp" / "equal.tif"
    ran = _vips(job, runner, "relational", _whole(job), str(written), str(equal), "equal")
    lowest = _vips(job, runner, "min", str(equal)) if ran.ok else ran
    equal.unlink(missing_ok=True)
    is_same = lowest.ok and lowest.output.strip() in {b"255", b"255.000000"}
    return Converted(
        job,
        files=done.files,
        command=also(done, ran),
        before={"pixels_hash": "the same"},
        after={"pixels_hash": "the same" if is_same else "others"},
    )


def _said_of(job: Job, image: Path, runner: Runner) -> dict[str, str]:
    """Return what libvips says of an image, by its names of the fields.

    Texts in the image come as they are, with their line ends, and look like other fields: those of the image
    itself come first, and of its pages whoever says that there are several is believed.
    """
    ran = runner.run(["vipsheader", "-a", str(image)], [job], environment=ENVIRONMENT)
    lines = ran.output.decode(errors="replace").splitlines() if ran.ok else []
    said: dict[str, str] = {}
    for name, _, value in (line.partition(": ") for line in lines):
        if said.setdefault(name, value) != value and name == "n-pages" and said[name] == "1":
            said[name] = value
    return said


def _lost(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say what a JPEG 2000 by libvips lacks of its source beside the samples; nothing where it has all."""
    if not before or not after:
        return "libvips does not say what it wrote"
    if "icc-profile-data" in before:
        return "libvips writes no colour profile into JPEG 2000"
    if before.get("n-pages", "1") != "1":
        return f"it has {before['n-pages']} pages; a JPEG 2000 has one"
    others = [f"{name}: {before.get(name)} became {after.get(name)}" for name in TOLD_ALIKE
              if before.get(name) != after.get(name)]  # fmt: skip  # fewer lines read better
    return "; ".join(others)


def _whole(job: Job) -> str:
    """Return the source as libvips is to read it: a truncated image is an error, and not grey at its end."""
    return f"{job.source}[fail_on=truncated]"


def _wide(job: Job) -> tuple[str, ...]:
    """Ask for BigTIFF where TIFF's 4 GiB may not do, or the size is not known."""
    width, height = job.properties.get("width"), job.properties.get("height")
    if isinstance(width, int) and isinstance(height, int) and width * height * LARGEST_PIXEL < TIFF_ENDS:
        return ()
    return ("--bigtiff",)


def _pyramid(job: Job, runner: Runner) -> Converted:
    """Write a tiled TIFF with ever smaller layers, its tiles JPEG (of photographs) or deflated."""
    target = job.folder / "1.tif"
    jpeg = ["--compression", "jpeg", "--Q", str(job.arguments["quality"])]
    ran = _vips(
        job,
        runner,
        *("tiffsave", _whole(job), str(target), "--tile", "--pyramid"),
        *("--tile-width", "256", "--tile-height", "256", *_wide(job)),
        *(jpeg if job.arguments["compression"] == "jpeg" else KEPT_ALL),
    )
    return concluded(job, ran, target)


def _jpeg(job: Job, runner: Runner) -> Converted:
    """Write it upright, in sRGB, no side longer than `max_side`."""
    side = str(job.arguments["max_side"])
    target = job.folder / "1.jpg"
    saved = f"{target}[Q=85,optimize_coding,strip,background=255]"
    ran = _vips(
        job, runner, "thumbnail", str(job.source), saved, side,
        *("--height", side, "--size", "down", "--export-profile", "srgb"),
    )  # fmt: skip  # fewer lines read better
    return concluded(job, ran, target)


_RECIPES = {"lossless": _lossless, "jpeg2000": _jpeg2000, "pyramid": _pyramid, "jpeg": _jpeg}


def _convert(job: Job, runner: Runner) -> Converted:
    if refused := _too_large(job, runner):
        return refused
    return _RECIPES[job.action.recipe](job, runner)


def _too_large(job: Job, runner: Runner) -> Converted | None:
    """Refuse an image that declares more pixels than are allowed, before any is decoded."""
    sides = [side for each in SIDES if isinstance(side := job.properties.get(each), int)]
    if len(sides) < len(SIDES):
        sides.clear()
        for field in SIDES:
            words = ["vipsheader", "-f", field, str(job.source)]
            ran = runner.run(words, [job], environment=ENVIRONMENT)
            if not ran.ok or not ran.output.strip().isdigit():
                return Converted(job, ran.outcome if not ran.ok else Outcome.FAILED, ran.message[:LONGEST])
            sides.append(int(ran.output))
    width, height = sides
    if width * height <= job.action.limits.max_pixels:
        return None
    why = f"{width} x {height} pixels; {job.action.limits.max_pixels} pixels are allowed"
    return Converted(job, Outcome.TOO_LARGE, why)


ADAPTER = OneByOne(
    name="vips",
    recipes={
        "lossless": schema(["format"], format=one_of("png", "tif", description="What is written.")),
        "jpeg2000": schema(),
        "pyramid": schema(
            ["compression", "quality"],
            compression=one_of("jpeg", "deflate", description="Of the tiles."),
            quality=whole(50, 100, "Of JPEG."),
        ),
        "jpeg": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side.")),
    },
    commands=("vips", "vipsheader"),
    says=("libvips", ["vips", "--version"], r"vips-(\d[\d.]*)"),
    does=_convert,
)
