"""Where frames are painted: the choice of the device, and painting in batches, with the CPU as the
device."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.parallel.engine.engine import Engine
from fastvid.parallel.engine.task import LastFrame, Task
from fastvid.parallel.engine.threads import Failed
from fastvid.parallel.mpi.peer import Peer, local_ranks
from fastvid.stages.interface import Motion, Stage
from fastvid.stages.repaint import Repaint
from fastvid.stages.settings import PictureSettings
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.device import choose_device, rank_device
from fastvid.style.loading import load_frame_model, load_model
from fastvid.style.model import StyleModel, set_threads
from fastvid.style.network import build_network
from support import job_clips

_PATIENCE_S = 30.0
ARCH = "c5s1-8,d12,d16,R16,R16,U2,c3s1-12,U2,c9s1-3"
SETTINGS = PictureSettings(threads=1, processor="any")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets torch believe in GPUs of these names."""

    def believe(*names: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: names[index])

    return believe


def test_auto_takes_a_gpu_if_there_is_one(gpus: Callable[..., None]) -> None:
    gpus()
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    gpus("Painter 9000")
    assert choose_device("auto") == choose_device("cuda") == "Painter 9000"
    assert choose_device("cpu") == "cpu"


def test_a_continued_run_stays_where_it_was_begun(gpus: Callable[..., None]) -> None:
    """Unless it is told to leave; then the run file objects, because the bytes would differ."""
    gpus("Painter 9000")
    assert choose_device("auto", "cpu") == "cpu"
    assert choose_device("cuda", "cpu") == "Painter 9000"


def test_asking_for_a_gpu_without_one(gpus: Callable[..., None]) -> None:
    gpus()
    with pytest.raises(InputError, match=r"--device cuda: .*no CUDA GPU.*\n.*--device cpu"):
        choose_device("cuda")
    with pytest.raises(InputError, match=r"no CUDA GPU.*Painter 9000.*\n.*--device cpu"):
        rank_device("Painter 9000", 0)
    with pytest.raises(InputError, match="--device tpu"):
        replace(StylizeOptions(Path("a"), Path("b")), device="tpu").check()


def test_ranks_of_a_host_take_turns_at_its_gpus(gpus: Callable[..., None]) -> None:
    gpus("Painter", "Painter")
    indices = [rank_device("Painter", local_rank).index for local_rank in range(5)]
    assert indices == [0, 1, 0, 1, 0]
    assert rank_device("cpu", 3) == torch.device("cpu")


def test_another_kind_of_gpu_is_refused(gpus: Callable[..., None]) -> None:
    gpus("Painter", "Sketcher")
    with pytest.raises(InputError, match=r"GPU 1 of .* is Sketcher.*Painter"):
        rank_device("Painter", 1)


def test_local_ranks_count_within_a_host() -> None:
    hosts = ["a", "b", "a", "b", "b", "c"]
    peers = tuple(Peer(rank, host, 1, 1, 1) for rank, host in enumerate(hosts))
    local = local_ranks(peers)
    assert local == [0, 0, 1, 1, 2, 0]


@pytest.fixture(scope="module")
def model() -> StyleModel:
    set_threads(1)
    torch.manual_seed(11)
    return load_frame_model(checkpoint_bytes(ARCH, build_network(ARCH).state_dict(), "t"), "t")


def noise(count: int, height: int = 37, width: int = 52) -> list[np.ndarray]:
    generator = np.random.default_rng(count)
    return [generator.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_batch_is_painted_like_single_frames(model: StyleModel, count: int) -> None:
    """Within a level on the CPU, whose sums are ordered by the batch size."""
    frames = noise(count)
    batch = model.begin(frames, 4).images()
    assert len(batch) == count
    for together, alone in zip(batch, model.paint(frames), strict=True):
        assert together.shape == alone.shape and together.flags["C_CONTIGUOUS"]
        assert np.abs(together.astype(int) - alone).max() <= 1
    assert np.array_equal(model.begin(frames[:1], 1).images()[0], model.paint(frames)[0])


def test_a_frame_does_not_depend_on_its_batch(model: StyleModel) -> None:
    """Not on the other frames in it, not on its place, not on how many there were at hand."""
    frames = noise(5)
    first = model.begin(frames[:4], 4).images()
    assert np.array_equal(model.begin([frames[4], frames[2]], 4).images()[1], first[2])
    assert np.array_equal(model.begin([frames[2]], 4).images()[0], first[2])


def test_numbers_out_of_range_end_the_run() -> None:
    """Weights that are finite, and sums of their products that are not."""
    weights = build_network(ARCH).state_dict()
    *_, last = (key for key, value in weights.items() if value.ndim == 4)
    weights[last].fill_(torch.finfo(torch.float32).max)
    model = load_frame_model(checkpoint_bytes(ARCH, weights, "t"), "t")
    with pytest.raises(InputError, match=r"overflow.*--device cpu"):
        model.begin(noise(1), 1).images()


@pytest.mark.parametrize("keep_colors", [False, True])
def test_stages_paint_in_batches_with_their_looks(keep_colors: bool) -> None:
    settings = replace(SETTINGS, strength=0.7, keep_colors=keep_colors)
    styles = [load_model(job_clips.style_bytes(seed), f"s{seed}") for seed in (3, 4)]
    stages = Repaint(styles, settings, batch_size=3)
    frames = noise(2, 48, 64)
    pending = stages.begin_batch(frames)
    assert pending.ready()
    for together, frame in zip(pending.images(), frames, strict=True):
        alone = stages.paint(frame)
        assert together.shape == alone.shape == (2, 48, 64, 3)
        assert np.abs(together.astype(int) - alone).max() <= 2


class SlowDevice:
    """Stages whose device paints until `release` is set; `log` says what was begun when."""

    batch_size = 3

    def __init__(self) -> None:
        self.log: list[str] = []
        self.release = threading.Event()
        self.error: BaseException | None = None

    def motion(self, frame: np.ndarray, previous: np.ndarray, number: int) -> Motion[None] | None:
        self.log.append(f"motion {frame[0, 0, 0]}")
        return Motion(prepared=None)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        raise AssertionError("frames are painted in batches here")

    def begin_batch(self, frames: list[np.ndarray]) -> "SlowDevice":
        self.log.append("batch " + " ".join(str(frame[0, 0, 0]) for frame in frames))
        self._painted = [frame + 100 for frame in frames]
        return self

    def ready(self) -> bool:
        return self.release.is_set()

    def images(self) -> list[np.ndarray]:
        assert self.release.wait(_PATIENCE_S)
        if self.error is not None:
            raise self.error
        return self._painted

    def blend(self, painted: np.ndarray, previous: np.ndarray, motion: Motion[None]) -> np.ndarray:
        return np.asarray(painted + previous // 10)


def image(value: int) -> np.ndarray:
    return np.full((2, 2, 3), value, np.uint8)


def test_flow_goes_on_while_a_batch_is_painted() -> None:
    """Batches run across segments; each frame gets its own painting, in order."""
    stages = SlowDevice()
    engine = Engine(stages, threading.Event().set)
    engine.add(Task(index=0, start=0, frames=[image(1), image(2)], halo=None))
    engine.add(Task(index=1, start=2, frames=[image(3), image(4)], halo=image(2)))
    assert engine.heavy_frames_left() == 4 and engine.prefetch_frames == 3
    engine.hand_boundary(1, image(50))
    engine.start()
    deadline = threading.Event()
    for _ in range(3000):
        if "motion 4" in stages.log:
            break
        deadline.wait(0.01)
    assert stages.log == ["batch 1 2 3", "motion 2", "motion 3", "motion 4"]
    stages.release.set()
    events = [engine.events.get(timeout=_PATIENCE_S) for _ in range(4)]
    engine.stop()
    tasks = {event.index: event for event in events if isinstance(event, Task)}
    assert [int(frame[0, 0, 0]) for frame in tasks[0].finished] == [101, 102 + 10]
    assert [int(frame[0, 0, 0]) for frame in tasks[1].finished] == [103 + 5, 104 + 10]
    assert sum(isinstance(event, LastFrame) for event in events) == 2
    assert stages.log[4:] == ["batch 4"]
    for task in tasks.values():
        assert task.times[Stage.PAINT].start > 0 and task.times[Stage.PAINT].seconds > 0


def test_a_batch_that_fails_is_named_by_its_frames() -> None:
    stages = SlowDevice()
    stages.error = InputError("no memory")
    stages.release.set()
    engine = Engine(stages, threading.Event().set)
    engine.add(Task(index=5, start=20, frames=[image(1), image(2)], halo=None))
    engine.start()
    event = engine.events.get(timeout=_PATIENCE_S)
    engine.stop()
    assert isinstance(event, Failed)
    assert event.message == "paint of frames 20, 21: no memory" and event.exit_status == 2
