"""Audio, video and HEIF pictures by MediaInfo: the container, and every stream of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymediainfo import MediaInfo

MOST_STREAMS = 64
GENERAL = {
    "format": "container",
    "format_profile": "container_profile",
    "format_version": "container_version",
    "duration": "duration_ms",
    "overall_bit_rate": "bit_rate",
    "title": "title",
    "performer": "performer",
    "album": "album",
    "encoded_date": "encoded_date",
    "writing_application": "creating_program",
    "writing_library": "creating_library",
}
VIDEO = {
    "format": "video_codec",
    "width": "width",
    "height": "height",
    "frame_rate": "frame_rate",
    "bit_depth": "video_bit_depth",
    "chroma_subsampling": "chroma_subsampling",
    "display_aspect_ratio": "aspect_ratio",
    "scan_type": "scan_type",
}
IMAGE = {
    "format": "image_codec",
    "width": "width",
    "height": "height",
    "bit_depth": "bits_per_sample",
}
AUDIO = {
    "format": "audio_codec",
    "sampling_rate": "sampling_rate",
    "channel_s": "channels",
    "bit_depth": "bit_depth",
}
STREAM = {
    "format": "codec",
    "format_profile": "profile",
    "format_version": "version",
    "codec_id": "codec_id",
    "duration": "duration_ms",
    "bit_rate": "bit_rate",
    "bit_rate_mode": "bit_rate_mode",
    "width": "width",
    "height": "height",
    "pixel_aspect_ratio": "pixel_aspect_ratio",
    "display_aspect_ratio": "aspect_ratio",
    "frame_rate": "frame_rate",
    "frame_rate_mode": "frame_rate_mode",
    "frame_count": "frames",
    "scan_type": "scan_type",
    "scan_order": "field_order",
    "color_space": "color_space",
    "chroma_subsampling": "chroma_subsampling",
    "bit_depth": "bit_depth",
    "color_range": "color_range",
    "color_primaries": "color_primaries",
    "transfer_characteristics": "transfer_characteristics",
    "matrix_coefficients": "matrix_coefficients",
    "compression_mode": "compression_mode",
    "sampling_rate": "sampling_rate",
    "channel_s": "channels",
    "channel_layout": "channel_layout",
    "samples_count": "samples",
    "language": "language",
    "title": "title",
}
FIELDS = {
    "container": "container format",
    "container_profile": "its profile",
    "container_version": "its version",
    "duration_ms": "milliseconds",
    "bit_rate": "bits a second, of the whole file",
    "title": "title",
    "performer": "performer",
    "album": "album",
    "encoded_date": "when it was encoded",
    "creating_program": "program that wrote it",
    "creating_library": "library that wrote it",
    "image_codec": "of HEIF: how the picture is compressed",
    "bits_per_sample": "of HEIF: bits of one sample",
    "video_codec": "of the first video stream, as the following",
    "width": "pixels",
    "height": "pixels",
    "frame_rate": "frames a second",
    "video_bit_depth": "bits of one sample",
    "chroma_subsampling": "such as 4:2:0",
    "aspect_ratio": "of the picture as shown",
    "scan_type": "Progressive, Interlaced …",
    "audio_codec": "of the first audio stream, as the following",
    "sampling_rate": "samples a second",
    "channels": "how many",
    "bit_depth": "bits of one sample",
    "video_streams": "how many",
    "audio_streams": "how many",
    "text_streams": "how many",
    "streams": "every stream, at most 64: `type` and, of these, what there is: "
    + ", ".join(f"`{name}`" for name in STREAM.values()),
}
BOUNDS = "What MediaInfo reads at its quickest setting (headers and the beginning of each stream)."
_NUMBERS = {
    "frame_rate", "aspect_ratio", "pixel_aspect_ratio", "frames", "samples", "bit_depth", "sampling_rate",
    "channels", "width", "height", "duration_ms", "bit_rate", "video_bit_depth",
}  # fmt: skip  # a table
KINDS = {"Video": "video", "Audio": "audio", "Text": "text", "Image": "image", "Other": "other"}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Encoding of an AU → the bytes of one sample."""
_COUNTED = ("video", "audio", "text")


def tool() -> str:
    """Return name and version of the library; raises OSError where it is not installed."""
    library, handle, version, _ = MediaInfo._get_library()  # noqa: SLF001  # the only way to learn it
    library.MediaInfo_Delete(handle)
    return f"MediaInfo {version}"


def read(path: Path) -> dict[str, Any]:
    """Return container, duration, the first video and audio stream's basics, and all streams."""
    report = MediaInfo.parse(path, parse_speed=0.0, mediainfo_options={"File_TestContinuousFileNames": "0"})
    tracks = [(track.track_type, track.to_data()) for track in report.tracks]
    properties: dict[str, Any] = {}
    for kind, names in (("General", GENERAL), ("Image", IMAGE), ("Video", VIDEO), ("Audio", AUDIO)):
        said = next((data for name, data in tracks if name == kind), {})
        properties |= {name: _plain(name, said[key]) for key, name in names.items() if key in said}
    streams = [{"type": KINDS[kind], **_stream(data)} for kind, data in tracks if kind in KINDS]
    if properties.get("container") == "AU":  # MediaInfo takes each byte of a sample for one
        for each in (properties, *streams):
            each.pop("samples", None)
            each["duration_ms"] = _length_of_au(path)
    for kind in _COUNTED:
        if count := sum(each["type"] == kind for each in streams):
            properties[f"{kind}_streams"] = count
    if not any(properties.get(name) for name in ("video_codec", "audio_codec", "image_codec", "container")):
        raise ValueError("MediaInfo recognises no stream")
    return properties | {"streams": streams[:MOST_STREAMS]}


def _length_of_au(path: Path) -> int | None:
    """Return the milliseconds of an AU by its header; None where that does not tell."""
    with path.open("rb") as stream:
        head = stream.read(24)
    begin, size, encoding, rate, channels = (int.from_bytes(head[at : at + 4]) for at in range(4, 24, 4))
    size = min(size, max(0, path.stat().st_size - begin))  # all ones: the writer did not know
    second = rate * channels * _AU_BYTES.get(encoding, 0)
    return round(1000 * size / second) if second else None


def _stream(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(name, data[key]) for key, name in STREAM.items() if key in data}


def _plain(name: str, value: Any) -> Any:
    """Return a number where MediaInfo writes one as text."""
    if name not in _NUMBERS or not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
