"""Planning a job: what is measured and said, what the script says, what is refused."""

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from fastvid.arguments import stylize_options, stylize_parser
from fastvid.errors import InputError
from fastvid.options import StylizeOptions
from fastvid.plan import format_plan, make_plan, rank_counts, write_script
from fastvid.planning.measure import FRAMES_A_PLACE, PLACES, Stopwatch, places
from fastvid.planning.script import stylize_arguments, submission_script
from fastvid.video.decode import open_source


def options_of(clip, style, tmp_path, **more):
    return StylizeOptions(clip.path, tmp_path / "out.mkv", style=str(style), **more)


def test_a_plan_counts_the_frames_and_foretells_each_number_of_ranks(
        cut_clip, tiny_style, tmp_path):
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
def test_the_shortest_films_can_be_planned(uncut_clip, tiny_style, tmp_path, frames):
    options = options_of(uncut_clip, tiny_style, tmp_path, frames=frames)
    plan = make_plan(options, [3])
    assert plan.frames == plan.measurement.timed
    assert plan.threads == 1


def test_frame_by_frame_needs_no_motion(uncut_clip, tiny_style, tmp_path):
    options = options_of(uncut_clip, tiny_style, tmp_path, temporal_strength=0.0)
    costs = make_plan(options, [1]).measurement.costs
    assert costs.blend == 0 and costs.motion < costs.paint


def test_several_styles_cost_several_times(cut_clip, tiny_style, tmp_path):
    other = tmp_path / "other.pt"
    other.write_bytes(tiny_style.read_bytes())
    options = StylizeOptions(cut_clip.path, tmp_path / "out.mkv",
                             style=(str(tiny_style), str(other)))
    single = StylizeOptions(cut_clip.path, tmp_path / "out.mkv", style=str(tiny_style))
    assert make_plan(options, [1]).disk_bytes == 2 * make_plan(single, [1]).disk_bytes


@pytest.mark.parametrize("count, firsts", [
    (1, [0]), (3, [0]), (4, [0]), (7, [0]), (8, [0, 4]), (23, [0, 6, 12, 19]),
    (1000, [0, 332, 664, 996])])
def test_places_are_spread_and_never_overlap(count, firsts):
    assert places(count) == firsts


def test_a_stopwatch_takes_the_middle_and_the_mean():
    watch = Stopwatch({"paint": [1.0, 2.0, 9.0]})
    assert (watch.median("paint"), watch.mean("paint")) == (2.0, 4.0)
    assert (watch.median("blend"), watch.mean("blend")) == (0.0, 0.0)
    with watch.timing("wait"):
        subprocess.run(["sleep", "0.1"], check=True)
    # Waiting takes no processor time.
    assert watch.wall_s > 0.09 > watch.median("wait")


@pytest.mark.parametrize("text, counts", [("4", [4]), ("16,4, 64,4", [4, 16, 64])])
def test_numbers_of_ranks(text, counts):
    assert rank_counts(text) == counts


@pytest.mark.parametrize("text", ["", "0", "4,", "a", "-1", "1.5", "5000", "٣"])
def test_what_is_no_number_of_ranks(text):
    with pytest.raises(InputError, match="--ranks"):
        rank_counts(text)


@pytest.mark.parametrize("arguments", [
    [],
    ["--style=wave", "--style=udnie", "--keep-colors", "--strength=0.5"],
    ["--frames=:100", "--size=-1x360", "--cuts=none", "--codec=libx265", "--crf=21.5"],
    ["--frames=7:", "--fps=30000/1001", "--keep=flow,occlusion", "--discard-frames"],
    ["--temporal-strength=0.0", "--flow=deepflow", "--segment-length=8", "--log-level=DEBUG"]])
def test_the_script_says_what_the_user_said(arguments, tmp_path):
    places = [str(tmp_path / "a film.mp4"), "-o", str(tmp_path / "out.mp4")]
    options = stylize_options(stylize_parser().parse_args([*places, *arguments]))
    again = stylize_options(stylize_parser().parse_args([*places, *stylize_arguments(options)]))
    assert again == options


def test_places_in_the_script_do_not_depend_on_where_it_is_submitted(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pt").write_bytes(b"")
    options = StylizeOptions(Path("in.mp4"), Path("out"), style="own.pt", codec="png",
                             cuts="cuts.csv", fps=Fraction(25), log_dir=Path("logs"))
    words = stylize_arguments(options)
    for name in ("own.pt", "logs", "cuts.csv"):
        assert any(word.endswith(str(tmp_path / name)) for word in words)
    text = script(options, jobs=None)
    assert f"{tmp_path}/in.mp4 -o {tmp_path}/out/ --style" in text


def script(options, jobs, **more):
    wanted = dict(ranks=16, threads=4, seconds=7000.0, rank_bytes=3 << 30, python="/opt/python")
    return submission_script(options, jobs=jobs, **{**wanted, **more})


@pytest.mark.parametrize("with_library", [False, True])
def test_the_script_asks_for_what_was_planned_and_starts_it(with_library, tmp_path):
    """In folders whose names need quotes; a program that prints its arguments takes the place."""
    folder = tmp_path / "it's my film"
    folder.mkdir()
    (folder / "lib.sh").write_text("stylize() { printf '%s\\n' stylize \"$@\"; }\n")
    mpirun = folder / "mpirun"
    mpirun.write_text("#!/bin/bash\nprintf '%s\\n' \"$@\"\n")
    mpirun.chmod(0o755)
    text = script(StylizeOptions(folder / "in.mp4", folder / "o.mp4", keep_colors=True),
                  folder if with_library else None)
    for line in ("--ntasks=16", "--cpus-per-task=4", "--mem-per-cpu=768M", "--time=02:55:00",
                 "--signal=B:USR1@60", "--requeue"):
        assert f"#SBATCH {line}\n" in text
    done = subprocess.run(["bash"], input=text, text=True, capture_output=True,
                          env={"PATH": f"{folder}:/usr/bin:/bin"})
    given = done.stdout.splitlines()
    if with_library:
        assert given == ["stylize", f"{folder}/in.mp4", f"{folder}/o.mp4", "--keep-colors"]
    else:
        assert given == ["-n", "16", "/opt/python", "-m", "fastvid", "stylize",
                         f"{folder}/in.mp4", "-o", f"{folder}/o.mp4", "--keep-colors",
                         "--threads", "4"]


def test_a_short_job_asks_for_some_minutes(tmp_path):
    text = script(StylizeOptions(tmp_path / "i.mp4", tmp_path / "o.mp4"), None, seconds=5.0)
    assert "#SBATCH --time=00:10:00\n" in text


def test_the_command_writes_a_script_once(run_main, uncut_clip, tiny_style, tmp_path):
    path = tmp_path / "run.sbatch"
    command = ["plan", uncut_clip.path, "--style", tiny_style, "--ranks", "1,2", "--threads", 1,
               "-o", tmp_path / "out.mkv", "--script", path]
    assert run_main(*command)[0] == 0
    text = path.read_text()
    assert text.startswith("#!") and str(uncut_clip.path) in text and str(tiny_style) in text
    status, errors = run_main(*command)
    assert status == 2 and "--overwrite" in errors
    assert run_main(*command, "--overwrite")[0] == 0
    assert not (tmp_path / "out.mkv").exists()


def test_a_script_that_cannot_be_written(uncut_clip, tiny_style, tmp_path):
    options = options_of(uncut_clip, tiny_style, tmp_path)
    plan = make_plan(options, [1])
    with pytest.raises(InputError, match="nowhere"):
        write_script(tmp_path / "nowhere" / "run.sbatch", plan, options, overwrite=False)


@pytest.mark.parametrize("arguments, word", [
    (["--style", "nobody"], "no style"), (["--ranks", "none"], "--ranks"),
    (["--frames", "5:9999"], "--frames"), (["--crf", "99"], "--crf"),
    (["-o", "out.xyz"], ".xyz"), (["--threads", "0"], "--threads")])
def test_bad_input_is_one_message(run_main, uncut_clip, arguments, word):
    status, errors = run_main("plan", uncut_clip.path, *arguments)
    assert status == 2 and word in errors and "Traceback" not in errors


def test_no_such_film(run_main, tmp_path):
    status, errors = run_main("plan", tmp_path / "none.mp4")
    assert status == 2 and "none.mp4" in errors


def test_the_source_says_how_many_frames_there_are(uncut_clip):
    """What the forecast multiplies with."""
    with open_source(str(uncut_clip.path)) as source:
        assert source.frame_count == uncut_clip.frame_count
