"""Raster images by Pillow: only headers are read, never the pixels."""

import re
import warnings
from pathlib import Path
from typing import Any

import PIL
from PIL import Image, TiffImagePlugin

from tools.characterise import image_metadata

MAX_FRAMES = 10_000
FIELDS = {
    "width": "pixels",
    "height": "pixels",
    "color_mode": "Pillow's word for the kind of pixel: 1, L, P, RGB, RGBA, CMYK, YCbCr, LAB, I, F …",
    "bits_per_sample": "bits of one sample",
    "samples_per_pixel": "samples of one pixel",
    "color_space": "bilevel, greyscale, palette, RGB, YCbCr, CMYK, YCCK, CIELab …",
    "compression": "as the file says: none, LZW, deflate, JPEG, group 4 …",
    "progressive": "of JPEG: true where it is",
    "frames": "pages or frames where there are several, at most 10,000",
    "dpi_x": "pixels for each inch",
    "dpi_y": "pixels for each inch",
    **image_metadata.FIELDS,
}
BOUNDS = "Headers and directories; no pixel is decoded. XMP up to 1 MiB."
_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}
_SPACES = {
    "1": "bilevel", "L": "greyscale", "LA": "greyscale", "I": "greyscale", "I;16": "greyscale",
    "I;16B": "greyscale", "F": "greyscale", "P": "palette", "PA": "palette", "RGB": "RGB", "RGBA": "RGB",
    "RGBX": "RGB", "CMYK": "CMYK", "YCbCr": "YCbCr", "LAB": "CIELab", "HSV": "HSV",
}  # fmt: skip  # a table
_PHOTOMETRIC = {
    0: "greyscale", 1: "greyscale", 2: "RGB", 3: "palette", 4: "transparency mask", 5: "CMYK", 6: "YCbCr",
    8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "colour filter array", 34892: "linear raw",
}  # fmt: skip  # a table
_COMPRESSIONS = {
    "raw": "none", "tiff_ccitt": "CCITT", "group3": "CCITT group 3", "group4": "CCITT group 4",
    "tiff_lzw": "LZW", "tiff_jpeg": "JPEG (old style)", "jpeg": "JPEG", "tiff_adobe_deflate": "deflate",
    "tiff_raw_16": "none", "packbits": "PackBits", "tiff_deflate": "deflate", "lzma": "LZMA", "zstd": "ZSTD",
    "webp": "WebP",
}  # fmt: skip  # a table
_OF_FORMAT = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "deflate", "GIF": "LZW", "JPEG2000": "JPEG 2000"}
_DEPTH = re.compile(r";(\d+)")


def tool() -> str:
    """Return name and version."""
    return f"Pillow {PIL.__version__}"


def read(path: Path) -> dict[str, Any]:
    """Return size, depth, colour space, compression, frames, ICC profile, EXIF, XMP and IPTC."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a large image is no danger while its pixels stay unread
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(path) as image:
                return _describe(image)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _describe(image: Image.Image) -> dict[str, Any]:
    info = image.info
    properties: dict[str, Any] = {
        "width": image.width,
        "height": image.height,
        "color_mode": image.mode,
        "bits_per_sample": _BITS.get(image.mode, 8),
        "samples_per_pixel": len(image.getbands()),
        "color_space": _SPACES.get(image.mode),
        "compression": _compression(image),
    }
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        properties |= _of_tiff(image)
    elif image.format == "PNG":
        properties["bits_per_sample"] = _png_bits(image)
    elif image.format in {"JPEG", "MPO"}:
        properties |= _of_jpeg(image)
    if getattr(image, "is_animated", False):
        properties["frames"] = min(int(getattr(image, "n_frames", 1)), MAX_FRAMES)
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(each) < 1e6 for each in dpi):
        properties["dpi_x"], properties["dpi_y"] = (round(float(each), 2) for each in dpi)
    return properties | image_metadata.read(image)


def _compression(image: Image.Image) -> str | None:
    said = image.info.get("compression")
    if isinstance(said, str):
        return _COMPRESSIONS.get(said, said)
    if image.format == "BMP" and isinstance(said, int):
        return {0: "none", 1: "RLE8", 2: "RLE4", 3: "none"}.get(said, str(said))
    return _OF_FORMAT.get(image.format or "")


def _of_tiff(image: TiffImagePlugin.TiffImageFile) -> dict[str, Any]:
    tags = image.tag_v2
    found: dict[str, Any] = {}
    bits = tags.get(258)
    if isinstance(bits, tuple) and bits:
        found["bits_per_sample"] = bits[0]
    photometric = tags.get(262)
    if photometric in {0, 1} and found.get("bits_per_sample") == 1:
        found["color_space"] = "bilevel"
    elif photometric in _PHOTOMETRIC:
        found["color_space"] = _PHOTOMETRIC[photometric]
    samples = tags.get(277)
    if isinstance(samples, int):
        found["samples_per_pixel"] = samples
    return found


def _png_bits(image: Image.Image) -> int:
    """Return the depth that the header states; Pillow's mode does not tell 16 bits from 8."""
    arguments = tiles[0][3] if (tiles := getattr(image, "tile", [])) else ""
    depth = _DEPTH.search(str(arguments))
    return int(depth.group(1)) if depth else _BITS.get(image.mode, 8)


def _of_jpeg(image: Image.Image) -> dict[str, Any]:
    found: dict[str, Any] = {"progressive": bool(image.info.get("progressive"))}
    transform = image.info.get("adobe_transform")
    if len(image.getbands()) == 3:
        found["color_space"] = "RGB" if transform == 0 else "YCbCr"
    elif image.mode == "CMYK":
        found["color_space"] = "YCCK" if transform == 2 else "CMYK"
    return found
