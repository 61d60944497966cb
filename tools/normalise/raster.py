"""Raster images: lossless copies whose pixels are compared, and JPEGs to look at."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence

PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
QUALITY = 85
# Pillow reads these with fewer bits than they may hold: the copy would not be lossless.
NARROWED = {"PPM", "SGI"}


class TooLargeError(ValueError):
    """An image has more pixels or frames than the policy allows."""


class LossError(ValueError):
    """A copy would not hold all that the original holds."""


def check(image: Image.Image, max_pixels: int, max_frames: int) -> None:
    """Raise TooLargeError for more pixels in a frame, or frames, than are allowed."""
    if image.width * image.height > max_pixels:
        raise TooLargeError(f"{image.width} x {image.height} pixels; {max_pixels} pixels are allowed")
    frames = getattr(image, "n_frames", 1)
    if frames > max_frames:
        raise TooLargeError(f"{frames} frames; {max_frames} are allowed")


def write_lossless(image: Image.Image, target: Path) -> str:
    """Write PNG, or TIFF for several frames and modes that PNG lacks; return the extension.

    Every pixel of the copy is compared with the original's; raises LossError where one differs, or where
    Pillow itself would read fewer bits than there are.
    """
    _refuse_narrowed(image)
    frames = getattr(image, "n_frames", 1)
    kept = _kept(image)
    if frames == 1 and image.mode in PNG_MODES:
        image.save(target, "PNG", **kept)
        extension = "png"
    else:
        rest = (frame.copy() for number, frame in enumerate(ImageSequence.Iterator(image)) if number)
        first = next(ImageSequence.Iterator(image)).copy()
        first.save(
            target, "TIFF", save_all=True, append_images=rest, compression="tiff_adobe_deflate", **kept
        )
        extension = "tif"
    _compare(image, target, frames)
    return extension


def write_jpeg(image: Image.Image, target: Path, max_side: int) -> None:
    """Write the first frame, upright, on white, in sRGB, no side longer than `max_side` pixels."""
    image.draft("RGB", (max_side, max_side))  # JPEG decodes at a fraction of its size
    image.load()  # turns a TIFF upright by itself, and forgets then that it lay on its side
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    _to_rgb(upright).save(target, "JPEG", quality=QUALITY, optimize=True)


def look_at(path: Path) -> None:
    """Read what was written; raises what Pillow raises for a damaged image."""
    with Image.open(path) as image:
        image.verify()


def _refuse_narrowed(image: Image.Image) -> None:
    if image.format not in NARROWED:
        return
    tiles: Any = getattr(image, "tile", ())  # the decoder's arguments tell how wide a sample is in the file
    decoder = str(tiles)
    wide = "16B" in decoder or (
        image.format == "PPM" and image.mode in {"RGB", "L"} and _maximum(image) != 255
    )
    if wide and image.mode not in {"I", "I;16", "1"}:
        raise LossError("the original has more bits for each sample than the tool reads")


def _maximum(image: Image.Image) -> int:
    """Return the largest sample value that the header of a PNM allows (PBM has none: 255 is said)."""
    source: Any = getattr(image, "fp")  # noqa: B009  # set by the plug-in that opened it
    place = source.tell()
    source.seek(0)
    head = source.read(512)
    source.seek(place)
    if head[:2] in {b"P1", b"P4"}:
        return 255
    lines = (line.partition(b"#")[0] for line in head.split(b"\n"))
    words = b" ".join(lines).split()
    return int(words[3]) if len(words) > 3 and words[3].isdigit() else 0


def _kept(image: Image.Image) -> dict[str, Any]:
    """Return the colour profile and resolution, which a copy must not lose."""
    return {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}


def _compare(image: Image.Image, copy: Path, frames: int) -> None:
    with Image.open(copy) as written:
        if getattr(written, "n_frames", 1) != frames:
            raise LossError("frames were lost")
        for number in range(frames):
            image.seek(number)
            written.seek(number)
            if (image.mode, image.size) != (written.mode, written.size):
                raise LossError(f"{image.mode} became {written.mode}")
            if image.tobytes() != written.tobytes() or _colours(image) != _colours(written):
                raise LossError("pixels differ")


def _colours(image: Image.Image) -> list[int]:
    """Return the palette at full length: formats leave out what is not used, or write it as black."""
    palette = image.getpalette() or []
    return palette + [0] * (768 - len(palette))


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    if image.mode in {"LA", "PA", "RGBA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
        return image.convert("RGB")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB") or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # an unusable profile: the plain numbers then
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    low, high = image.convert("F").getextrema()
    bottom, top = float(low), float(high)  # type: ignore[arg-type]  # one band: two numbers
    scale = 255.0 / (top - bottom) if top > bottom else 1.0
    return image.convert("F").point(lambda value: value * scale - bottom * scale).convert("L")
