"""Pictures of the pages of PDF, by PDFium; in child processes only, where a hostile file ends nobody else.

The library comes without JavaScript and XFA, and fetches nothing. Imports nothing of ours: as a program in a
confined process it reads a JSON list of ``[source, target, max_side, max_pixels]`` from its input, and writes
a line for each: what went wrong, or nothing.
"""

import json
import sys
from contextlib import closing
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import pypdfium2
from PIL import Image

TOOL = f"pypdfium2 {version('pypdfium2')}"
QUALITY = 85


def first_page(source: Path, max_side: int, max_pixels: int) -> Image.Image:
    """Return the first page on white, its longer side of `max_side` pixels.

    Raises Pillow's DecompressionBombError where that has more than `max_pixels`, ValueError for a page
    without a size, and pypdfium2's own errors for what it cannot read (it needs a password, is no PDF).
    """
    with closing(pypdfium2.PdfDocument(source)) as document:
        if len(document) == 0:
            raise ValueError("the document has no page")
        if document.get_formtype():
            document.init_forms()  # so that what was filled in is seen
        with closing(document[0]) as page:
            sides = page.get_size()
            if not all(isfinite(side) and side > 0 for side in sides):
                raise ValueError(f"the first page has no size: {sides[0]} x {sides[1]} points")
            scale = max_side / max(sides)
            width, height = (max(1, round(side * scale)) for side in sides)
            if width * height > max_pixels:
                raise Image.DecompressionBombError(
                    f"{width} x {height} pixels; {max_pixels} pixels are allowed"
                )
            with closing(page.render(scale=scale)) as bitmap:
                drawn: Image.Image = bitmap.to_pil().copy()
                return drawn


def _draw(source: str, target: str, max_side: int, max_pixels: int) -> str:
    try:
        first_page(Path(source), max_side, max_pixels).save(target, "JPEG", quality=QUALITY, optimize=True)
    except Exception as error:  # noqa: BLE001  # the library may fail in any way on a hostile file
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        print(json.dumps(_draw(*each)), flush=True)  # noqa: T201  # the answer
