"""Recurrent models in stretches: the same bytes on any number of ranks, whatever is interrupted."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from fastvid.job.opening import check_kind
from fastvid.job.options import StylizeOptions
from fastvid.parallel.segments import Segment
from fastvid.parallel.stretches import cut_into_stretches
from fastvid.runfile.reader import RunFile
from fastvid.stages.overlap import Break, Overlap, mark_stretches, seams
from fastvid.stages.seam_report import SeamReport
from fastvid.style.loading import load_model, load_recurrent
from support import job_clips, recurrent_oracle
from support.job_clips import Clip
from support.launching import TIMEOUT_S, RunningJob, run_program, stored_count
from support.places import PROGRAMS

# Two seams in the uncut clip of 23 frames, the last stretch of which is longer than a stretch; one
# in the last shot of the cut clip, none in its first two.
SMALL = Overlap(segment=8, warm_up=3, recompute=3, fade=2, tolerance=0.0)
# With these the pasts count as met after one or three frames, which depends on the model.
TOLERANT = Overlap(segment=7, warm_up=2, recompute=4, fade=1, tolerance=33.0)


def film(length: int, cuts: tuple[int, ...] = ()) -> list[tuple[Frame, bool]]:
    image = np.zeros((1, 1, 3), np.uint8)
    return [(Frame(index, image, index, 1), index in cuts) for index in range(length)]


@pytest.mark.parametrize("length", [1, 8, 13, 14, 15, 21, 22, 23, 60])
def test_where_stretches_begin(length: int) -> None:
    """None is too short for its correction; what is left joins the last."""
    marked = list(mark_stretches(film(length), SMALL))
    assert [frame.index for frame, _ in marked] == list(range(length))
    starts = [frame.index for frame, begins in marked if begins is Break.STRETCH]
    assert marked[0][1] is Break.SHOT and starts == list(seams(0, length, SMALL))
    bounds = [0, *starts, length]
    lengths = [two - one for one, two in pairwise(bounds)]
    assert all(one == 8 for one in lengths[:-1])
    assert len(lengths) == 1 or SMALL.seam_frames <= lengths[-1] < 8 + SMALL.seam_frames


def test_stretches_do_not_cross_cuts() -> None:
    marked = mark_stretches(film(50, cuts=(20, 21, 40)), SMALL)
    found = {frame.index: begins.name for frame, begins in marked if begins is not Break.NOTHING}
    assert found == {0: "SHOT", 8: "STRETCH", 20: "SHOT", 21: "SHOT", 29: "STRETCH", 40: "SHOT"}


def numbers(frames: tuple[Frame, ...]) -> list[int]:
    return [frame.index for frame in frames]


def test_segments_of_stretches() -> None:
    """Each frame is in one segment; the first of a stretch brings its warm-up along, and is as long
    as what waits for its correction."""
    found: list[Segment] = list(cut_into_stretches(film(34, cuts=(3,)), 5, SMALL))
    assert [numbers(one.frames) for one in found] == [
        [0, 1, 2],
        [3, 4, 5, 6, 7],
        [8, 9, 10],
        [11, 12, 13, 14, 15, 16],
        [17, 18],
        [19, 20, 21, 22, 23, 24],
        [25, 26],
        [27, 28, 29, 30, 31, 32],
        [33],
    ]
    assert [one.group for one in found] == [0, 1, 1, 3, 3, 5, 5, 7, 7]
    assert [one.index for one in found] == list(range(9))
    assert [one.shot for one in found] == [0] + 8 * [1]
    assert [one.shot_start for one in found] == [0] + 8 * [3]
    assert {one.index: numbers(one.warm_up) for one in found if one.warm_up} == {
        3: [8, 9, 10],
        5: [16, 17, 18],
        7: [24, 25, 26],
    }
    assert [one.halo.index if one.halo else None for one in found] == [
        None,
        None,
        7,
        None,
        16,
        None,
        24,
        None,
        32,
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"overlap_segment": 20}, "--overlap-segment 20 is too short"),
        ({"overlap_warm_up": 0}, "--overlap-warm-up 0"),
        ({"overlap_recompute": 0}, "--overlap-recompute 0"),
        ({"overlap_fade": -1}, "--overlap-fade -1"),
        ({"overlap_tolerance": -0.5}, "--overlap-tolerance -0.5"),
        ({"overlap_warm_up": 121}, "at least 121 frames"),
    ],
)
def test_settings_out_of_range(values: dict[str, float], words: str) -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), pipeline="overlap", **values)
    with pytest.raises(InputError, match=words):
        options.check()


def test_settings_of_the_other_pipeline() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), overlap_warm_up=4)
    with pytest.raises(InputError, match="--overlap-warm-up is for --pipeline overlap"):
        options.check()
    replace(options, pipeline="overlap").check()


def test_frame_models_do_not_overlap() -> None:
    options = StylizeOptions(Path("in.mp4"), Path("out.mp4"), pipeline="overlap")
    check_kind(options, [load_model(job_clips.recurrent_bytes(), "mine")])
    with pytest.raises(InputError, match="tiny paints every frame on its own"):
        check_kind(options, [load_model(job_clips.style_bytes(), "tiny")])


def test_seams_are_measured_against_the_rest() -> None:
    report = SeamReport(seam_frames=2)
    assert report.describe() is None
    report.add(0, [float("nan"), 2.0, 2.0, 4.0])
    report.add_seam(4)
    report.add_seam(8)
    report.add(4, [3.0, 5.0, 2.0, 2.0])
    report.add(8, [2.0, 2.0, 2.0])
    assert report.describe() == (
        "2 seams: temporal error 1.50 times the median elsewhere (2.00 at the worst)"
    )


@pytest.fixture(scope="module")
def model_path(material: Path) -> Path:
    path = material / "recurrent.pt"
    path.write_bytes(job_clips.recurrent_bytes())
    return path


@pytest.fixture(scope="module")
def other_path(material: Path) -> Path:
    path = material / "other.pt"
    path.write_bytes(job_clips.recurrent_bytes(seed=4))
    return path


def arguments(overlap: Overlap) -> list[str]:
    words = ["--pipeline", "overlap"]
    for name in ("segment", "warm_up", "recompute", "fade", "tolerance"):
        words += [f"--overlap-{name.replace('_', '-')}", str(getattr(overlap, name))]
    return words


def stored_frames(path: Path) -> np.ndarray:
    with RunFile(path) as run:
        assert run.complete and run.stored.all()
        return np.stack([run.frame(index) for index in range(run.frame_count)])


@pytest.fixture(scope="module")
def expected(
    cut_clip: Clip, uncut_clip: Clip, model_path: Path, other_path: Path
) -> dict[str, np.ndarray]:
    model, other = (
        load_recurrent(path.read_bytes(), path.stem) for path in (model_path, other_path)
    )
    cut, uncut = (job_clips.decoded_frames(clip.path) for clip in (cut_clip, uncut_clip))
    return {
        "cut": recurrent_oracle.overlapped(cut, cut_clip.cuts, model, SMALL),
        "uncut": recurrent_oracle.overlapped(uncut, (), model, SMALL),
        "tolerant.recurrent": recurrent_oracle.overlapped(uncut, (), model, TOLERANT),
        "tolerant.other": recurrent_oracle.overlapped(uncut, (), other, TOLERANT),
    }


def test_the_oracle_corrects(
    uncut_clip: Clip, model_path: Path, expected: dict[str, np.ndarray]
) -> None:
    """Otherwise equal results would say little."""
    model = load_recurrent(model_path.read_bytes(), "recurrent")
    frames = job_clips.decoded_frames(uncut_clip.path)
    exact = recurrent_oracle.repaint(frames, (), model)
    same = [bool(np.array_equal(*pair)) for pair in zip(exact, expected["uncut"])]
    # The first stretch, and what is recomputed behind it; then nothing is the same.
    assert same == [True] * 11 + [False] * 12
    strict = recurrent_oracle.overlapped(frames, (), model, replace(TOLERANT, tolerance=0.0))
    assert not np.array_equal(expected["tolerant.recurrent"], strict)


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_same_bytes_on_any_number_of_ranks(
    ranks: int,
    cut_clip: Clip,
    uncut_clip: Clip,
    model_path: Path,
    other_path: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    """And of a style the same as it has alone."""
    common = ["--style", str(model_path), "--threads", "1", "--codec", "ffv1"]
    uncut = ["stylize", str(uncut_clip.path), "--cuts", "none", *common]
    jobs = [
        [
            "stylize",
            str(cut_clip.path),
            "--cuts",
            cut_clip.cuts_option,
            *common,
            *arguments(SMALL),
            "-o",
            str(tmp_path / "cut.mkv"),
        ],
        [
            *uncut,
            *arguments(SMALL),
            "--segment-length",
            "5",
            "-o",
            str(tmp_path / "uncut.mkv"),
            "--keep",
            "flow",
        ],
        [
            *uncut,
            *arguments(TOLERANT),
            "--segment-length",
            "16",
            "--decode",
            "local",
            "--style",
            str(other_path),
            "-o",
            str(tmp_path / "tolerant.mkv"),
        ],
    ]
    table = tmp_path / "jobs.json"
    table.write_text(json.dumps(jobs))
    finished = run_program([PROGRAMS / "several_jobs.py"], [table], ranks=ranks)
    assert finished.status == 0, finished.stderr
    assert "2 seams: temporal error" in finished.stderr
    for name, frames in expected.items():
        assert np.array_equal(stored_frames(tmp_path / f"{name}.h5"), frames), name


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("ranks", "ranks_afterwards", "frames", "discard"),
    [(1, 2, 3, False), (2, 1, 9, False), (3, 3, 6, False), (2, 2, 9, True)],
)
def test_killed_and_continued(
    ranks: int,
    ranks_afterwards: int,
    frames: int,
    discard: bool,
    uncut_clip: Clip,
    model_path: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    """Also with segments of another length, and without the frames that are encoded already."""
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        *arguments(SMALL),
    ]
    command += ["--discard-frames"] if discard else []
    parts = {"part_frames": 5}
    slow = json.dumps([{"stage": "blend", "sleep": 0.06}, parts])
    with RunningJob(
        [PROGRAMS / "patched.py"],
        [slow, *command, "--segment-length", "3", "--threads", "1"],
        ranks=ranks,
    ) as job:
        deadline = time.monotonic() + TIMEOUT_S
        while stored_count(tmp_path / "out.h5") < frames:
            assert not job.ended() and time.monotonic() < deadline
            time.sleep(0.01)
        job.kill()
    stored = stored_count(tmp_path / "out.h5")
    assert frames <= stored < uncut_clip.frame_count
    finished = run_program(
        [PROGRAMS / "patched.py"],
        [json.dumps([parts]), *command, "--segment-length", "2", "--threads", "1"],
        ranks=ranks_afterwards,
    )
    assert finished.status == 0, finished.stderr
    if not discard:
        assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["uncut"])
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "out.mkv"), expected["uncut"])


@pytest.mark.mpi
def test_a_signal_stops_in_good_order(
    uncut_clip: Clip, model_path: Path, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Stretches that wait for a past that does not come any more do not hold that up."""
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--threads",
        "1",
        *arguments(SMALL),
    ]
    slow = json.dumps([{"stage": "blend", "sleep": 0.3}])
    with RunningJob([PROGRAMS / "patched.py"], [slow, *command, "--grace", "2"], ranks=2) as job:
        deadline = time.monotonic() + TIMEOUT_S
        while stored_count(tmp_path / "out.h5") < 3:
            assert not job.ended() and time.monotonic() < deadline
            time.sleep(0.01)
        job.terminate()
        stopped = job.wait()
    assert "stopped by SIGTERM" in stopped.stderr
    finished = run_program([PROGRAMS / "patched.py"], ["[]", *command], ranks=0)
    assert finished.status == 0, finished.stderr
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["uncut"])


def test_other_stretches_are_another_run(
    uncut_clip: Clip, model_path: Path, tmp_path: Path, run_main: Callable[..., tuple[int, str]]
) -> None:
    command = [
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--frames",
        "0:8",
        "--threads",
        "1",
    ]
    assert run_main(*command, *arguments(SMALL))[0] == 0
    (tmp_path / "out.mkv").unlink()
    status, message = run_main(*command)
    assert status == 2 and "--pipeline was overlap, is exact" in message
    status, message = run_main(*command, *arguments(TOLERANT))
    assert status == 2 and "--overlap-segment was 8, is 7" in message


def test_evaluation_tells_of_seams(
    uncut_clip: Clip,
    model_path: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    run_main: Callable[..., tuple[int, str]],
) -> None:
    from fastvid.__main__ import main

    status, message = run_main(
        uncut_clip.path,
        "-o",
        tmp_path / "out.mkv",
        "--style",
        model_path,
        "--cuts",
        "none",
        "--codec",
        "ffv1",
        "--threads",
        "1",
        *arguments(SMALL),
    )
    assert status == 0 and "2 seams: temporal error" in message
    assert (
        main(
            [
                "evaluate",
                str(tmp_path / "out.h5"),
                str(uncut_clip.path),
                "--no-painting",
                "--judge",
                "farneback",
                "--threads",
                "1",
                "--json",
            ]
        )
        == 0
    )
    ratios = json.loads(capfd.readouterr().out)["seam_ratios"]
    assert len(ratios) == 2 and all(0.3 < ratio < 3 for ratio in ratios)
