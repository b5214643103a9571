"""Jobs that read a copy of their film on the host's own disk (--stage-to)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from support import job_clips
from support.job_clips import Clip
from support.launching import run_fastvid


def command(clip: Clip, style: Path, output: Path) -> list[object]:
    return [clip.path, "-o", output, "--style", style, "--cuts", "none", "--codec", "ffv1"]


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "decode"), [(1, "rank0"), (3, "local")])
def test_the_same_film_from_a_copy(
    ranks: int,
    decode: str,
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
) -> None:
    """It is the same run: begun without a copy, it is continued with one."""
    scratch, output = tmp_path / "scratch", tmp_path / "out.mkv"
    scratch.mkdir()
    words = [*command(uncut_clip, tiny_style, output), "--threads", "1"]
    more = ["--stage-to", scratch, "--decode", decode]
    finished = run_fastvid(*words, *more, ranks=ranks)
    assert finished.status == 0, finished.stderr
    assert not list(scratch.iterdir())
    plain = tmp_path / "plain.mkv"
    assert run_main(*command(uncut_clip, tiny_style, plain), "--threads", "1")[0] == 0
    assert np.array_equal(job_clips.decoded_frames(output), job_clips.decoded_frames(plain))
    with RunFile(tmp_path / "out.h5") as run:
        assert run.attributes["input"] == str(uncut_clip.path)
    status, said = run_main(*words)
    assert status == 0 and "complete" in said


def test_a_folder_that_is_not_there(uncut_clip: Clip, tiny_style: Path, tmp_path: Path) -> None:
    words = command(uncut_clip, tiny_style, tmp_path / "out.mkv")
    refused = run_fastvid(*words, "--stage-to", tmp_path / "missing")
    assert refused.status == 2
    assert "--stage-to" in refused.stderr and "no such folder" in refused.stderr
    assert not list(tmp_path.iterdir())
