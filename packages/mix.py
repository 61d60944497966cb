"""Technical metadata of images in MIX 2.0 (NISO Z39.87), the place that METS has for it.

MIX says it to others; what it has no place for, and everything once more as it was found, is in the PREMIS
object (`packages.premis`), which is what a rebuild reads.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from packages.model import FileEntry
from packages.xml_text import escape

NAMESPACE = "http://www.loc.gov/mix/v20"
_COMPRESSION = {
    "none": "Uncompressed",
    "CCITT": "CCITT 1D",
    "CCITT group 3": "CCITT Group 3",
    "CCITT group 4": "CCITT Group 4",
    "JPEG (old style)": "JPEG",
    "deflate": "Deflate",
}
"""Our words for compressions, as the values of NISO Z39.87 spell them."""
_COLOUR = {"greyscale": "BlackIsZero", "bilevel": "BlackIsZero", "palette": "PaletteColor"}
_ORIENTATION = {
    2: "normal, image flipped",
    3: "normal, rotated 180°",
    4: "normal, image flipped, rotated 180°",
    5: "normal, image flipped, rotated cw 90°",
    6: "normal, rotated ccw 90°",
    7: "normal, image flipped, rotated ccw 90°",
    8: "normal, rotated cw 90°",
}
"""How the image is stored, by Exif's number (NISO Z39.87, 8.5): who shows number 6 turns it the other way."""
_TAKEN = (
    *("width", "height", "compression", "color_space", "icc_profile", "bits_per_sample", "samples_per_pixel"),
    *("dpi_x", "dpi_y", "date_time_original", "camera_make", "camera_model", "orientation"),
)
_MOMENT = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)")


def mix_of(entry: FileEntry) -> str:
    """Return the ``mix`` element of an image whose size is known; an empty string for any other file."""
    if not is_image(entry):
        return ""
    properties = entry.properties
    values = tuple(_plain(properties.get(name)) for name in _TAKEN)
    return _written(entry.size, entry.format_name, entry.format_version, entry.puid) + _mix(values)


def is_image(entry: FileEntry) -> bool:
    """Tell whether there is something to say about the file in MIX."""
    return (
        bool(entry.mime) and str(entry.mime).startswith("image/") and _is_count(entry.properties.get("width"))
    )


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1 and 1.0 are one key of the cache below
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _written(size: int, name: str | None, version: str | None, puid: str | None) -> str:
    """Return the beginning, which is of the file and not of the image."""
    designation = _inside("FormatDesignation", _text("formatName", name) + _text("formatVersion", version))
    registry = _text("formatRegistryName", "PRONOM") + _text("formatRegistryKey", puid) if puid else ""
    return (
        f'<mix xmlns="{NAMESPACE}"><BasicDigitalObjectInformation>{_text("fileSize", size)}{designation}'
        f"{_inside('FormatRegistry', registry)}"
    )


@lru_cache(4096)  # scans of one batch are alike
def _mix(values: tuple[str | int | float | None, ...]) -> str:
    """Return the rest, from the compression on."""
    said: Mapping[str, Any] = dict(zip(_TAKEN, values, strict=True))
    beyond = _image(said) + _capture(said) + _assessment(said)
    return f"{_compression(said)}</BasicDigitalObjectInformation>{beyond}</mix>"


def _compression(said: Mapping[str, Any]) -> str:
    scheme = said["compression"]
    if not isinstance(scheme, str):
        return ""
    return _inside("Compression", _text("compressionScheme", _COMPRESSION.get(scheme, scheme)))


def _image(said: Mapping[str, Any]) -> str:
    size = "".join(
        _text(name, said[of])
        for name, of in (("imageWidth", "width"), ("imageHeight", "height"))
        if _is_count(said[of])
    )
    profile = _inside("ColorProfile", _inside("IccProfile", _text("iccProfileName", said["icc_profile"])))
    space = said["color_space"]
    colour = _text("colorSpace", _COLOUR.get(space, space)) + profile
    inner = size + _inside("PhotometricInterpretation", colour)
    return f"<BasicImageInformation>{_inside('BasicImageCharacteristics', inner)}</BasicImageInformation>"


def _capture(said: Mapping[str, Any]) -> str:
    when = _moment(str(said["date_time_original"] or ""))
    model = _inside("DigitalCameraModel", _text("digitalCameraModelName", said["camera_model"]))
    camera = _text("digitalCameraManufacturer", said["camera_make"]) + model
    general = _inside("GeneralCaptureInformation", _text("dateTimeCreated", when))
    turned = _text("orientation", _ORIENTATION.get(said["orientation"]))
    return _inside("ImageCaptureMetadata", general + _inside("DigitalCameraCapture", camera) + turned)


def _moment(said: str) -> str | None:
    """Return a moment of Exif as the schema has it; None where the camera's clock was not set."""
    parts = _MOMENT.fullmatch(said)
    if not parts:
        return None
    try:
        return datetime.fromisoformat(f"{parts[1]}-{parts[2]}-{parts[3]}T{parts[4]}").isoformat()
    except ValueError:
        return None


def _assessment(said: Mapping[str, Any]) -> str:
    across, down = (
        _frequency("xSamplingFrequency", said["dpi_x"]),
        _frequency("ySamplingFrequency", said["dpi_y"]),
    )
    metrics = f"<samplingFrequencyUnit>in.</samplingFrequencyUnit>{across}{down}" if across or down else ""
    bits, samples = said["bits_per_sample"], said["samples_per_pixel"]
    count = samples if _is_count(samples) else 1
    depth = _text("bitsPerSampleValue", bits) * min(count, 16) if _is_count(bits) else ""
    unit = _text("bitsPerSampleUnit", "integer") if depth else ""
    encoding = _inside("BitsPerSample", depth + unit)
    if _is_count(samples):
        encoding += _text("samplesPerPixel", samples)
    spatial, colour = _inside("SpatialMetrics", metrics), _inside("ImageColorEncoding", encoding)
    return _inside("ImageAssessmentMetadata", spatial + colour)


def _frequency(name: str, value: Any) -> str:
    """Return a rational number: what is found has two places behind the point."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:
        return ""
    whole = float(value).is_integer()
    numerator, denominator = (int(value), 1) if whole else (round(value * 100), 100)
    return f"<{name}>{_text('numerator', numerator)}{_text('denominator', denominator)}</{name}>"


def _text(name: str, value: str | float | None) -> str:
    return "" if value is None or value == "" else f"<{name}>{escape(str(value))}</{name}>"


def _inside(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>" if inner else ""
