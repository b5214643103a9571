"""Threads that wait for work keep nothing of what they have done."""

import gc
import threading
import weakref
from pathlib import Path

import numpy as np

from fastvid.encode.encoded_parts import EncodedParts
from fastvid.encode.encoder_thread import EncoderThread
from fastvid.encode.output import plan_output
from fastvid.parallel.engine.threads import Step, StepThread
from fastvid.runfile.run_id import RunId
from support.encode_clips import info_of

PATIENCE_S = 60.0


class Segment:
    """Stands for frames."""

    def work(self) -> None:
        """Takes no time."""


def test_a_waiting_thread_keeps_no_segment() -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()
    steps: list[Step] = []

    def next_step(thread: StepThread) -> Step | None:
        asked.release()
        if steps:
            return steps.pop()
        go_on.wait(PATIENCE_S)
        return None

    segment = Segment()
    steps.append(Step("work", segment.work))
    kept = weakref.ref(segment)
    thread = StepThread(next_step, lambda failed: None)
    thread.start()
    assert asked.acquire(timeout=PATIENCE_S) and asked.acquire(timeout=PATIENCE_S)
    del segment
    gc.collect()
    assert kept() is None
    go_on.set()
    thread.join()


class Part:
    """Encodes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.written = threading.Semaphore(0)

    def write(self, image: np.ndarray, pts: int, duration: int) -> None:
        self.written.release()

    def close(self) -> None:
        self._path.touch()

    def abort(self) -> None:
        """Nothing was written."""


class Image(np.ndarray):
    """An array of which one can see that it is gone."""


def test_a_waiting_encoder_keeps_no_frame(tmp_path: Path) -> None:
    plan = plan_output(tmp_path / "out.mkv", info=info_of(2, 2), codec="ffv1")
    parts = EncodedParts(plan)
    parts.take_over(lambda start, stop: True, RunId("a run", tmp_path / "out.h5"))
    part = Part(parts.folder / "open")
    errors: list[BaseException] = []
    encoder = EncoderThread(parts, 1, errors.append, open_part=lambda *_: part)
    encoder.start()
    image = np.zeros((2, 2, 3), np.uint8).view(Image)
    kept = weakref.ref(image)
    encoder.put(0, image, 0, 40)
    del image
    assert part.written.acquire(timeout=PATIENCE_S)
    for _ in range(int(PATIENCE_S / 0.01)):
        if kept() is None:
            break
        threading.Event().wait(0.01)
    assert kept() is None
    encoder.finish()
    assert not errors and parts.next_frame == 1
