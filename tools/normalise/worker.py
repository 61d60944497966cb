"""The child process of `tools.normalise`: rasters by Pillow.

A job is ``{source, tasks, limits}``; its answer has one ``{extension, message, tool, lossless}`` or
``{error}`` for each task.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL
from PIL import Image

from tools import crew_member
from tools.normalise import raster

TOOL = f"Pillow {PIL.__version__}"
LONGEST = 1000


def convert(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Do all tasks of one original; never raises."""
    return [_one(Path(job["source"]), task, job["limits"]) for task in job["tasks"]]


def _one(source: Path, task: dict[str, Any], limits: dict[str, int]) -> dict[str, Any]:
    targets = {extension: Path(target) for extension, target in task["targets"].items()}
    Path(targets["jpg"]).parent.mkdir(parents=True, exist_ok=True)
    part = targets["jpg"].with_name(".part")
    Image.MAX_IMAGE_PIXELS = limits["max_pixels"]
    try:
        # By its bytes and not by its name: Pillow would map the file into memory, and then garbles a grey or
        # CMYK TIFF that is to be turned upright.
        with source.open("rb") as data, Image.open(data) as image, _output_of(limits["largest_output"]):
            raster.check(image, limits["max_pixels"], limits["max_frames"])
            if task["recipe"] == "jpeg":
                raster.write_jpeg(image, part, task["arguments"]["max_side"])
                extension, lossless = "jpg", False
            else:
                extension, lossless = raster.write_lossless(image, part), True
        if not part.stat().st_size:
            return {"error": "the tool wrote 0 bytes"}
        raster.look_at(part)
        part.replace(targets[extension])
    except Exception as error:  # noqa: BLE001  # a decoder may fail in any way on a hostile file
        said = str(error).replace(f"{source}", source.name)
        return {"error": f"{type(error).__name__}: {said}"[:LONGEST]}
    finally:
        part.unlink(missing_ok=True)
        _remove_if_empty(part.parent)
    message = f"{source.suffix or 'the original'} to {extension}"
    return {"extension": extension, "message": message, "tool": TOOL, "lossless": lossless}


@contextmanager
def _output_of(most: int) -> Iterator[None]:
    """Let no file grow beyond `most` bytes: the kernel refuses (Python ignores the signal)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # it holds another derivative


def _answer(jobs: list[Any]) -> Iterator[list[Any]]:
    for job in jobs:
        yield [convert(job)]


if __name__ == "__main__":
    crew_member.serve(_answer)
