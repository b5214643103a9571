"""Small clips with known content, for the tests of decoding."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fastvid.decode.film import VideoSource, open_source
from fastvid.decode.frame import Frame
from fastvid.system.priority import without_realtime_threads

# Kr, Kb of ITU-T H.273 table 4, by its code points.
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
PATCHES = np.array(
    [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
        [0, 0, 0],
        [200, 120, 40],
        [30, 90, 160],
        [128, 128, 128],
    ],
    np.uint8,
)


def patches(width: int = 64, height: int = 48) -> np.ndarray:
    """(height, width, 3) uint8 RGB: vertical bars of the colours in PATCHES."""
    bars = np.arange(width) * len(PATCHES) // width
    return np.ascontiguousarray(np.broadcast_to(PATCHES[bars], (height, width, 3)))


def numbered_picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """(height, width, 3) uint8: a grey level and eight bright or dark bars that spell `number`."""
    image = np.full((height, width, 3), 100, np.uint8)
    for bit in range(8):
        left, right = bit * width // 8, (bit + 1) * width // 8
        image[height // 4 : 3 * height // 4, left:right] = 220 if number >> bit & 1 else 20
    return image


def read_number(image: np.ndarray) -> int:
    """The number that `numbered_picture` wrote."""
    height, width = image.shape[:2]
    row = image[height * 3 // 8 : height * 5 // 8].mean(axis=(0, 2))
    levels = [
        row[int((bit + 0.3) * width / 8) : int((bit + 0.7) * width / 8) + 1].mean()
        for bit in range(8)
    ]
    return sum(1 << bit for bit, level in enumerate(levels) if level > 120)


def to_yuv(rgb: np.ndarray, matrix: int, full_range: bool, bits: int) -> list[np.ndarray]:
    """Plain formula of H.273, 8.3: R'G'B' to 4:2:0 planes, chroma averaged over 2x2."""
    kr, kb = LUMA_WEIGHTS[matrix]
    red, green, blue = (rgb[..., i] / 255.0 for i in range(3))
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    scale = 1 << (bits - 8)
    top = (1 << bits) - 1

    def half(plane: np.ndarray) -> np.ndarray:
        height, width = plane.shape
        plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
        return np.asarray(plane.reshape(len(plane) // 2, 2, -1, 2).mean(axis=(1, 3)))

    cb = half((blue - luma) / (2 * (1 - kb)))
    cr = half((red - luma) / (2 * (1 - kr)))
    if full_range:
        planes = [luma * top, cb * top + 128 * scale, cr * top + 128 * scale]
    else:
        planes = [(219 * luma + 16) * scale, (224 * cb + 128) * scale, (224 * cr + 128) * scale]
    kind = np.uint8 if bits == 8 else np.uint16
    return [np.clip(np.rint(plane), 0, top).astype(kind) for plane in planes]


def yuv_frame(planes: Sequence[np.ndarray], pix_fmt: str) -> av.VideoFrame:
    """A frame of planar YUV from its three planes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, data in zip(frame.planes, planes, strict=True):
        size = data.dtype.itemsize
        padded = np.zeros((plane.height, plane.line_size // size), data.dtype)
        padded[: data.shape[0], : data.shape[1]] = data
        plane.update(padded.tobytes())
    return frame


def write_clip(
    path: Path,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction = Fraction(25),
    matrix: int = 6,
    full_range: bool = False,
    tags: tuple[int, int, int] | None = None,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encodes RGB images, all but lossless by default.

    tags: (primaries, transfer, matrix) written into the stream; None leaves them unspecified.
    """
    bits = 10 if "10" in pix_fmt else 8
    height, width = images[0].shape[:2]
    # AV1's encoder would leave this process, and all that it starts later, a real-time priority.
    with (
        without_realtime_threads(),
        av.open(str(path), "w", options=container_options or {}) as output,
    ):
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        default = {"qp": "0", "bf": "2", "g": "12"} if codec == "libx264" else {}
        stream.options = {**default, **(options or {})}
        if tags is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = tags
        if full_range:
            stream.codec_context.color_range = 2
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        for number, image in enumerate(images):
            frame = yuv_frame(to_yuv(image, matrix, full_range, bits), pix_fmt)
            frame.pts = times[number] if times is not None else number
            frame.time_base = time_base
            frame.color_range = 2 if full_range else 1
            if tags is not None:
                frame.color_primaries, frame.color_trc, frame.colorspace = tags
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def numbered_clip(path: Path, count: int, **options: Any) -> Path:
    """A clip of `count` numbered pictures."""
    return write_clip(path, [numbered_picture(i) for i in range(count)], **options)


def join_clips(
    path: Path, parts: Sequence[Path], input_options: dict[str, str] | None = None
) -> Path:
    """The packets of several clips, one after the other in the stream of the first, at 25 a
    second."""
    with av.open(str(path), "w") as output:
        stream, at = None, 0
        for part in parts:
            with av.open(str(part), options=input_options or {}) as source:
                stream = stream or output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.pts = packet.dts = at
                        packet.time_base, packet.stream = Fraction(1, 25), stream
                        output.mux(packet)
                        at += 1
    return path


def spoil(path: Path, packet_number: int) -> None:
    """Overwrites one packet with noise, all but its first four bytes."""
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = packets[packet_number]
    assert position is not None
    content = bytearray(path.read_bytes())
    content[position + 4 : position + size] = np.random.default_rng(1).bytes(size - 4)
    path.write_bytes(content)


def read_all(path: Path, **options: Any) -> tuple[VideoSource, list[Frame]]:
    """Every frame of a film. options: those of `open_source`."""
    source = open_source(str(path), **options)
    return source, list(source)


def numbers(frames: list[Frame]) -> list[int]:
    """What the frames of a numbered clip say of themselves."""
    return [read_number(frame.image) for frame in frames]
