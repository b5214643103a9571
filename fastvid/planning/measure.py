"""What the frames of a film cost on this machine: a few of them, through the real stages.

A stage is charged the shorter of its wall clock time and of the processor time of all threads: on a
busy machine one thread's processor time is what it would take on a quiet one. What a GPU paints is
charged by the wall clock.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fastvid.options import StylizeOptions
from fastvid.planning.costs import FrameCosts
from fastvid.resources import processor_name
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.settings import PictureSettings
from fastvid.stages import STAGES, RecurrentStages, Stages, paints_alone
from fastvid.video.cuts import mark_cuts
from fastvid.video.encode import OutputPlan
from fastvid.video.frame import Frame
from fastvid.video.source import VideoSource

# Consecutive frames are timed at so many places, evenly spread over the film.
PLACES = 4
FRAMES_A_PLACE = 4
# Reading on to the next place takes no longer than this; then it is where the reading has come to.
_READING_LIMIT_S = 30.0
# Computing ends after the place at which so much time has gone.
_COMPUTING_LIMIT_S = 60.0
# Rank 0 copies a frame that it sends and one that it receives, each once more within MPI.
_RELAY_COPIES = 4
_ENCODER_THREADS_MAX = 4  # of `fastvid.job`


@dataclass
class Stopwatch:
    """Seconds of named stages, each as often as it was timed."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wall_s: float = 0.0
    processor_s: float = 0.0

    @contextmanager
    def timing(self, stage: str, by_wall_clock: bool = False) -> Iterator[None]:
        """Times what is done inside."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        self.wall_s += wall
        self.processor_s += processor
        taken = wall if by_wall_clock else min(wall, processor)
        self.seconds.setdefault(stage, []).append(taken)

    def median(self, stage: str) -> float:
        """Of one stage; 0 if it was never timed."""
        return statistics.median(self.seconds.get(stage, [0.0]))

    def mean(self, stage: str) -> float:
        """Of one stage; 0 if it was never timed."""
        return statistics.fmean(self.seconds.get(stage, [0.0]))


@dataclass(frozen=True)
class Measurement:
    """Costs, and how they were found. timed: frames. waited: wall clock over processor time, above
    1 where others used the machine or where the program waited for the disk."""

    costs: FrameCosts
    timed: int
    waited: float


def measure_film(options: StylizeOptions, threads: int, source: VideoSource, stages: Stages,
                 output: OutputPlan, on_gpu: bool = False) -> Measurement:
    """Times frames of the film at several places, after a warm-up.

    stages: of all styles of the run; on_gpu: whether they paint there. threads: of a rank.
    Decoding and encoding come in bursts, so theirs is the mean; else the median. Raises InputError
    where the film can't be read.
    """
    watch = Stopwatch()
    painted: list[np.ndarray] = []
    marked = mark_cuts(source, options.cuts)
    began = time.monotonic()
    for frames in _groups(marked, source.frame_count, watch):
        if not painted:
            _warm_up(stages, frames)
        painted += _compute(stages, frames, watch, on_gpu)
        if time.monotonic() - began > _COMPUTING_LIMIT_S:
            break
    styles = len(options.styles)
    _encode(painted, output, min(threads, _ENCODER_THREADS_MAX), watch)
    _store(painted, options.compression, watch)
    with watch.timing("relay"):
        for _ in range(_RELAY_COPIES):
            painted[0].copy()
    motion, paint, blend = (watch.median(stage.value) for stage in STAGES)
    costs = FrameCosts(motion, paint, blend, decode=watch.mean("decode"),
                       store=styles * watch.median("store"), encode=styles * watch.mean("encode"),
                       relay=styles * watch.median("relay"))
    return Measurement(costs, len(painted), watch.wall_s / max(watch.processor_s, 1e-9))


def picture_settings(options: StylizeOptions, threads: int,
                     device: str = "cpu") -> PictureSettings:
    """The settings of the stages. device: what paints, "cpu" or the name of a GPU."""
    return PictureSettings(
        flow=options.flow, flow_scale=options.flow_scale, mask_boundaries=options.mask_boundaries,
        temporal_strength=options.temporal_strength, strength=options.strength,
        keep_colors=options.keep_colors, threads=threads, processor=processor_name(),
        device=device)


def places(frame_count: int) -> list[int]:
    """The first frames of the places, in order: of a short film fewer places, or only one."""
    fitting = max(1, min(PLACES, frame_count // FRAMES_A_PLACE))
    last = max(0, frame_count - FRAMES_A_PLACE)
    return [last * place // max(1, fitting - 1) for place in range(fitting)]


def _groups(marked: Iterator[tuple[Frame, bool]], frame_count: int,
            watch: Stopwatch) -> Iterator[list[np.ndarray]]:
    """Consecutive images at each place; every frame that is read on the way is timed."""
    read_s, position = 0.0, 0
    for start in places(frame_count):
        group: list[np.ndarray] = []
        while len(group) < FRAMES_A_PLACE:
            before = time.perf_counter()
            # The first frame pays for opening the decoder.
            with watch.timing("decode" if position else "first frame"):
                item = next(marked, None)
            if item is None:
                break
            read_s += time.perf_counter() - before
            if position >= start or read_s > _READING_LIMIT_S:
                group.append(item[0].image)
            position += 1
        if group:
            yield group


def _warm_up(stages: Stages, frames: Sequence[np.ndarray]) -> None:
    painted = paints_alone(stages)(frames[0])
    if len(frames) > 1:
        motion = stages.motion(frames[1], frames[0], 1)
        if motion is not None:
            stages.blend(stages.paint(frames[1]), painted, motion)


def _compute(stages: Stages, frames: Sequence[np.ndarray], watch: Stopwatch,
             on_gpu: bool) -> list[np.ndarray]:
    """The finished frames of a place, (H, W, 3) uint8 RGB, of the first style."""
    finished: list[np.ndarray] = []
    recurrent = isinstance(stages, RecurrentStages)
    for number, (frame, previous) in enumerate(zip(frames, [None, *frames])):
        motion = None
        if previous is not None:
            with watch.timing("motion"):
                motion = stages.motion(frame, previous, number)
        alone = recurrent and previous is None
        with watch.timing("first frame of a shot" if alone else "paint", by_wall_clock=on_gpu):
            painted = paints_alone(stages)(frame) if alone else stages.paint(frame)
        if motion is not None:
            with watch.timing("blend", by_wall_clock=on_gpu and recurrent):
                painted = stages.blend(painted, finished[-1], motion)
        finished.append(painted)
    return [images[0] for images in finished]


def _encode(painted: Sequence[np.ndarray], output: OutputPlan, threads: int,
            watch: Stopwatch) -> None:
    """Encodes the frames as a part of their own; an encoder looks ahead, so all together count."""
    with tempfile.TemporaryDirectory(prefix="fastvid-plan-") as folder:
        step = max(1, round(1 / (output.average_rate * output.time_base)))
        whole = Stopwatch()
        with whole.timing("encode"):
            encoder = output.open_encoder(Path(folder) / "part", threads=threads)
            for index, image in enumerate(painted):
                encoder.write(image, index * step, step)
            encoder.close()
    watch.seconds["encode"] = [whole.mean("encode") / len(painted)]


def _store(painted: Sequence[np.ndarray], compression: str, watch: Stopwatch) -> None:
    with tempfile.TemporaryDirectory(prefix="fastvid-plan-") as folder:
        height, width = painted[0].shape[:2]
        writer = RunWriter.create(Path(folder) / "run.h5", height, width, {}, (), compression)
        for index, image in enumerate(itertools.islice(itertools.cycle(painted), PLACES)):
            record = SegmentRecord(index, index, index + 1, 0, 0, 0, "", [index], [1], {})
            with watch.timing("store"):
                writer.store(record, [image])
        writer.close()
