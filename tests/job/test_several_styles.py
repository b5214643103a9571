"""Several styles in one run give what as many single runs give, also when the run is continued."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import run_fastvid
from support.run_files import stored_frames

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def two_styles(material: Path) -> list[Path]:
    paths = [material / "first.pt", material / "second.pt"]
    for seed, path in enumerate(paths, start=5):
        path.write_bytes(job_clips.style_bytes(seed))
    return paths


def test_each_style_is_what_it_would_be_alone(
    cut_clip: Clip, two_styles: list[Path], tmp_path: Path
) -> None:
    finished = run_fastvid(
        cut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        two_styles[0],
        "--style",
        two_styles[1],
        "--cuts",
        cut_clip.cuts_option,
        "--codec",
        "ffv1",
        ranks=3,
    )
    assert finished.status == 0, finished.stderr
    films = job_clips.decoded_frames(cut_clip.path)
    for path in two_styles:
        expected = oracle.repaint(films, cut_clip.cuts, load_style(str(path)))
        assert np.array_equal(stored_frames(tmp_path / f"out.{path.stem}.h5"), expected)
        output = tmp_path / f"out.{path.stem}.mkv"
        assert np.array_equal(job_clips.decoded_frames(output), expected)
        assert job_clips.audio_packets(output) == job_clips.audio_packets(cut_clip.path)
    assert not (tmp_path / "out.mkv").exists()


def test_a_style_that_is_complete_is_left_alone(
    cut_clip: Clip,
    two_styles: list[Path],
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    common = [cut_clip.path, "--cuts", cut_clip.cuts_option, "--codec", "ffv1"]
    alone = [*common, "-o", tmp_path / "out.first.mkv", "--style", two_styles[0], "--threads", "1"]
    status, said = run_main(*alone)
    assert status == 0, said
    before = (tmp_path / "out.first.mkv").stat().st_mtime_ns
    both = run_fastvid(
        *common,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        two_styles[0],
        "--style",
        two_styles[1],
        ranks=2,
    )
    assert both.status == 0, both.stderr
    assert (tmp_path / "out.first.mkv").stat().st_mtime_ns == before
    expected = oracle.repaint(
        job_clips.decoded_frames(cut_clip.path), cut_clip.cuts, load_style(str(two_styles[1]))
    )
    assert np.array_equal(stored_frames(tmp_path / "out.second.h5"), expected)


def test_two_styles_of_one_name_are_refused() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), style=("a/x.pt", "b/x.pt"))
    with pytest.raises(InputError, match="called x"):
        options.places(["x", "x"])
