"""What the frames of a film cost on this machine: a few of them, through the real stages.

A stage is charged the shorter of its wall clock time and of the processor time of all threads: on a
busy machine one thread's processor time is what it would take on a quiet one. What a GPU paints is
charged by the wall clock.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastvid.commands.plan.costs import FrameCosts
from fastvid.commands.plan.side_costs import time_encoding, time_relaying, time_storing
from fastvid.commands.plan.stage_times import StageTimes
from fastvid.decode.cuts import mark_cuts
from fastvid.decode.frame import Frame
from fastvid.decode.source import VideoSource
from fastvid.encode.encoder_thread import encoder_threads
from fastvid.encode.plan import OutputPlan
from fastvid.job.decoding import with_planes
from fastvid.job.estimate import frame_bytes
from fastvid.job.options import StylizeOptions
from fastvid.regions.planes import FramePlanes
from fastvid.stages.interface import (
    BatchStages,
    Motion,
    RecurrentStages,
    Stage,
    Stages,
    paints_alone,
)

# Consecutive frames are timed at so many places, evenly spread over the film.
PLACES = 4
FRAMES_A_PLACE = 4
# Reading on to the next place takes no longer than this; then it is where the reading has come to.
_READING_LIMIT_S = 30.0
# Computing ends after the place at which so much time has gone.
_COMPUTING_LIMIT_S = 60.0


@dataclass(frozen=True)
class Measurement:
    """Costs, and how they were found. timed: frames. waited: wall clock over processor time, above
    1 where others used the machine or where the program waited for the disk."""

    costs: FrameCosts
    timed: int
    waited: float


def measure_film(
    options: StylizeOptions,
    threads: int,
    source: VideoSource,
    stages: Stages[Any],
    output: OutputPlan,
    on_gpu: bool = False,
    planes: FramePlanes | None = None,
) -> Measurement:
    """Times frames of the film at several places, after a warm-up.

    planes: the masks that go with the frames. stages: of all styles of the run; on_gpu: whether
    they paint there. threads: of a rank. output: of the first style; all others are taken to be
    encoded like its frames.
    Decoding and encoding come in bursts, so theirs is the mean; else the median. Raises InputError
    where the film, or its flow, can't be read.
    """
    watch = StageTimes()
    painted: list[np.ndarray] = []
    kept: Motion[Any] | None = None
    marked = with_planes(mark_cuts(_timed_frames(source, watch), options.cuts), planes)
    began = time.monotonic()
    # As in a run, not in the main thread: malloc gives that one its memory in another way, and
    # painting takes a ninth longer there.
    with ThreadPoolExecutor(max_workers=1) as thread:
        for frames in _groups(marked, source.frame_count, watch):
            if not painted:
                thread.submit(_warm_up, stages, frames).result()
            finished, motion = thread.submit(_compute, stages, frames, watch, on_gpu).result()
            painted += finished
            kept = motion or kept
            if time.monotonic() - began > _COMPUTING_LIMIT_S:
                break
    styles = len(options.styles)
    time_encoding(painted, output, encoder_threads(threads, styles), watch)
    time_storing(painted, kept, options, watch)
    time_relaying(painted[0], watch)
    copy_s = watch.median("relay") / painted[0].nbytes
    kept_bytes = frame_bytes(source.info, options.keep, len(options.regions)) - painted[0].nbytes
    costs = FrameCosts(
        motion=watch.median(Stage.MOTION.value),
        paint=paint_seconds(watch),
        blend=watch.median(Stage.BLEND.value),
        decode=watch.mean("decode"),
        cuts=max(0.0, watch.mean("take in") - watch.mean("decode")),
        deal=copy_s * painted[0].nbytes,
        fetch=copy_s * (styles * painted[0].nbytes + kept_bytes),
        store=styles * watch.median("store"),
        encode=styles * watch.mean("encode"),
        shares_encoding=not output.is_folder,
    )
    return Measurement(costs, len(painted), watch.wall_s / max(watch.processor_s, 1e-9))


def paint_seconds(watch: StageTimes) -> float:
    """What painting a frame takes of a rank's time.

    While a device paints a batch, the rank goes on with motion: only what takes longer than that
    counts, and what the rank does for the device.
    """
    on_device = watch.median("batch") - watch.median(Stage.MOTION.value)
    return max(watch.median(Stage.PAINT.value), on_device)


def places(frame_count: int) -> list[int]:
    """The first frames of the places, in order: of a short film fewer places, or only one."""
    fitting = max(1, min(PLACES, frame_count // FRAMES_A_PLACE))
    last = max(0, frame_count - FRAMES_A_PLACE)
    return [last * place // max(1, fitting - 1) for place in range(fitting)]


def _timed_frames(source: VideoSource, watch: StageTimes) -> Iterator[Frame]:
    """The frames of the film, each of which is timed; the first one pays for opening the
    decoder."""
    frames = iter(source)
    for number in itertools.count():
        with watch.timing("decode" if number else "first frame"):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame


def _groups(
    marked: Iterator[tuple[Frame, bool]], frame_count: int, watch: StageTimes
) -> Iterator[list[tuple[Frame, bool]]]:
    """Consecutive frames at each place, and whether each begins a shot; every frame that is read on
    the way is timed."""
    read_s, position = 0.0, 0
    for start in places(frame_count):
        group: list[tuple[Frame, bool]] = []
        while len(group) < FRAMES_A_PLACE:
            before = time.perf_counter()
            with watch.timing("take in" if position else "first frames"):
                item = next(marked, None)
            if item is None:
                break
            read_s += time.perf_counter() - before
            if position >= start or read_s > _READING_LIMIT_S:
                group.append(item)
            position += 1
        if group:
            yield group


def _warm_up(stages: Stages[Any], frames: Sequence[tuple[Frame, bool]]) -> None:
    """Every stage once, as far as the frames go: first calls are slow."""
    first, second = frames[0][0], frames[min(1, len(frames) - 1)]
    batches = _in_batches(stages)
    if batches is not None:
        (painted,) = batches.begin_batch([first.image]).images()
    else:
        painted = paints_alone(stages)(first.image)
    if second[1]:
        return
    motion = stages.motion(second[0].image, first.image, second[0].index)
    if motion is not None:
        stages.blend(painted if batches else stages.paint(second[0].image), painted, motion)


def _in_batches(stages: Stages[Any]) -> BatchStages[Any] | None:
    """The stages, if they paint several frames at a time."""
    return stages if isinstance(stages, BatchStages) and stages.batch_size > 1 else None


def _compute(
    stages: Stages[Any], frames: Sequence[tuple[Frame, bool]], watch: StageTimes, on_gpu: bool
) -> tuple[list[np.ndarray], Motion[Any] | None]:
    """The finished frames of a place, (H, W, 3) uint8 RGB, of the first style, and the motion of
    the last one that has any."""
    recurrent = isinstance(stages, RecurrentStages)
    batch: list[np.ndarray] = []
    if (batches := _in_batches(stages)) is not None:
        batch = _paint_batches(batches, [frame.image for frame, _ in frames], watch)
    finished: list[np.ndarray] = []
    last_motion: Motion[Any] | None = None
    before: Frame | None = None
    for number, (frame, begins) in enumerate(frames):
        motion = None
        if before is not None and not begins:
            with watch.timing("motion"):
                motion = stages.motion(frame.image, before.image, frame.index)
        if batch:
            painted = batch[number]
        else:
            alone = recurrent and motion is None
            with watch.timing("first frame of a shot" if alone else "paint", by_wall_clock=on_gpu):
                painted = (paints_alone(stages) if alone else stages.paint)(frame.image)
        if motion is not None:
            last_motion = motion
            with watch.timing("blend", by_wall_clock=on_gpu and recurrent):
                painted = stages.blend(painted, finished[-1], motion)
        finished.append(painted)
        before = frame
    return [images[0] for images in finished], last_motion


def _paint_batches(
    stages: BatchStages[Any], images: Sequence[np.ndarray], watch: StageTimes
) -> list[np.ndarray]:
    """Paints as a run does on a GPU. A frame is charged "paint", the processor time of this rank,
    and "batch", the time until it is painted."""
    painted: list[np.ndarray] = []
    for first in range(0, len(images), stages.batch_size):
        part = images[first : first + stages.batch_size]
        whole = StageTimes()
        with whole.timing("batch", by_wall_clock=True):
            painted += stages.begin_batch(part).images()
        watch.wall_s += whole.wall_s
        watch.processor_s += whole.processor_s
        # A short batch is filled up: it takes as long as a full one.
        for stage, seconds in (
            ("batch", whole.wall_s),
            ("paint", min(whole.wall_s, whole.processor_s)),
        ):
            watch.seconds.setdefault(stage, []).append(seconds / stages.batch_size)
    return painted
