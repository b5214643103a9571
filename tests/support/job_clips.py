"""Small clips and a small style for the tests of whole jobs.

The clips hold RGB samples without loss (FFV1), so that whoever decodes them sees the same bytes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.network import build_network
from fastvid.style.variant import Variant

WIDTH, HEIGHT = 64, 48
TIME_BASE = Fraction(1, 1000)
AUDIO_RATE = 48000
# First frames of the shots of the cut clip, the second of which has one frame; and its length.
CUTS = (12, 13)
CUT_FRAMES = 30
UNCUT_FRAMES = 23
STYLE_ARCH = "c3s1-4,d6,R6,U2,c3s1-3"


@dataclass(frozen=True)
class Clip:
    """A clip and the first frames of its shots but the first, also as the value of --cuts."""

    path: Path
    cuts: tuple[int, ...]
    cuts_option: str
    frame_count: int


def scene(seed: int, position: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: a smooth texture that drifts behind a patch that drifts faster."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    image = np.zeros((HEIGHT, WIDTH, 3))
    for channel in range(3):
        for _ in range(4):
            wave_x, wave_y = generator.uniform(-0.5, 0.5, 2)
            phase = generator.uniform(0, 6.28)
            image[..., channel] += np.sin(
                wave_x * (columns - 1.3 * position) + wave_y * (rows + 0.6 * position) + phase
            )
    image = 128 + 28 * image
    left = 4 + 2 * position % (WIDTH - 20)
    image[14:30, left : left + 16] = 255 - image[14:30, left : left + 16]
    return image.clip(0, 255).astype(np.uint8)


def cut_scenes() -> list[np.ndarray]:
    """Three shots: 12 frames, one frame, 17 frames."""
    starts = (0, *CUTS)
    shots = [max(s for s in range(len(starts)) if starts[s] <= i) for i in range(CUT_FRAMES)]
    return [scene(100 + shot, i - starts[shot]) for i, shot in enumerate(shots)]


def uncut_scenes() -> list[np.ndarray]:
    """One shot of 23 frames, a length that no segment length divides."""
    return [scene(7, i) for i in range(UNCUT_FRAMES)]


def uneven_times(count: int) -> list[int]:
    """Milliseconds: no two neighbours are equally long for long."""
    steps = [40 + 7 * (i % 3) for i in range(count)]
    return [sum(steps[:i]) for i in range(count)]


def write_clip(
    path: Path,
    images: Sequence[np.ndarray],
    times: Sequence[int],
    *,
    sound: bool = False,
    codec: str = "ffv1",
) -> Path:
    """A clip with a picture at each of `times` (ms), and a tone in AAC if `sound` is set."""
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=Fraction(25))
        assert isinstance(video, VideoStream)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        video.codec_context.time_base = TIME_BASE
        video.codec_context.thread_count = 1
        audio = output.add_stream("aac", rate=AUDIO_RATE) if sound else None
        for image, time in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format=video.pix_fmt)
            frame.pts, frame.time_base = time, TIME_BASE
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio is not None:
            assert isinstance(audio, AudioStream)
            for start in range(0, AUDIO_RATE * (times[-1] + 40) // 1000, 1024):
                tone = np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / AUDIO_RATE)
                samples = av.AudioFrame.from_ndarray(
                    np.tile(0.3 * tone, (2, 1)).astype(np.float32), format="fltp", layout="stereo"
                )
                samples.sample_rate, samples.pts = AUDIO_RATE, start
                samples.time_base = Fraction(1, AUDIO_RATE)
                output.mux(audio.encode(samples))
            output.mux(audio.encode(None))
    return path


def style_bytes(seed: int = 3) -> bytes:
    """A checkpoint with fixed random weights, small enough to paint a frame in a millisecond."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = build_network(STYLE_ARCH).state_dict()
    return checkpoint_bytes(STYLE_ARCH, weights, "tiny")


def recurrent_bytes(seed: int = 3) -> bytes:
    """The same of a recurrent model. With random weights it leans on its past, and on the mask."""
    variant = Variant(in_channels=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = build_network(STYLE_ARCH, variant=variant).state_dict()
    return checkpoint_bytes(STYLE_ARCH, weights, "tiny", variant=variant)


def decoded_frames(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """All frames of a file, (H, W, 3) uint8 RGB, as PyAV gives them."""
    with av.open(os.fspath(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def decoded_times(path: str | os.PathLike[str]) -> list[Fraction]:
    """When each frame of a file is shown, seconds."""
    with av.open(os.fspath(path)) as container:
        times = []
        for frame in container.decode(video=0):
            assert frame.pts is not None and frame.time_base is not None
            times.append(frame.pts * frame.time_base)
        return times


def audio_packets(path: str | os.PathLike[str]) -> list[bytes]:
    """The packets of the sound of a file."""
    with av.open(os.fspath(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]
