"""FFmpeg: sound becomes FLAC (or WAV), video FFV1 in Matroska, all samples compared; and copies to play.

Lossless copies are decoded again: a digest of all samples and pictures of the original, taken while it is
converted, must be that of the copy. Only files are opened, and only by demuxers of media (`DEMUXERS`): a
playlist in disguise reaches nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packages.format_policy import Outcome
from tools.normalise.ports import Converted, Runner
from tools.normalise.programs import LONGEST, OneByOne, also, concluded, one_of, schema, whole
from tools.runs import Job, Ran
from tools.sandbox import open_left

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,wav,w64,aiff,au,flac,ogg"
    ",mp3,aac,ac3,dts,amr,caf,dv,mxf,flv,rm,ape,wv,tta,voc,gxf"  # codespell:ignore caf
)
ONLY_MEDIA = ("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS)
QUIET = ("-y", "-nostdin", "-hide_banner", "-nostats", "-v", "error", "-bitexact")
THREADS = "2"
MOST_FLAC_CHANNELS = 8
MOST_HASHES = 1 << 16
"""Bytes that the hashes of all streams of a file may take: one of SHA-256 takes 70."""
FEW_CHANNELS = ("-af", "aformat=channel_layouts=mono|stereo")
"""For readers: mono stays mono, and more than two channels become stereo."""
FIELDS = "codec_type,codec_name,sample_fmt,bits_per_raw_sample,bits_per_sample,channels,pix_fmt,disposition"


@dataclass(frozen=True)
class _Media:
    """What ffprobe told about a file."""

    audio: Sequence[Mapping[str, Any]]
    video: Sequence[Mapping[str, Any]]
    subtitles: Sequence[Mapping[str, Any]]
    others: int
    has_tags: bool


def _probe(job: Job, runner: Runner) -> _Media | Converted:
    shown = f"stream={FIELDS}:stream_disposition=attached_pic:stream_tags=title:format_tags"
    ran = runner.run(
        ["ffprobe", "-v", "error", *ONLY_MEDIA, "-show_entries", shown, "-of", "json", job.source], [job]
    )
    if not ran.ok:
        return concluded(job, ran)
    try:
        told = json.loads(ran.output)
    except ValueError:
        return Converted(job, Outcome.FAILED, "ffprobe gave no answer that can be read", command=ran.command)
    streams = [
        each for each in told.get("streams", []) if not each.get("disposition", {}).get("attached_pic")
    ]
    of = {
        word: [s for s in streams if s.get("codec_type") == word] for word in ("audio", "video", "subtitle")
    }
    others = len(streams) - sum(map(len, of.values()))
    tags = bool(told.get("format", {}).get("tags"))
    return _Media(of["audio"], of["video"], of["subtitle"], others, tags)


def _bits(stream: Mapping[str, Any]) -> int:
    """Return how many bits a decoded sample of sound has; 0 for floating point."""
    if str(stream.get("sample_fmt", "")).startswith(("flt", "dbl")):
        return 0
    told = stream.get("bits_per_raw_sample") or stream.get("bits_per_sample") or 0
    width = {"u8": 8, "s16": 16, "s32": 32, "s64": 64}.get(str(stream.get("sample_fmt", "")).rstrip("p"), 32)
    return min(int(told) or width, width)


def _sound(stream: Mapping[str, Any]) -> tuple[str, str]:
    """Return the encoder for a copy that loses nothing, and the samples in which both are compared.

    What was coded with loss decodes to floating point, and becomes 24 bits: they hold more than was kept.
    """
    codec, bits = str(stream.get("codec_name", "")), _bits(stream)
    if codec.startswith(("pcm_f", "pcm_s64")):
        return (deep := "pcm_f64le" if "64" in codec else "pcm_f32le"), deep
    if bits > 24 and codec.startswith(("pcm_", "alac", "wavpack", "tta", "ape")):
        return "pcm_s32le", "pcm_s32le"
    samples = "pcm_s16le" if 0 < bits <= 16 else "pcm_s24le"
    return ("flac" if int(stream.get("channels", 1)) <= MOST_FLAC_CHANNELS else samples), samples


def _ffmpeg(job: Job, runner: Runner, words: Iterable[object], source: Path | None = None) -> Ran:
    opened = ("-threads", THREADS, *ONLY_MEDIA, "-i", str(source or job.source))
    return runner.run(["ffmpeg", *QUIET, *opened, *map(str, words)], [job])


def _audio_lossless(job: Job, runner: Runner) -> Converted:
    media = _probe(job, runner)
    if isinstance(media, Converted):
        return media
    if len(media.audio) != 1 or media.video:
        why = (
            f"it has {len(media.audio)} streams of sound and {len(media.video)} of pictures, not sound alone"
        )
        return Converted(job, Outcome.FAILED, why)
    encoder, samples = _sound(media.audio[0])
    target = job.folder / ("1.flac" if encoder == "flac" else "1.wav")
    digest = runner.folder / "tmp" / "samples"
    container = ["-compression_level", "8"] if encoder == "flac" else ["-rf64", "auto"]
    deep = ["-sample_fmt", "s32"] if (encoder, samples) == ("flac", "pcm_s24le") else []
    ran = _ffmpeg(
        job,
        runner,
        [
            *("-map", "0:a:0", "-map_metadata", "0" if media.has_tags else "0:s:a:0"),
            *("-c:a", encoder, *deep, *container, target),
            *("-map", "0:a:0", "-c:a", samples, "-f", "streamhash", "-hash", "sha256", digest),
        ],
    )
    return _compared(job, runner, concluded(job, ran, target, digest), ["-map", "0:a:0", "-c:a", samples])


def _video_lossless(job: Job, runner: Runner) -> Converted:
    media = _probe(job, runner)
    if isinstance(media, Converted):
        return media
    if not media.video:
        return Converted(job, Outcome.FAILED, "it has no pictures")
    target, digest = job.folder / "1.mkv", runner.folder / "tmp" / "samples"
    sound: list[str] = []
    compared = ["-map", "0:V", "-map", "0:a?"]
    for number, stream in enumerate(media.audio):
        encoder, samples = _sound(stream)
        sound += [f"-c:a:{number}", encoder]
        compared += [f"-c:a:{number}", samples]
    pictures: list[str] = []
    for number, stream in enumerate(media.video):
        form = str(stream.get("pix_fmt", ""))
        if form.startswith("yuvj"):  # full range by another name: nothing is to be scaled
            form = form.replace("yuvj", "yuv")
            pictures += [f"-filter:V:{number}", "scale=in_range=pc:out_range=pc", "-color_range", "pc"]
        pictures += [f"-pix_fmt:V:{number}", form] if form != "rgb24" else []
        compared += [f"-pix_fmt:V:{number}", form]
    texts = ["-c:s", "srt" if any(s.get("codec_name") == "mov_text" for s in media.subtitles) else "copy"]
    ranges = pictures if any("in_range" in word for word in pictures) else []
    ran = _ffmpeg(
        job,
        runner,
        [
            *("-progress", "pipe:1", "-map", "0:V", "-map", "0:a?", "-map", "0:s?", "-map_metadata", "0"),
            *("-fps_mode", "passthrough", "-c:v", "ffv1", "-level", "3", "-coder", "1", "-context", "1"),
            *("-g", "1", "-slices", str(job.arguments["slices"]), "-slicecrc", "1", "-threads", THREADS),
            *(*pictures, *sound, *texts, target),
            *(*compared, *ranges, "-fps_mode", "passthrough", "-c:v", "rawvideo"),
            *("-f", "streamhash", "-hash", "sha256", digest),
        ],
    )
    lost = f"{media.others} streams of data (as time code) are not in the copy" if media.others else ""
    done = concluded(job, ran, target, digest, message=lost, before=_frames(ran))
    return _compared(job, runner, done, [*compared, "-fps_mode", "passthrough", "-c:v", "rawvideo"])


def _compared(job: Job, runner: Runner, done: Converted, words: Sequence[str]) -> Converted:
    """Decode the copy again, and give the digests of all samples of both."""
    if not done.files:
        return done
    target, digest = done.files
    ran = _ffmpeg(
        job,
        runner,
        [
            "-progress",
            "pipe:1",
            *words,
            "-f",
            "streamhash",
            "-hash",
            "sha256",
            again := digest.with_name("again"),
        ],
        target,
    )
    if not ran.ok:
        return concluded(job, ran)
    try:
        before, after = _hashes(digest), _hashes(again)
    except OSError as error:
        return Converted(job, Outcome.FAILED, f"the hashes cannot be read: {error.strerror}")
    frames = _frames(ran) if "frames" in done.before else {}
    return Converted(
        job,
        message=done.message,
        files=(target,),
        command=also(done, ran),
        before={**done.before, "samples_hash": " ".join(before)},
        after={**frames, "samples_hash": " ".join(after)},
    )


def _hashes(file: Path) -> list[str]:
    """Return what FFmpeg wrote of each stream; raises OSError for what is no file of its own."""
    with open_left(file) as left:
        return left.read(MOST_HASHES).decode("ascii", "replace").split()


def _frames(ran: Ran) -> Mapping[str, int]:
    counts = [
        line[6:] for line in ran.output.decode(errors="replace").split("\n") if line.startswith("frame=")
    ]
    return {"frames": int(counts[-1])} if counts and counts[-1].strip().isdigit() else {}


def _audio_access(job: Job, runner: Runner) -> Converted:
    encoder, suffix = {"mp3": ("libmp3lame", "mp3"), "opus": ("libopus", "opus")}[job.arguments["codec"]]
    target = job.folder / f"1.{suffix}"
    rate = f"{job.arguments['kilobits']}k"
    ran = _ffmpeg(
        job,
        runner,
        ["-map", "0:a:0", "-map_metadata", "0", *FEW_CHANNELS, "-c:a", encoder, "-b:a", rate, target],
    )
    return concluded(job, ran, target)


def _video_access(job: Job, runner: Runner) -> Converted:
    most = job.arguments["max_height"]
    height = f"trunc(min({most},ih)/2)*2"
    scale = f"yadif=deint=interlaced,scale=w='trunc(iw*sar*min(1,{most}/ih)/2)*2':h='{height}',setsar=1"
    target = job.folder / "1.mp4"
    ran = _ffmpeg(
        job,
        runner,
        [
            *("-map", "0:V:0", "-map", "0:a:0?", "-map_metadata", "0", "-vf", scale, "-pix_fmt", "yuv420p"),
            *("-c:v", "libx264", "-preset", "medium", "-crf", str(job.arguments["crf"]), "-threads", THREADS),
            *("-c:a", "aac", "-b:a", "128k", *FEW_CHANNELS, "-movflags", "+faststart", target),
        ],
    )
    return concluded(job, ran, target)


def _still(job: Job, runner: Runner) -> Converted:
    """Choose the picture of the first twelve that is most like the others, and make it small."""
    side = job.arguments["max_side"]
    fitted = f"scale=w='min({side},iw*sar)':h='min({side},ih)':force_original_aspect_ratio=decrease"
    target = job.folder / "1.jpg"
    picked = ["-map", "0:V:0", "-vf", f"thumbnail=12,{fitted},setsar=1", "-frames:v", "1"]
    written = ["-pix_fmt", "yuvj420p", "-q:v", "4", "-f", "image2", "-update", "1", target]
    return concluded(job, _ffmpeg(job, runner, [*picked, *written]), target)


_RECIPES = {
    "audio-lossless": _audio_lossless,
    "audio-access": _audio_access,
    "video-lossless": _video_lossless,
    "video-access": _video_access,
    "still": _still,
}


def _convert(job: Job, runner: Runner) -> Converted:
    done = _RECIPES[job.action.recipe](job, runner)
    return done if done.outcome is not Outcome.FAILED else _shortened(done)


def _shortened(done: Converted) -> Converted:
    return Converted(done.job, done.outcome, done.message[:LONGEST], command=done.command)


ADAPTER = OneByOne(
    name="ffmpeg",
    recipes={
        "audio-lossless": schema(),
        "audio-access": schema(
            ["codec", "kilobits"],
            codec=one_of("mp3", "opus", description="How it is coded."),
            kilobits=whole(32, 320, "Bits a second, in thousands."),
        ),
        "video-lossless": schema(
            ["slices"],
            slices={"enum": [4, 6, 9, 12, 16, 24, 30], "description": "Parts of a picture with a CRC each."},
        ),
        "video-access": schema(
            ["max_height", "crf"],
            max_height=whole(64, 4320, "Most lines of a picture."),
            crf=whole(10, 40, "Quality of H.264: less is better; 18 is nearly lossless to the eye."),
        ),
        "still": schema(["max_side"], max_side=whole(16, 20000, "Most pixels of a side.")),
    },
    commands=("ffmpeg", "ffprobe"),
    says=("FFmpeg", ["ffmpeg", "-version"], r"ffmpeg version (\d[\w.]*)"),
    does=_convert,
)
