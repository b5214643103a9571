"""Small run files and what is stored in them."""

import json
from pathlib import Path

import numpy as np

from fastvid.runfile import layout
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import STAGES

HEIGHT, WIDTH = 24, 32


ATTRIBUTES = {
    "settings": json.dumps({"flow": "dis-medium"}),
    "time_base": [1, 1000],
    "average_rate": [25, 1],
    "frame_count": 10,
}


def frame(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def record(index: int, start: int, stop: int, shot: int = 0, shot_start: int = 0) -> SegmentRecord:
    times = {f"{stage.value}_{what}": 0.5 for stage in STAGES for what in ("start", "seconds")}
    return SegmentRecord(
        index,
        start,
        stop,
        shot,
        shot_start,
        rank=3,
        host="node7",
        pts=[40 * i for i in range(start, stop)],
        durations=[40] * (stop - start),
        times=times,
    )


def store(writer: RunWriter, index: int, start: int, stop: int, **shot: int) -> None:
    writer.store(record(index, start, stop, **shot), [frame(i) for i in range(start, stop)])


def create(path: Path, keep: tuple[str, ...] = (), compression: str = "none") -> RunWriter:
    return RunWriter.create(path, HEIGHT, WIDTH, ATTRIBUTES, keep, compression)


def create_version_one(path: Path) -> RunWriter:
    """A run file as it was before there was a journal."""
    with layout.create(path, HEIGHT, WIDTH, ()) as file:
        del file[layout.JOURNAL]
        for name, value in {**ATTRIBUTES, "format_version": 1, "complete": False}.items():
            layout.set_attribute(file, name, value)
    return RunWriter(path, None, "none")


def stored_frames(path: Path) -> np.ndarray:
    """All frames of a run file that is complete."""
    with RunFile(path) as run:
        assert run.complete and run.stored.all()
        return np.stack([run.frame(index) for index in range(run.frame_count)])
