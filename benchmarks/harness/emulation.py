"""A cluster on one machine: stages that sleep instead of computing.

Everything around the stages is the real program: MPI, messages, scheduler, decoder, run file,
encoder.
"""

import argparse
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastvid.encode.encoder import VideoEncoder
from fastvid.parallel.mpi.peer import Peer
from fastvid.stages.interface import Motion

# One rank in four is slow; rank 0 is not among them.
_SLOW_EVERY = 4
_SLOW_SPEED = 0.5
# How often an encoder looks whether the core is free.
_SLICE_S = 0.005
# Enough for every estimate: an emulated rank has a host's memory to itself.
_NODE_MEMORY_BYTES = 1 << 40
_SHORTEST_SHOT = 4
_LONGEST_TO_SHORTEST = 20.0
_SHOTS_SEED = 26
# For the help of options that take costs.
COSTS_FORM = "motion=S,paint=S,blend=S,encode=S"
# What the stages were called on the command lines of older results.
_FORMER_NAMES = {"flow": "motion", "stylize": "paint", "temporal": "blend"}


@dataclass(frozen=True)
class Costs:
    """Seconds a frame of the stages on one core; motion is flow, masks and gate. encode: of the
    encoder, 0 for what it really takes."""

    motion: float = 0.08
    paint: float = 0.64
    blend: float = 0.008
    encode: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Costs":
        """From a text like motion=0.08,paint=0.64,blend=0.008; what is left out costs nothing.

        Raises ValueError.
        """
        values = {"motion": 0.0, "paint": 0.0, "blend": 0.0, "encode": 0.0}
        for part in text.split(","):
            name, _, number = part.partition("=")
            if name in _FORMER_NAMES:
                raise ValueError(f"{name} is called {_FORMER_NAMES[name]} now")
            if name not in values:
                raise ValueError(f"unknown stage {name!r}; there are {', '.join(values)}")
            values[name] = float(number)
            if not (math.isfinite(values[name]) and values[name] >= 0):
                raise ValueError(f"{part}: a cost is a number of seconds, not less than 0")
        return cls(**values)

    def total(self, frames: int, shots: int) -> float:
        """The sum of the costs of a video: the first frame of a shot is painted, no more."""
        return frames * self.paint + (frames - shots) * (self.motion + self.blend)

    def recurrent_total(self, frames: int, shots: int) -> float:
        """The same where `blend` is the network, which paints the first frames too."""
        return frames * self.blend + (frames - shots) * self.motion


def costs_of(text: str) -> Costs:
    """As `Costs.parse`, with its message for the user of an argparse option."""
    try:
        return Costs.parse(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


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
        self._seconds = Costs(costs.motion / speed, costs.paint / speed, costs.blend / speed)
        self._heavy_late_s = self._blend_late_s = 0.0
        self._stolen_s = self._blend_ends = 0.0
        self._at_work = 0
        self._lock = threading.Lock()

    @property
    def at_work(self) -> bool:
        """Whether one of the stages has the core."""
        return self._at_work > 0

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[None]:
        """Sleeps for flow, masks and gate."""
        self._compute(self._seconds.motion)
        return Motion(prepared=None)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The negative of the frame, as the only style."""
        self._compute(self._seconds.paint)
        negative: np.ndarray = np.bitwise_not(frame)[None]
        return negative

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[None]) -> np.ndarray:
        """The mean of the painted frame and the finished one before it."""
        finished = np.empty_like(painted)
        self.blend_rows(painted, previous, motion, 0, painted.shape[1], finished)
        return finished

    def rows_needed(self, motion: Motion[None], first: int, stop: int) -> int:
        """Things move by no more than a band: the next one is taken, too."""
        return 2 * stop - first

    def blend_rows(
        self,
        painted: np.ndarray,
        previous: np.ndarray,
        motion: Motion[None],
        first: int,
        stop: int,
        finished: np.ndarray,
    ) -> None:
        """Some rows of `blend`, in their share of its time."""
        began = time.perf_counter()
        seconds = self._seconds.blend * (stop - first) / painted.shape[1]
        rows = slice(first, stop)
        finished[:, rows] = self._mix(painted[:, rows], previous[:, rows])
        self._stolen_s += seconds
        self._blend_ends = began + seconds
        with self._working():
            _sleep_until(began + seconds - self._blend_late_s)
        took = time.perf_counter() - began
        self._blend_late_s = max(0.0, self._blend_late_s + took - seconds)

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1

    def _mix(self, painted: np.ndarray, previous: np.ndarray) -> np.ndarray:
        mixed: np.ndarray = (painted >> 1) + (previous >> 1)
        return mixed

    def _compute(self, seconds: float) -> None:
        """Sleeps for so long as a heavy stage takes beside the temporal pass."""
        began = time.perf_counter()
        _sleep_until(self._blend_ends)
        starts, stolen = max(began, self._blend_ends), self._stolen_s
        with self._working():
            while (
                ends := starts + seconds + self._stolen_s - stolen
            ) - self._heavy_late_s > time.perf_counter():
                _sleep_until(ends - self._heavy_late_s)
        self._heavy_late_s = max(0.0, self._heavy_late_s + time.perf_counter() - ends)


class SleepingEncoder:
    """Lets an encoder take so many seconds a frame of the core that the stages of its rank leave.

    It gives way to them altogether (a real one gets a quarter of what both want).
    """

    def __init__(self, stages: SleepingStages, seconds: float) -> None:
        self._stages = stages
        self._seconds = seconds
        self._late_s = 0.0

    def encode(self, write: Callable[[], None]) -> None:
        """Encodes a frame, which `write` does really, in the time that it is to take."""
        _take_the_priority_of_the_process()
        began = time.perf_counter()
        write()
        # What it has overslept or taken too long is taken off the next frame.
        had_s = self._late_s + time.perf_counter() - began
        while had_s < self._seconds:
            idle, slept_from = not self._stages.at_work, time.perf_counter()
            time.sleep(min(_SLICE_S, self._seconds - had_s))
            if idle:
                had_s += time.perf_counter() - slept_from
        self._late_s = had_s - self._seconds


def _take_the_priority_of_the_process() -> None:
    """For a thread that was made nice: the emulated core is not the real one, which others use."""
    with suppress(OSError):  # only root may
        nice = os.getpriority(os.PRIO_PROCESS, os.getpid())
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


def emulate_encoding(stages: SleepingStages, seconds: float) -> None:
    """From now on every encoder of this process takes so many seconds a frame."""
    original, encoder = VideoEncoder.write, SleepingEncoder(stages, seconds)

    def write(self: VideoEncoder, image: np.ndarray, pts: int, duration: int) -> None:
        encoder.encode(lambda: original(self, image, pts, duration))

    VideoEncoder.write = write  # type: ignore[method-assign]


def _sleep_until(moment: float) -> None:
    """Sleeps until the clock (`time.perf_counter`) shows `moment`."""
    left = moment - time.perf_counter()
    if left > 0:
        time.sleep(left)


def take_priority(nice: int) -> None:
    """Gives this rank the nice value, and its session, which Linux schedules as one, as well."""
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        with suppress(OSError):  # a kernel without groups of that kind
            Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")


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
