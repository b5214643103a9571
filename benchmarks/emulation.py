"""A cluster on one machine: stages that sleep instead of computing, and clips made for the purpose.

Everything around the stages is the real program: MPI, messages, scheduler, decoder, run file,
encoder.
"""

import math
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from fastvid.parallel.mpi.peer import Peer
from fastvid.stages.interface import Motion

# One rank in four is slow; rank 0 is not among them.
_SLOW_EVERY = 4
_SLOW_SPEED = 0.5
# Enough for every estimate: an emulated rank has a host's memory to itself.
_NODE_MEMORY_BYTES = 1 << 40
_RATE = 24
_KEY_INTERVAL = 48
_SHORTEST_SHOT = 4
_LONGEST_TO_SHORTEST = 20.0
_SHOTS_SEED = 26


@dataclass(frozen=True)
class Costs:
    """Seconds a frame of the stages on one core: flow with masks and gate, painting, blending."""

    flow: float = 0.08
    stylize: float = 0.64
    temporal: float = 0.008

    @classmethod
    def parse(cls, text: str) -> "Costs":
        """From a text like flow=0.08,stylize=0.64,temporal=0.008; what is left out costs nothing.

        Raises ValueError.
        """
        values = {"flow": 0.0, "stylize": 0.0, "temporal": 0.0}
        for part in text.split(","):
            name, _, number = part.partition("=")
            if name not in values:
                raise ValueError(f"unknown stage {name!r}; there are {', '.join(values)}")
            values[name] = float(number)
            if not (math.isfinite(values[name]) and values[name] >= 0):
                raise ValueError(f"{part}: a cost is a number of seconds, not less than 0")
        return cls(**values)

    def total(self, frames: int, shots: int) -> float:
        """The sum of the costs of a video: the first frame of a shot is painted, no more."""
        return frames * self.stylize + (frames - shots) * (self.flow + self.temporal)

    def recurrent_total(self, frames: int, shots: int) -> float:
        """The same where `temporal` is the network, which paints the first frames too."""
        return frames * self.temporal + (frames - shots) * self.flow


def rank_speeds(ranks: int, slow: bool) -> list[float]:
    """The speed of each rank against the costs: 1, with `slow` one half for every fourth rank."""
    return [
        _SLOW_SPEED if slow and rank % _SLOW_EVERY == _SLOW_EVERY - 1 else 1.0
        for rank in range(ranks)
    ]


class SleepingStages:
    """Stages that take the given time on a core of the given speed and need no core.

    The core belongs to the temporal pass while that wants it, as nearly all of a real one does
    (`fastvid.parallel.engine.threads`): a heavy stage takes so much longer. A sleep ends late on a
    busy machine: what it overslept is taken off the next stages, so that a rank computes for the
    sum of its costs. What comes out depends on all frames of the shot so far, as it really does.
    """

    def __init__(self, costs: Costs, speed: float = 1.0) -> None:
        self._seconds = Costs(costs.flow / speed, costs.stylize / speed, costs.temporal / speed)
        self._heavy_late_s = self._blend_late_s = 0.0
        self._stolen_s = self._blend_ends = 0.0

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[None]:
        """Sleeps for flow, masks and gate."""
        self._compute(self._seconds.flow)
        return Motion(prepared=None)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The negative of the frame, as the only style."""
        self._compute(self._seconds.stylize)
        return np.bitwise_not(frame)[None]

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[None]) -> np.ndarray:
        """The mean of the painted frame and the finished one before it."""
        began, seconds = time.perf_counter(), self._seconds.temporal
        finished = self._mix(painted, previous)
        self._stolen_s += seconds
        self._blend_ends = began + seconds
        _sleep_until(began + seconds - self._blend_late_s)
        took = time.perf_counter() - began
        self._blend_late_s = max(0.0, self._blend_late_s + took - seconds)
        return finished

    def _mix(self, painted: np.ndarray, previous: np.ndarray) -> np.ndarray:
        return (painted >> 1) + (previous >> 1)

    def _compute(self, seconds: float) -> None:
        """Sleeps for so long as a heavy stage takes beside the temporal pass."""
        began = time.perf_counter()
        _sleep_until(self._blend_ends)
        starts, stolen = max(began, self._blend_ends), self._stolen_s
        while (
            ends := starts + seconds + self._stolen_s - stolen
        ) - self._heavy_late_s > time.perf_counter():
            _sleep_until(ends - self._heavy_late_s)
        self._heavy_late_s = max(0.0, self._heavy_late_s + time.perf_counter() - ends)


def _sleep_until(moment: float) -> None:
    """Sleeps until the clock (`time.perf_counter`) shows `moment`."""
    left = moment - time.perf_counter()
    if left > 0:
        time.sleep(left)


def take_priority(nice: int) -> None:
    """Gives this rank the nice value, and its session, which Linux schedules as one, as well."""
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        try:
            Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")
        except OSError:
            pass  # a kernel without groups of that kind


def on_a_node_of_its_own(peer: Peer) -> Peer:
    """A rank as one that has one core and a host's memory to itself."""
    return replace(peer, host=f"node{peer.rank:02d}", cores=1, memory_bytes=_NODE_MEMORY_BYTES)


def uneven_cuts(frames: int, shots: int) -> list[int]:
    """Where shots begin (without frame 0): the longest about 20 times as long as the shortest.

    Raises ValueError if there are too few frames.
    """
    if frames < shots * _SHORTEST_SHOT:
        raise ValueError(f"{frames} frames are too few for {shots} shots of {_SHORTEST_SHOT}")
    order = random.Random(_SHOTS_SEED)
    weights = [_LONGEST_TO_SHORTEST ** (order.random() - 0.05) for _ in range(shots)]
    spare = frames - shots * _SHORTEST_SHOT
    total, at, cuts = sum(weights), 0.0, []
    for number, weight in enumerate(weights[:-1], start=1):
        at += weight * spare / total
        cuts.append(int(at) + number * _SHORTEST_SHOT)
    return cuts


def make_clip(
    folder: Path, size: tuple[int, int], frames: int, key_interval: int = _KEY_INTERVAL
) -> Path:
    """An H.264 clip of moving noise of photographic smoothness; made once and kept in `folder`.

    key_interval: frames from key frame to key frame.
    """
    import av

    width, height = size
    kind = "" if key_interval == _KEY_INTERVAL else f"-g{key_interval}"
    path = folder / f"noise-{width}x{height}-{frames}{kind}.mp4"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
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
