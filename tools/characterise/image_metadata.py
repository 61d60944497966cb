"""What is written beside the pixels of an image: ICC profile, EXIF, XMP and IPTC."""

import io
from typing import Any

from PIL import ExifTags, Image, ImageCms, IptcImagePlugin, TiffImagePlugin

from tools.characterise import xmp

# It has no prefix to be known by: every image would first be tried as one, and fail.
Image.ID.remove(IptcImagePlugin.IptcImageFile.format)

MOST_KEYWORDS = 50
_read_iptc: Any = IptcImagePlugin.getiptcinfo
FIELDS = {
    "icc_profile": "description of the ICC profile; unreadable where it is none",
    "icc_color_space": "colour space of the ICC profile",
    "camera_make": "EXIF Make",
    "camera_model": "EXIF Model",
    "lens_model": "EXIF LensModel",
    "exif_date": "EXIF DateTime",
    "date_time_original": "EXIF DateTimeOriginal",
    "software": "EXIF Software",
    "artist": "EXIF Artist",
    "copyright": "EXIF Copyright",
    "image_description": "EXIF ImageDescription",
    "exposure_time": "EXIF ExposureTime, seconds",
    "f_number": "EXIF FNumber",
    "iso_speed": "EXIF ISO speed",
    "focal_length": "EXIF FocalLength, mm",
    "exif_color_space": "EXIF ColorSpace: sRGB or uncalibrated",
    "orientation": "EXIF Orientation, where it is not 1",
    "gps_latitude": "EXIF, degrees, north is positive",
    "gps_longitude": "EXIF, degrees, east is positive",
    "exif": "unreadable, where it is damaged",
    "iptc_title": "IPTC object name",
    "iptc_headline": "IPTC headline",
    "iptc_caption": "IPTC caption",
    "iptc_byline": "IPTC by-line",
    "iptc_copyright": "IPTC copyright notice",
    "iptc_date": "IPTC date created",
    "iptc_city": "IPTC city",
    "iptc_country": "IPTC country",
    "iptc_keywords": "IPTC keywords, at most 50",
    **xmp.FIELDS,
}
EXIF = {
    271: "camera_make", 272: "camera_model", 306: "exif_date", 305: "software", 315: "artist",
    33432: "copyright", 270: "image_description",
}  # fmt: skip  # a table
INNER = {
    36867: "date_time_original", 33434: "exposure_time", 33437: "f_number", 34855: "iso_speed",
    37386: "focal_length", 42036: "lens_model",
}  # fmt: skip  # a table
IPTC = {
    (2, 5): "iptc_title", (2, 105): "iptc_headline", (2, 120): "iptc_caption", (2, 80): "iptc_byline",
    (2, 116): "iptc_copyright", (2, 55): "iptc_date", (2, 90): "iptc_city", (2, 101): "iptc_country",
    (2, 25): "iptc_keywords",
}  # fmt: skip  # a table
_XMP_TAG = 700


def read(image: Image.Image) -> dict[str, Any]:
    """Return what is known beside the pixels; what is damaged does not spoil the rest."""
    found: dict[str, Any] = {}
    if profile := image.info.get("icc_profile"):
        found |= _profile(profile)
    return found | _exif(image) | _iptc(image) | _packet(image)


def _profile(profile: bytes) -> dict[str, Any]:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return {
            "icc_profile": ImageCms.getProfileDescription(opened) or "unnamed",
            "icc_color_space": opened.profile.xcolor_space,
        }
    except (ImageCms.PyCMSError, OSError, ValueError):
        return {"icc_profile": "unreadable"}


def _exif(image: Image.Image) -> dict[str, Any]:
    try:
        # Not PNG's own: it reads all pixels where no EXIF stands before them, to look behind them.
        tags = Image.Image.getexif(image)
        if not tags:
            return {}
        found = {EXIF[key]: _plain(value) for key, value in tags.items() if key in EXIF}
        inner = tags.get_ifd(ExifTags.IFD.Exif)
        found |= {INNER[key]: _plain(value) for key, value in inner.items() if key in INNER}
        if space := {1: "sRGB", 65535: "uncalibrated"}.get(inner.get(40961, 0)):
            found["exif_color_space"] = space
        found |= _place(tags.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # noqa: BLE001  # damaged EXIF does not spoil what else is known
        return {"exif": "unreadable"}
    orientation = tags.get(ExifTags.Base.Orientation)
    if isinstance(orientation, int) and orientation != 1:
        found["orientation"] = orientation
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.rstrip("\0 ")
    if isinstance(value, tuple):
        return _plain(value[0]) if value else None
    if isinstance(value, int):
        return value
    try:
        return round(float(value), 6)
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _place(tags: dict[int, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, side, value in (("gps_latitude", 1, 2), ("gps_longitude", 3, 4)):
        parts = tags.get(value)
        if isinstance(parts, tuple) and len(parts) == 3:
            degrees, minutes, seconds = (float(each) for each in parts)
            sign = -1 if str(tags.get(side, "")).upper() in {"S", "W"} else 1
            found[name] = round(sign * (degrees + minutes / 60 + seconds / 3600), 6)
    return found


def _iptc(image: Image.Image) -> dict[str, Any]:
    if "photoshop" not in image.info and not isinstance(image, TiffImagePlugin.TiffImageFile):
        return {}
    try:
        said: Any = _read_iptc(image) or {}
    except Exception:  # noqa: BLE001  # damaged IPTC does not spoil what else is known
        return {}
    found: dict[str, Any] = {}
    for key, name in IPTC.items():
        value = said.get(key)
        if isinstance(value, list):
            found[name] = [_text(each) for each in value[:MOST_KEYWORDS]]
        elif isinstance(value, bytes):
            found[name] = [_text(value)] if name == "iptc_keywords" else _text(value)
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _packet(image: Image.Image) -> dict[str, Any]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet is None and isinstance(image, TiffImagePlugin.TiffImageFile):
        packet = image.tag_v2.get(_XMP_TAG)
    if isinstance(packet, str):
        packet = packet.encode()
    return xmp.read_packet(packet) if isinstance(packet, bytes) and packet else {}
