"""Planning a job: what is measured and said, what is refused."""

import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from fastvid.commands.plan.measure import (
    FRAMES_A_PLACE,
    PLACES,
    measure_film,
    paint_seconds,
    places,
)
from fastvid.commands.plan.plan import make_plan
from fastvid.commands.plan.report import format_plan
from fastvid.commands.plan.stage_times import StageTimes
from fastvid.decode.film import open_source
from fastvid.encode.output import plan_output
from fastvid.job.identity import picture_settings
from fastvid.runfile.writer import RunWriter, SegmentRecord
from fastvid.stages.interface import Stage
from fastvid.stages.repaint import PaintedBatch, Repaint
from fastvid.style.loading import load_style
from support.job_clips import Clip
from support.plans import options_of


def test_a_plan_counts_the_frames_and_foretells_each_number_of_ranks(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    options = options_of(cut_clip, tiny_style, tmp_path, cuts=cut_clip.cuts_option, threads=1)
    plan = make_plan(options, [1, 2, 8])
    assert (plan.frames, plan.size) == (cut_clip.frame_count, (64, 48))
    assert plan.measurement.timed == PLACES * FRAMES_A_PLACE
    costs = plan.measurement.costs
    assert min(costs.motion, costs.paint, costs.blend, costs.decode, costs.encode, costs.store) > 0
    assert [one.ranks for one in plan.forecasts] == [1, 2, 8]
    assert plan.disk_bytes == cut_clip.frame_count * 64 * 48 * 3
    assert plan.rank0_bytes > plan.rank_bytes > 0
    assert all(one.seconds > plan.start_s for one in plan.forecasts)
    text = format_plan(plan, options)
    assert "30 frames of 64x48" in text and "best value: " in text
    assert "as one shot" not in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frames", [(0, 1), (5, 7), (22, None)])
def test_the_shortest_films_can_be_planned(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, frames: tuple[int, int | None]
) -> None:
    options = options_of(uncut_clip, tiny_style, tmp_path, frames=frames)
    plan = make_plan(options, [3])
    assert plan.frames == plan.measurement.timed
    assert plan.threads == 1


def test_frame_by_frame_needs_no_motion(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> None:
    options = options_of(uncut_clip, tiny_style, tmp_path, temporal_strength=0.0)
    costs = make_plan(options, [1]).measurement.costs
    assert costs.blend == 0 and costs.motion < costs.paint


def test_several_styles_cost_several_times(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(tiny_style.read_bytes())
    options = options_of(cut_clip, tiny_style, tmp_path)
    one = make_plan(options, [1])
    both_options = replace(options, style=(str(tiny_style), str(other)))
    both = make_plan(both_options, [1])
    assert one.disk_bytes is not None and both.disk_bytes == 2 * one.disk_bytes
    assert both.rank_bytes > one.rank_bytes and both.rank0_bytes > one.rank0_bytes
    assert both.measurement.costs.fetch > both.measurement.costs.deal
    text = format_plan(both, both_options)
    assert f"styles: {tiny_style}, {other} (2 outputs from one pass)" in text
    assert "the run files" in text
    assert f"style: {tiny_style}\n" in format_plan(one, options)


def test_each_style_is_painted_where_a_run_paints(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """The stages that are timed paint the frame in every style, and not in the main thread."""
    painted = []

    class Counting(Repaint):
        def paint(self, frame: np.ndarray) -> np.ndarray:
            assert threading.current_thread() is not threading.main_thread()
            painted.append(super().paint(frame).shape[0])
            return np.zeros((2, *frame.shape), np.uint8)

    options = options_of(cut_clip, tiny_style, tmp_path)
    models = [load_style(str(tiny_style))] * 2
    with open_source(str(cut_clip.path)) as source:
        output = plan_output(options.output, info=source.info, source=options.input)
        measure_film(
            options, 1, source, Counting(models, picture_settings(options, threads=1)), output
        )
    assert painted and set(painted) == {2}


def test_what_is_kept_costs_memory_disk_and_rank_0(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    options = options_of(uncut_clip, tiny_style, tmp_path, cuts="none")
    keeping = replace(options, keep=("flow", "occlusion"))
    without, kept = (make_plan(one, [1]) for one in (options, keeping))
    assert without.disk_bytes is not None and kept.disk_bytes == 4 * without.disk_bytes
    assert kept.rank_bytes > without.rank_bytes
    costs = kept.measurement.costs
    assert costs.fetch == pytest.approx(4 * costs.deal)
    assert "motion: dis-medium; flow and occlusion kept\n" in format_plan(kept, keeping)
    assert "motion: dis-medium\n" in format_plan(without, options)


def test_kept_flow_is_stored_where_storing_is_timed(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = []

    def store(
        writer: RunWriter,
        record: SegmentRecord,
        frames: Sequence[np.ndarray],
        flows: Sequence[np.ndarray] = (),
        occlusions: Sequence[np.ndarray] = (),
        weights: Sequence[np.ndarray] = (),
    ) -> None:
        assert not weights
        stored.append((len(frames), len(flows), len(occlusions), {one.dtype.name for one in flows}))

    monkeypatch.setattr(RunWriter, "store", store)
    make_plan(options_of(uncut_clip, tiny_style, tmp_path, keep=("flow",), segment_length=5), [1])
    assert set(map(str, stored)) == {"(5, 5, 0, {'float32'})"}


class InBatches(Repaint):
    """The CPU in a GPU's place."""

    begun: ClassVar[list[int]] = []

    def paint(self, frame: np.ndarray) -> np.ndarray:
        raise AssertionError("frames are painted in batches here")

    def begin_batch(self, frames: Sequence[np.ndarray]) -> PaintedBatch:
        self.begun.append(len(frames))
        return super().begin_batch(frames)


@pytest.mark.parametrize(
    "motion_s, batch_s, host_s, charged",
    [(0.02, 0.05, 0.001, 0.03), (0.02, 0.01, 0.001, 0.001), (0.0, 0.05, 0.001, 0.05)],
)
def test_a_gpu_paints_while_the_flow_is_computed(
    motion_s: float, batch_s: float, host_s: float, charged: float
) -> None:
    """A frame takes a rank what is longer: painting, or motion and what painting takes of it."""
    watch = StageTimes(
        {Stage.MOTION.value: [motion_s], "batch": [batch_s], Stage.PAINT.value: [host_s]}
    )
    assert paint_seconds(watch) == pytest.approx(charged)


def test_frames_are_timed_in_batches_where_a_run_paints_so(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(cut_clip, tiny_style, tmp_path, cuts="none")
    stages = InBatches(
        [load_style(str(tiny_style))], picture_settings(options, threads=1), batch_size=3
    )
    with open_source(str(cut_clip.path)) as source:
        output = plan_output(options.output, info=source.info, source=options.input)
        measurement = measure_film(options, 1, source, stages, output, on_gpu=True)
    assert stages.begun[1:] == PLACES * [3, 1]  # the first one warms up
    assert measurement.timed == PLACES * FRAMES_A_PLACE and measurement.costs.paint > 0


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_plan_on_a_gpu_says_so_and_asks_for_it(
    device: str,
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Painter 9000")
    monkeypatch.setattr("fastvid.style.device.rank_device", lambda name, rank: torch.device("cpu"))
    options = options_of(uncut_clip, tiny_style, tmp_path, device=device)
    plan = make_plan(options, [4])
    assert plan.settings.device == "Painter 9000" and plan.gpus == 2
    text = format_plan(plan, options)
    assert "painting on: Painter 9000, 2 here; 1 thread a rank\n" in text
    assert "a GPU for each rank" in text
    script = tmp_path / "gpu.sbatch"
    assert (
        run_main(
            "plan",
            uncut_clip.path,
            "--style",
            tiny_style,
            "-o",
            options.output,
            "--device",
            device,
            "--ranks",
            4,
            "--script",
            script,
        )[0]
        == 0
    )
    assert "#SBATCH --gres=gpu:2\n" in script.read_text()
    assert "--device=cuda" in script.read_text()


@pytest.mark.parametrize(
    "more, line",
    [
        ({}, "encoding: libx264, crf 18, preset medium\n"),
        ({"codec": "ffv1"}, "encoding: ffv1\n"),
        (
            {"codec": "libx265", "crf": 25.5, "preset": "fast"},
            "encoding: libx265, crf 25.5, preset fast\n",
        ),
        ({"temporal_strength": 0.0}, "motion: none, frame by frame\n"),
        ({"flow": "farneback", "flow_scale": 0.5}, "motion: farneback at 0.5 of the size\n"),
        ({"threads": 2, "device": "cpu"}, "painting on: CPU; 2 threads a rank\n"),
    ],
)
def test_a_plan_says_what_it_reckoned_with(
    more: dict[str, Any],
    line: str,
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
) -> None:
    options = options_of(uncut_clip, tiny_style, tmp_path, frames=(0, 3), **more)
    assert line in format_plan(make_plan(options, [1]), options)


@pytest.mark.parametrize(
    "count, firsts",
    [
        (1, [0]),
        (3, [0]),
        (4, [0]),
        (7, [0]),
        (8, [0, 4]),
        (23, [0, 6, 12, 19]),
        (1000, [0, 332, 664, 996]),
    ],
)
def test_places_are_spread_and_never_overlap(count: int, firsts: list[int]) -> None:
    assert places(count) == firsts


def test_stage_times_give_the_middle_and_the_mean() -> None:
    watch = StageTimes({"paint": [1.0, 2.0, 9.0]})
    assert (watch.median("paint"), watch.mean("paint")) == (2.0, 4.0)
    assert (watch.median("blend"), watch.mean("blend")) == (0.0, 0.0)
    with watch.timing("wait"):
        subprocess.run(["sleep", "0.1"], check=True)
    # Waiting takes no processor time.
    assert watch.wall_s > 0.09 > watch.median("wait")


def test_the_source_says_how_many_frames_there_are(uncut_clip: Clip) -> None:
    """What the forecast multiplies with."""
    with open_source(str(uncut_clip.path)) as source:
        assert source.frame_count == uncut_clip.frame_count
