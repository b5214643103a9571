"""What rank 0 does beside computing, timed on some painted frames: encode, store, pass on."""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastvid.commands.plan.stage_times import StageTimes
from fastvid.encode.output import open_encoder
from fastvid.encode.plan import OutputPlan
from fastvid.job.options import StylizeOptions
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import Motion, kept_flow, kept_occlusion

# How often a segment is stored and a frame is passed on, to have a median.
_TIMES = 4


# Rank 0 copies a frame that it sends or receives, and so does MPI.
_RELAY_COPIES = 2


def time_encoding(
    painted: Sequence[np.ndarray], output: OutputPlan, threads: int, watch: StageTimes
) -> None:
    """Encodes the frames as a part of their own; an encoder looks ahead, so all together count."""
    with tempfile.TemporaryDirectory(prefix="fastvid-plan-") as folder:
        step = max(1, round(1 / (output.average_rate * output.time_base)))
        whole = StageTimes()
        with whole.timing("encode"):
            encoder = open_encoder(output, Path(folder) / "part", threads)
            for index, image in enumerate(painted):
                encoder.write(image, index * step, step)
            encoder.close()
    watch.seconds["encode"] = [whole.mean("encode") / len(painted)]


def time_storing(
    painted: Sequence[np.ndarray],
    motion: Motion[Any] | None,
    options: StylizeOptions,
    watch: StageTimes,
) -> None:
    """Stores segments, with what is kept besides of `motion`."""
    height, width = painted[0].shape[:2]
    length = options.segment_length
    flows, occlusions = [], []
    if "flow" in options.keep:
        flows = [kept_flow(motion, painted[0])] * length
    if "occlusion" in options.keep:
        occlusions = [kept_occlusion(motion, painted[0])] * length
    regions = options.regions if "regions" in options.keep else ()
    weights = [np.zeros((len(regions), height, width), np.uint8)] * (length if regions else 0)
    frames = itertools.cycle(painted)
    with tempfile.TemporaryDirectory(prefix="fastvid-plan-") as folder:
        writer = RunWriter.create(
            Path(folder) / "run.h5",
            height,
            width,
            {},
            options.keep,
            options.compression,
            [str(region.mask) for region in regions],
        )
        for number in range(_TIMES):
            start = number * length
            record = SegmentRecord(
                number,
                start,
                start + length,
                0,
                0,
                0,
                "",
                range(start, start + length),
                [1] * length,
                {},
            )
            segment = StageTimes()
            with segment.timing("store"):
                some = list(itertools.islice(frames, length))
                writer.store(record, some, flows, occlusions, weights)
            watch.seconds.setdefault("store", []).append(segment.mean("store") / length)
        writer.close()


def time_relaying(image: np.ndarray, watch: StageTimes) -> None:
    """Passes a frame on, as often as makes a median."""
    for _ in range(_TIMES):
        with watch.timing("relay"):
            for _ in range(_RELAY_COPIES):
                image.copy()
