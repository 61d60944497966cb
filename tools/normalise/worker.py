"""The child process of `tools.normalise`: rasters by Pillow, pages of PDF by PDFium.

A job is ``{source, tasks}``, a task has its own limits; the answer has one ``{extension, message, tool,
lossless, measured}`` or ``{error, outcome}`` for each task. What is made lies in the child's own folder under
the name that the task gives in ``made``.
"""

import errno
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from packages.format_policy import Outcome
from packages.xml_text import legal
from tools import crew_member
from tools.normalise import raster

TOOL = f"Pillow {PIL.__version__}"
LONGEST = 1000
COMPARED = {"pixels": "the same", "frames": "the same", "pixels_hash": "the same"}
"""What `raster.write_lossless` has seen to, by the names of the policy's checks."""


def convert(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Do all tasks of one original; never raises."""
    return [_one(Path(job["source"]), task) for task in job["tasks"]]


def _one(source: Path, task: dict[str, Any]) -> dict[str, Any]:
    limits = task["limits"]
    made = Path(tempfile.gettempdir(), task["made"])
    Image.MAX_IMAGE_PIXELS = limits["max_pixels"]
    try:
        with _opened(source, task) as image, _output_of(limits["largest_output"]):
            raster.check(image, limits["max_pixels"], limits["max_frames"])
            if task["recipe"] == "jpeg":
                raster.write_jpeg(image, made, task["arguments"]["max_side"])
                extension, lossless = "jpg", False
            else:
                extension, lossless = raster.write_lossless(image, made), True
        if not made.stat().st_size:
            return {"error": "the tool wrote 0 bytes"}
        raster.look_at(made)
    except raster.TooLargeError as error:
        return {"error": legal(str(error))[:LONGEST], "outcome": Outcome.TOO_LARGE}
    except raster.LossError as error:
        return {"error": legal(str(error))[:LONGEST], "outcome": Outcome.DIFFERS}
    except Exception as error:  # noqa: BLE001  # a decoder may fail in any way on a hostile file
        said = str(error).replace(f"{source}", source.name)
        is_large = (
            isinstance(error, Image.DecompressionBombError) or getattr(error, "errno", 0) == errno.EFBIG
        )
        outcome = Outcome.TOO_LARGE if is_large else Outcome.FAILED
        return {"error": legal(f"{type(error).__name__}: {said}")[:LONGEST], "outcome": outcome}
    message = legal(f"{source.suffix or 'the original'} to {extension}")[:LONGEST]
    measured = COMPARED if lossless else {}
    return {
        "extension": extension,
        "message": message,
        "tool": _tool(task),
        "lossless": lossless,
        "measured": measured,
    }


@cache
def _version(distribution: str) -> str:
    return version(distribution)  # reads a file


def _tool(task: dict[str, Any]) -> str:
    return TOOL if task["tool"] == "pillow" else f"pypdfium2 {_version('pypdfium2')}"


@contextmanager
def _opened(source: Path, task: dict[str, Any]) -> Iterator[Image.Image]:
    if task["tool"] == "pdfium":
        from tools.normalise import pages  # noqa: PLC0415  # most packages have no PDF

        yield pages.first_page(source, task["arguments"]["max_side"], task["limits"]["max_pixels"])
        return
    # By its bytes and not by its name: Pillow would map the file into memory, and then garbles a grey or
    # CMYK TIFF that is to be turned upright.
    with source.open("rb") as data, Image.open(data) as image:
        yield image


@contextmanager
def _output_of(most: int) -> Iterator[None]:
    """Let no file grow beyond `most` bytes: the kernel refuses (Python ignores the signal)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for job in jobs:
        yield [convert(job)]


if __name__ == "__main__":
    crew_member.serve(_answer)
