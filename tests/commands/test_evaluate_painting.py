"""`evaluate --painting` on a finished run."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.__main__ import main
from fastvid.commands.evaluate.likeness import Likeness, likeness, mean_likeness
from fastvid.commands.evaluate.run import LIKENESS_FRAMES
from fastvid.runfile.reader import RunFile
from fastvid.style.lossnet import load_loss_network
from support import job_clips
from support.job_clips import Clip
from support.loss_networks import vgg_npz


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    path = tmp_path / "painting.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (90, 80, 3), np.uint8))
    return path


def test_a_run_is_compared_with_a_painting(
    uncut_clip: Clip,
    tiny_style: Path,
    painting: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    run_main: Callable[..., tuple[int, str]],
) -> None:
    """The figures are those of frames spread over the run, whatever else is printed."""
    output = tmp_path / "out.mkv"
    loss_network, _ = vgg_npz(tmp_path / "v.npz")
    options = ("--cuts", "none", "--codec", "ffv1", "--threads", "1", "--frames", "0:6")
    assert run_main(uncut_clip.path, "-o", output, "--style", tiny_style, *options)[0] == 0
    capfd.readouterr()
    command = ["evaluate", str(tmp_path / "out.h5"), str(uncut_clip.path), "--no-painting"]
    more = ["--judge", "farneback", "--threads", "1", "--painting", str(painting)]
    assert main([*command, *more, "--loss-network", loss_network, "--json"]) == 0
    found = json.loads(capfd.readouterr().out)["likeness"]
    films, network = job_clips.decoded_frames(uncut_clip.path), load_loss_network(loss_network)
    picture = cv2.imread(str(painting))
    assert picture is not None
    with RunFile(tmp_path / "out.h5") as run:
        chosen = {round(place) for place in np.linspace(0, 5, LIKENESS_FRAMES)}
        pairs = [(films[index], run.frame(index)) for index in sorted(chosen)]
    expected = [
        likeness(
            network,
            np.ascontiguousarray(film[..., ::-1]),
            np.ascontiguousarray(result[..., ::-1]),
            np.asarray(picture),
        )
        for film, result in pairs
    ]
    assert found["style_error"] == pytest.approx(np.mean([one.style_error for one in expected]))
    assert found["content_kept"] == pytest.approx(np.mean([one.content_kept for one in expected]))
    assert main([*command, *more, "--loss-network", loss_network]) == 0
    assert "style error" in capfd.readouterr().out
    assert main([*command, *more]) == 2
    assert "--loss-network" in capfd.readouterr().err


def test_the_mean_of_figures_is_that_of_each() -> None:
    one = Likeness(0.1, 0.5, (1.0, 2.0), (3.0, 4.0))
    other = Likeness(0.3, 0.7, (3.0, 6.0), (5.0, 0.0))
    found = mean_likeness([one, other])
    assert found.style_error == pytest.approx(0.2) and found.content_kept == pytest.approx(0.6)
    assert found.texture == (2.0, 4.0) and found.colour == (4.0, 2.0)
