"""The result does not depend on how many ranks computed it, nor on how the video was cut up."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from fastvid.runfile.reader import RunFile
from fastvid.style.loading import load_style
from support import job_clips, oracle
from support.job_clips import Clip
from support.launching import run_fastvid, run_program
from support.places import PROGRAMS
from support.run_files import stored_frames

pytestmark = pytest.mark.mpi

RANKS = (1, 2, 3, 7)
# On so many ranks the temporal pass takes bands of some rows.
BANDED_RANKS = (3, 7)
BAND_PX = 64 * 9
# (--segment-length, --lookahead)
DEALINGS = ((1, 4), (3, 4), (4, 4), (16, 4), (4, 1), (1, 1))
CLIPS = ("cut", "uncut")


@pytest.fixture(scope="module")
def clips(cut_clip: Clip, uncut_clip: Clip) -> dict[str, Clip]:
    return {"cut": cut_clip, "uncut": uncut_clip}


@pytest.fixture(scope="module")
def expected(clips: dict[str, Clip], tiny_style: Path) -> dict[str, np.ndarray]:
    """What the plain loop makes of each clip."""
    style = load_style(str(tiny_style))
    return {
        name: oracle.repaint(job_clips.decoded_frames(clip.path), clip.cuts, style)
        for name, clip in clips.items()
    }


def run_path(folder: Path, clip: str, length: int, lookahead: int) -> Path:
    return folder / f"{clip}-{length}-{lookahead}.h5"


def output_path(folder: Path, clip: str, length: int, lookahead: int) -> Path:
    """MP4 has no milliseconds of its own: uneven times must survive it."""
    return run_path(folder, clip, length, lookahead).with_suffix(
        {"cut": ".mkv", "uncut": ".mp4"}[clip]
    )


@pytest.fixture(scope="module")
def all_runs(
    clips: dict[str, Clip], tiny_style: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Path]:
    """Makes the runs of all clips and dealings on so many ranks, once; returns their folder."""
    made: dict[int, Path] = {}

    def runs(ranks: int) -> Path:
        if ranks in made:
            return made[ranks]
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        jobs = []
        for name in CLIPS:
            for length, lookahead in DEALINGS:
                output = output_path(folder, name, length, lookahead)
                jobs.append(
                    [
                        "stylize",
                        str(clips[name].path),
                        "-o",
                        str(output),
                        "--style",
                        str(tiny_style),
                        "--cuts",
                        clips[name].cuts_option,
                        "--segment-length",
                        str(length),
                        "--lookahead",
                        str(lookahead),
                        "--threads",
                        "1",
                        "--codec",
                        "ffv1",
                    ]
                )
        table = folder / "jobs.json"
        table.write_text(json.dumps(jobs))
        bands = {"FASTVID_TEST_BAND_PX": str(BAND_PX)} if ranks in BANDED_RANKS else {}
        finished = run_program([PROGRAMS / "several_jobs.py"], [table], ranks=ranks, env=bands)
        assert finished.status == 0, finished.stderr
        (folder / "stderr").write_text(finished.stderr)
        made[ranks] = folder
        return folder

    return runs


def test_the_oracle_paints_and_steadies(
    clips: dict[str, Clip], expected: dict[str, np.ndarray], tiny_style: Path
) -> None:
    """Otherwise equal results would say nothing."""
    frames = job_clips.decoded_frames(clips["cut"].path)
    frame_by_frame = oracle.repaint(frames, clips["cut"].cuts, load_style(str(tiny_style)), 0.0)
    steadied = expected["cut"]
    assert steadied.std() > 5 and not np.array_equal(steadied, np.stack(frames))
    for index in range(len(frames)):
        begins_shot = index in (0, *clips["cut"].cuts)
        assert np.array_equal(steadied[index], frame_by_frame[index]) == begins_shot


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("ranks", RANKS)
def test_frames_equal_the_plain_loop(
    ranks: int, clip: str, all_runs: Callable[[int], Path], expected: dict[str, np.ndarray]
) -> None:
    folder = all_runs(ranks)
    for length, lookahead in DEALINGS:
        frames = stored_frames(run_path(folder, clip, length, lookahead))
        assert np.array_equal(frames, expected[clip]), (
            f"segments of {length}, lookahead {lookahead}"
        )


@pytest.mark.parametrize("ranks", RANKS)
def test_segments_cover_the_shots(
    ranks: int, clips: dict[str, Clip], all_runs: Callable[[int], Path]
) -> None:
    """The tables say who worked on what, every frame once, no segment across a cut."""
    folder = all_runs(ranks)
    for name in CLIPS:
        bounds = [0, *clips[name].cuts, clips[name].frame_count]
        for length, lookahead in DEALINGS:
            with RunFile(run_path(folder, name, length, lookahead)) as run:
                assert run.shots() == list(itertools.pairwise(bounds))
                rows = run.segments()
            starts, stops = rows["start"].tolist(), rows["stop"].tolist()
            assert starts == sorted({*bounds[:-1], *stops[:-1]})
            assert stops == [*starts[1:], bounds[-1]]
            for row in rows:
                begin, stop = bounds[row["shot"]], bounds[row["shot"] + 1]
                assert begin <= row["start"] < row["stop"] <= stop
                assert row["stop"] - row["start"] <= length
                assert row["stop"] - row["start"] <= max(1, (bounds[-1] - row["start"]) / ranks)
                if ranks == 1:
                    assert row["stop"] == min(row["start"] + length, stop)
            assert {int(r["rank"]) for r in rows} <= set(range(ranks))
            assert all(r["paint_seconds"] > 0 and r["paint_start"] > 1e9 for r in rows)


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_the_work_is_shared(ranks: int, all_runs: Callable[[int], Path]) -> None:
    """Every rank has worked, and boundary frames have gone from one rank to another."""
    workers, hand_overs = set(), 0
    for name in CLIPS:
        for length, lookahead in DEALINGS:
            with RunFile(run_path(all_runs(ranks), name, length, lookahead)) as run:
                rows = run.segments()
            workers |= {int(row["rank"]) for row in rows}
            hand_overs += sum(
                1
                for one, two in itertools.pairwise(rows)
                if one["shot"] == two["shot"] and one["rank"] != two["rank"]
            )
    assert workers == set(range(ranks)) and hand_overs > 10


@pytest.mark.parametrize("ranks", RANKS)
def test_times_and_sound_of_every_output(
    ranks: int, clips: dict[str, Clip], all_runs: Callable[[int], Path]
) -> None:
    for name, clip in clips.items():
        for length, lookahead in DEALINGS:
            output = output_path(all_runs(ranks), name, length, lookahead)
            assert job_clips.decoded_times(output) == job_clips.decoded_times(clip.path)
    sound = job_clips.audio_packets(clips["cut"].path)
    assert sound and job_clips.audio_packets(output_path(all_runs(ranks), "cut", 4, 4)) == sound


def test_more_ranks_than_frames_is_no_error(
    uncut_clip: Clip, tiny_style: Path, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    command = [uncut_clip.path, "-o", tmp_path / "out.mkv", "--style", tiny_style]
    finished = run_fastvid(*command, "--cuts", "none", "--frames", "0:3", "--threads", "1", ranks=4)
    assert finished.status == 0, finished.stderr
    assert "4 ranks had only 3 segments" in finished.stderr
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["uncut"][:3])


@pytest.mark.parametrize("ranks", [0, 3])
def test_the_real_command(
    ranks: int, cut_clip: Clip, tiny_style: Path, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Alone (0) and under mpirun; nothing but the output and the run file is left behind."""
    output = tmp_path / "out.mkv"
    finished = run_fastvid(
        cut_clip.path,
        "-o",
        output,
        "--style",
        tiny_style,
        "--cuts",
        cut_clip.cuts_option,
        ranks=ranks,
    )
    assert finished.status == 0, finished.stderr
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), expected["cut"])
    assert job_clips.decoded_times(output) == job_clips.decoded_times(cut_clip.path)
    assert job_clips.audio_packets(output) == job_clips.audio_packets(cut_clip.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5", "out.mkv"]


@pytest.mark.slow
def test_bikes_keeps_its_frames_and_shots(
    sample_videos: Path, tiny_style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mp4"
    finished = run_fastvid(
        sample_videos / "bikes.mp4",
        "-o",
        output,
        "--style",
        tiny_style,
        "--size",
        "96x-1",
        "--preset",
        "ultrafast",
        ranks=2,
    )
    assert finished.status == 0, finished.stderr
    with RunFile(tmp_path / "out.h5") as run:
        assert run.frame_count == 250 and len(run.shots()) == 6
        assert (run.width, run.height) == (96, 40)
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 250
    assert job_clips.decoded_times(output) == job_clips.decoded_times(sample_videos / "bikes.mp4")
