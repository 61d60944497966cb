"""Audio and video by MediaInfo."""

from pathlib import Path
from typing import Any

from pymediainfo import MediaInfo

GENERAL = {"format": "container", "duration": "duration_ms", "overall_bit_rate": "bit_rate"}
VIDEO = {
    "format": "video_codec",
    "width": "width",
    "height": "height",
    "frame_rate": "frame_rate",
    "bit_depth": "video_bit_depth",
    "chroma_subsampling": "chroma_subsampling",
    "display_aspect_ratio": "aspect_ratio",
}
AUDIO = {
    "format": "audio_codec",
    "sampling_rate": "sampling_rate",
    "channel_s": "channels",
    "bit_depth": "bit_depth",
}


def read(path: Path) -> dict[str, Any]:
    """Return container, duration and the first video and audio stream's basics."""
    report = MediaInfo.parse(path, parse_speed=0.0, mediainfo_options={"File_TestContinuousFileNames": "0"})
    properties: dict[str, Any] = {}
    for kind, names in (("General", GENERAL), ("Video", VIDEO), ("Audio", AUDIO)):
        tracks = [track.to_data() for track in report.tracks if track.track_type == kind]
        if tracks:
            properties |= {name: tracks[0].get(key) for key, name in names.items()}
        if kind != "General" and tracks:
            properties[f"{kind.lower()}_streams"] = len(tracks)
    if not {"video_codec", "audio_codec", "container"} & {k for k, v in properties.items() if v}:
        raise ValueError("MediaInfo recognises no stream")
    return properties
