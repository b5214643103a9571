"""Clips that the benchmarks make once and keep."""

import math
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

CACHE = Path(__file__).resolve().parents[2] / ".data" / "benchmarks"
_RATE = 24
_KEY_INTERVAL = 48


def make_clip(size: tuple[int, int], frames: int, key_interval: int = _KEY_INTERVAL) -> Path:
    """An H.264 clip of moving noise of photographic smoothness; made once and kept.

    key_interval: frames from key frame to key frame.
    """
    import av

    width, height = size
    kind = "" if key_interval == _KEY_INTERVAL else f"-g{key_interval}"
    path = CACHE / f"noise-{width}x{height}-{frames}{kind}.mp4"
    if path.exists():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream(
            "libx264", rate=_RATE, options={"preset": "veryfast", "crf": "23"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = key_interval
        stream.codec_context.time_base = Fraction(1, _RATE)
        for image in _moving_noise(width, height, frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return part.rename(path)


def repeated(clip: Path, times: int) -> Path:
    """The same film so many times in a row, its packets copied; made once and kept."""
    import av

    if times == 1:
        return clip
    path = clip.with_stem(f"{clip.stem}-x{times}")
    if path.exists():
        return path
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                film = source.streams.video[0]
                stream = stream or container.add_stream_from_template(film)
                for packet in source.demux(film):
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    container.mux(packet)
                shift += film.duration or 0
    return part.rename(path)


def demo_clip(size: str, frames: int) -> Path:
    """The program's own generated clip, WIDTHxHEIGHT; made once and kept."""
    path = CACHE / f"demo-{size}-{frames}.mp4"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--size", size, "--frames", str(frames)]
        subprocess.run(
            [sys.executable, "-m", "fastvid", "clip", str(path), *options],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return path


def _moving_noise(width: int, height: int, frames: int) -> Iterator[np.ndarray]:
    """A window that glides over a picture of noise, (height, width, 3) uint8."""
    picture = _smooth_noise(2 * height, 2 * width)
    for index in range(frames):
        x = int(width / 2 * (1 + math.sin(index / 40)))
        y = int(height / 2 * (1 + math.cos(index / 56)))
        yield np.ascontiguousarray(picture[y : y + height, x : x + width])


def _smooth_noise(height: int, width: int) -> np.ndarray:
    """Noise of several octaves, (height, width, 3) uint8."""
    noise = np.random.default_rng(0)
    picture = np.zeros((height, width, 3), dtype=np.float32)
    for octave in range(2, 8):
        step = 2**octave
        coarse = noise.random((height // step + 2, width // step + 2, 3), dtype=np.float32)
        picture += step * coarse.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    picture *= 255 / picture.max()
    return picture.astype(np.uint8)
