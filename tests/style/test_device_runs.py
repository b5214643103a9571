"""Runs on a device of one's choice, and one that paints several frames at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fastvid.runfile.reader import RunFile
from fastvid.stages.repaint import Repaint
from fastvid.style.loading import load_model
from support import job_clips
from support.job_clips import Clip


def test_a_job_records_its_device(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    output = tmp_path / "out.mkv"
    common = (
        cut_clip.path,
        "-o",
        output,
        "--style",
        tiny_style,
        "--frames",
        ":3",
        "--cuts",
        "none",
        "--threads",
        "1",
        "--progress",
        "none",
    )
    if not torch.cuda.is_available():
        status, text = run_main(*common, "--device", "cuda")
        assert status == 2 and "--device cuda" in text and "Traceback" not in text
        assert not output.exists() and not list(tmp_path.glob("*.h5"))
    status, text = run_main(*common, "--device", "cpu")
    assert status == 0, text
    with RunFile(tmp_path / "out.h5") as run:
        assert run.settings["device"] == "cpu"


def test_a_job_in_batches(
    cut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    """The whole program with a device that paints four frames at a time."""
    import fastvid.job.run
    from fastvid.parallel.setup import JobSetup

    def batch_stages(setup: JobSetup) -> Repaint:
        styles = [
            load_model(data, name)
            for name, data in zip(setup.style_names, setup.styles, strict=True)
        ]
        return Repaint(styles, setup.settings, setup.keep, batch_size=4)

    for name in ("single", "batches"):
        if name == "batches":
            defaults = list(fastvid.job.run.run_job.__defaults__ or ())
            defaults[-1] = batch_stages
            monkeypatch.setattr(fastvid.job.run.run_job, "__defaults__", tuple(defaults))
        status, text = run_main(
            cut_clip.path,
            "-o",
            tmp_path / f"{name}.mkv",
            "--style",
            tiny_style,
            "--cuts",
            cut_clip.cuts_option,
            "--threads",
            "1",
            "--codec",
            "ffv1",
            "--progress",
            "none",
            "--device",
            "cpu",
        )
        assert status == 0, text
    frames = [job_clips.decoded_frames(tmp_path / f"{name}.mkv") for name in ("single", "batches")]
    assert len(frames[0]) == len(frames[1]) == cut_clip.frame_count
    # A level of painting, another of the encoder's colours, and one of rounding in the recursion.
    worst = max(np.abs(a.astype(int) - b).max() for a, b in zip(*frames, strict=True))
    assert worst <= 3
