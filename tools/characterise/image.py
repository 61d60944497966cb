"""Raster images by Pillow: only the header is read, never the pixels."""

import io
import warnings
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageCms

MAX_FRAMES = 10_000
EXIF = {"Make": "camera_make", "Model": "camera_model", "DateTime": "exif_date", "Software": "software"}
_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}


def read(path: Path) -> dict[str, Any]:
    """Return width, height, mode, bits, frames, dpi, ICC profile and a little EXIF."""
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
        "compression": str(info["compression"]) if isinstance(info.get("compression"), str) else None,
    }
    if getattr(image, "is_animated", False):
        properties["frames"] = min(int(getattr(image, "n_frames", 1)), MAX_FRAMES)
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(0 < float(each) < 1e6 for each in dpi):
        properties["dpi_x"], properties["dpi_y"] = (round(float(each), 2) for each in dpi)
    if profile := info.get("icc_profile"):
        properties["icc_profile"] = _profile_name(profile)
    properties |= _exif(image)
    return properties


def _profile_name(profile: bytes) -> str:

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))) or "unnamed"
    except (ImageCms.PyCMSError, OSError, ValueError):
        return "unreadable"


def _exif(image: Image.Image) -> dict[str, Any]:
    try:
        # Not PNG's own: it reads all pixels where no EXIF stands before them, to look behind them.
        tags = Image.Image.getexif(image)
    except Exception:  # noqa: BLE001  # damaged EXIF does not spoil what else is known
        return {"exif": "unreadable"}
    found: dict[str, Any] = {}
    for number, value in tags.items():
        name = EXIF.get(ExifTags.TAGS.get(number, ""))
        if name and isinstance(value, str):
            found[name] = value
    orientation = tags.get(ExifTags.Base.Orientation)
    if isinstance(orientation, int) and orientation != 1:
        found["orientation"] = orientation
    return found
