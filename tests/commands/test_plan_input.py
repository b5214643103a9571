"""A plan where ranks decode for themselves, or read the flow that another run has kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastvid.commands.plan.measure import (
    FRAMES_A_PLACE,
    places,
)
from fastvid.commands.plan.plan import make_plan
from fastvid.commands.plan.report import format_plan
from fastvid.job.options import StylizeOptions
from fastvid.motion.flow_folder import FlowFolder
from fastvid.motion.source import EstimatedMotion
from support import decode_clips, job_clips
from support.job_clips import Clip
from support.plans import options_of


def test_flow_that_is_read_is_not_computed(
    uncut_clip: Clip,
    tiny_style: Path,
    tmp_path: Path,
    run_main: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The files of a run in another style; each frame is given its own."""
    run = tmp_path / "begun.mkv"
    begin = [uncut_clip.path, "-o", run, "--style", tiny_style, "--cuts", "none"]
    assert run_main(*begin, "--keep", "flow,occlusion", "--progress", "none")[0] == 0
    folder = tmp_path / "flow"
    assert run_main("export-flow", run.with_suffix(".h5"), "-o", folder)[0] == 0
    read = []

    def remember(
        flows: FlowFolder, frame: int, height: int, width: int
    ) -> tuple[np.ndarray, np.ndarray]:
        read.append(frame)
        return known(flows, frame, height, width)

    known = FlowFolder.read
    monkeypatch.setattr(FlowFolder, "read", remember)
    monkeypatch.setattr(EstimatedMotion, "__call__", None)
    options = options_of(
        uncut_clip, tiny_style, tmp_path, cuts="none", flow_dir=folder, frames=(2, None)
    )
    plan = make_plan(options, [1])
    assert f"motion: read from {folder}\n" in format_plan(plan, options)
    firsts = places(uncut_clip.frame_count - 2)
    timed = {2 + first + later for first in firsts for later in range(1, FRAMES_A_PLACE)}
    assert timed <= set(read) <= timed | {3}  # 3: the warm-up
    (folder / "backward_5_4.flo").unlink()
    assert (
        run_main(
            "plan",
            uncut_clip.path,
            "-o",
            options.output,
            "--style",
            tiny_style,
            "--cuts",
            "none",
            "--flow-dir",
            folder,
            "--frames",
            "2:",
            "--ranks",
            1,
        )[0]
        == 2
    )


@pytest.fixture(scope="module")
def sparse_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 with one key frame, that ranks can seek in."""
    return decode_clips.write_clip(
        tmp_path_factory.mktemp("sparse") / "sparse.mp4",
        [job_clips.scene(7, number) for number in range(96)],
        options={"qp": "30", "g": "250"},
    )


@pytest.mark.parametrize(("cuts", "once_more"), [("none", 0.0), ("auto", 1.0)])
def test_ranks_that_decode_for_themselves(
    cuts: str, once_more: float, sparse_clip: Path, tiny_style: Path, tmp_path: Path
) -> None:
    options = StylizeOptions(
        sparse_clip,
        tmp_path / "out.mkv",
        style=str(tiny_style),
        cuts=cuts,
        decode="rank0",
        threads=1,
    )
    for_all = make_plan(options, [1, 3])
    local = replace(options, decode="local")
    own = make_plan(local, [1, 3])
    assert for_all.decoded == {}
    # To look for cuts, every frame once, and what lies between the key frame and a rank's part.
    assert own.decoded == {
        1: pytest.approx(1.0 + once_more),
        3: pytest.approx(3.0 + 1.9 * once_more, abs=0.4),
    }
    assert own.rank_bytes > for_all.rank_bytes
    assert "decoding: rank 0 for all\n" in format_plan(for_all, options)
    text = format_plan(own, local)
    assert (
        f"decoding: every rank its own frames (decoded for each that is used: {1 + once_more} at 1"
        in text
    )


def test_auto_reckons_for_each_number_of_ranks(
    sparse_clip: Path, tiny_style: Path, tmp_path: Path
) -> None:
    """Rank 0 decodes, as long as it keeps up and where more ranks would decode too much; for very
    many it could not do it fast enough."""
    options = StylizeOptions(
        sparse_clip,
        tmp_path / "out.mkv",
        style=str(tiny_style),
        cuts="none",
        decode="auto",
        segment_length=2,
    )
    plan = make_plan(options, [1, 4, 25, 100])
    assert list(plan.decoded) == [100]
    text = format_plan(plan, options)
    assert "at 100 ranks); rank 0 for all at 1, 4, 25\n" in text
    assert "note: rank 0 decodes for all ranks: its key frames are far apart, so that 25" in text
