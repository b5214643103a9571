"""Opens a file that nobody vouches for: local demuxers only, one video stream, sane sizes."""

import os
from pathlib import Path

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from fastvid.decode.truncation import ends_early
from fastvid.errors import InputError

# Demuxers that open other files or addresses (playlists, scripts, session descriptions), devices,
# and those that show any text or bytes as a picture: a "video" of that kind is never meant.
_REFUSED_DEMUXERS = frozenset(
    {
        "concat",
        "dash",
        "hls",
        "imf",
        "rtp",
        "rtsp",
        "sap",
        "sdp",
        "webm_dash_manifest",
        "fbdev",
        "kmsgrab",
        "lavfi",
        "v4l2",
        "video4linux2",
        "x11grab",
        "adf",
        "bin",
        "idf",
        "tty",
        "xbin",
        "image2",
        "image2pipe",
    }
)
# 16384 is the longest side that H.264 and HEVC levels allow for 8K and 16K video; the area is that
# of a 16384 x 8192 frame, 0.4 GB as RGB. Anything larger is a broken or hostile header.
MAX_SIDE = 16384
MAX_PIXELS = 16384 * 8192
# One thread: errors then surface with the packet that causes them, and the ranks own the cores.
DECODER_THREADS = 1
# Of shells and of ffmpeg, for many files at once.
_PATTERN_LETTERS = frozenset("*?%")
# Bytes and microseconds that libavformat may read to find out what the streams are.
_PROBE_OPTIONS = {"probesize": "20000000", "analyzeduration": "20000000"}


def _allowed_formats() -> str:
    names = (name for entry in av.formats_available for name in entry.split(","))
    return ",".join(sorted(set(names) - _REFUSED_DEMUXERS))


def require_readable_file(path: str) -> None:
    """Raises InputError where `path` is no file that can be read, with the reason."""
    if not os.path.exists(path):
        hint = ""
        if set(os.path.basename(path)) & _PATTERN_LETTERS:
            hint = ". Patterns are not followed: give the folder of the images, and --fps"
        raise InputError(f"{path}: there is no such file{hint}")
    if not os.path.isfile(path):
        raise InputError(f"{path}: is not a file")
    try:
        with open(path, "rb") as stream:
            if not stream.read(1):
                raise InputError(f"{path}: is empty (0 bytes)")
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error


def open_container(path: str) -> InputContainer:
    """Opens a local file for demuxing. Nothing but this one file is opened, and no network.

    Raises InputError for what is missing, unreadable, a still image, a playlist or no video.
    """
    require_readable_file(path)
    options = {
        "format_whitelist": _allowed_formats(),
        "protocol_whitelist": "file",
        **_PROBE_OPTIONS,
    }
    try:
        # The prefix keeps a name such as "concat:x" or "http:x" a name.
        container = av.open(
            "file:" + os.path.abspath(path),
            mode="r",
            container_options=options,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        hint = cut_short_hint(path) or ". Playlists and scripts are not followed"
        raise InputError(
            f"{path}: is not a video that FFmpeg can read ({reason(error)}){hint}"
        ) from error
    if container.format.name.endswith("_pipe"):
        container.close()
        if is_animated_webp(path):
            raise InputError(
                f"{path}: is an animated WebP, of which FFmpeg decodes no picture. Convert it to "
                "a video or to a folder of numbered images first"
            )
        raise InputError(
            f"{path}: is a still image ({container.format.name[:-5]}), not a video. "
            "Give a folder of numbered images and --fps to paint a sequence"
        )
    return container


def is_animated_webp(path: str) -> bool:
    """Whether a file is a WebP of several pictures (RFC 9649, 2.7: the animation flag)."""
    with open(path, "rb") as stream:
        start = stream.read(21)
    return start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and bool(start[20] & 2)


def cut_short_hint(path: str) -> str:
    """For a file of which nothing can be read: what to say if that is because its end is gone."""
    if not ends_early(path):
        return ""
    return (
        ".\nThe file is cut short and what describes its frames was at the end, so none can be "
        "decoded: copy or download it again"
    )


def best_video_stream(container: InputContainer, path: str) -> VideoStream:
    """The stream that players show: no cover art, the default one first, then the largest.

    The other streams are discarded by the demuxer. Raises InputError where there is none, where
    no decoder knows its codec, and where its size is out of bounds.
    """
    streams = list(container.streams.video)
    moving = [s for s in streams if not s.disposition & av.stream.Disposition.attached_pic]
    if not moving:
        found = "only a cover picture" if streams else _describe_other_streams(container)
        raise InputError(f"{path}: has no video stream ({found})")
    best = max(moving, key=_rank)
    if best.codec_context is None:
        raise InputError(f"{path}: no decoder is known for video stream {best.index}")
    check_size(path, best.codec_context.width, best.codec_context.height)
    best.codec_context.thread_count = DECODER_THREADS
    best.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    for stream in container.streams:
        if stream.index != best.index:
            stream.discard = av.stream.Discard.all
    return best


def decoding_context(stream: VideoStream, decoder: str) -> VideoCodecContext:
    """What decodes a stream: its own decoder, or a fresh one of that name."""
    if not decoder:
        return stream.codec_context
    context = CodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = stream.codec_context.extradata
    context.thread_count = DECODER_THREADS
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return context


def _rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
    context = stream.codec_context
    area = context.width * context.height if context is not None else 0
    default = bool(stream.disposition & av.stream.Disposition.default)
    return context is not None, default, area, -stream.index


def _describe_other_streams(container: InputContainer) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return "it has " + " and ".join(kinds) + " only" if kinds else "it has no streams at all"


def check_size(path: str, width: int, height: int) -> None:
    """Raises InputError for a picture size in pixels that no video has."""
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: says that its frames have {width}x{height} pixels; the limit is "
            f"{MAX_SIDE} a side and {MAX_PIXELS} in all. The header is broken, or "
            "the video must be scaled down first"
        )


def reason(error: Exception) -> str:
    """What went wrong in one phrase, without libav's numbers and file names."""
    text = getattr(error, "strerror", None) or str(error)
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else type(error).__name__


def file_size(path: str) -> int:
    """Size in bytes."""
    return Path(path).stat().st_size
