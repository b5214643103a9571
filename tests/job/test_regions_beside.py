"""What goes with runs with regions: going on, refusing, judging, planning, previews, Python."""

from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

import fastvid
from fastvid.__main__ import main
from fastvid.commands.plan.plan import make_plan
from support import job_clips
from support.job_clips import Clip
from support.run_files import stored_frames

RunMain = Callable[..., tuple[int, str]]
SHAPE = (job_clips.HEIGHT, job_clips.WIDTH)


def test_a_run_is_not_continued_with_other_regions(
    uncut_clip: Clip, region_styles: list[Path], run_main: RunMain, tmp_path: Path
) -> None:
    half = np.zeros(SHAPE, np.uint8)
    half[:, 30:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    words = (uncut_clip.path, "-o", tmp_path / "out.mkv", "--codec", "ffv1", "--threads", "1")
    region = ("--region", tmp_path / "half.png", "film")
    assert run_main(*words, "--style", region_styles[0], *region, "--frames", "0:4")[0] == 0
    before = stored_frames(tmp_path / "out.h5")
    half_png, other_png = tmp_path / "half.png", tmp_path / "moved" / "other.png"
    other_png.parent.mkdir()
    cv2.imwrite(str(other_png), half[:, ::-1])
    cases: dict[str, tuple[object, ...]] = {
        "grow was 0.0, is 2.0": (*region, "grow=2"),
        "there were 1 --region, there are 0": (),
        "half.png was film, is": ("--region", half_png, region_styles[1]),
        "other.png is another": ("--region", other_png, "film"),
    }
    for message, other in cases.items():
        status, err = run_main(*words, "--style", region_styles[0], *other, "--frames", "0:4")
        assert status == 2 and message in err, err
    (tmp_path / "half.png").rename(tmp_path / "moved" / "half.png")
    same = ("--region", tmp_path / "moved" / "half.png", "film")
    status, err = run_main(*words, "--style", region_styles[0], *same, "--frames", "0:4")
    assert status == 0 and "nothing is left to do" in err, err
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), before)


def test_bad_regions_are_refused_before_anything_is_written(
    uncut_clip: Clip,
    region_styles: list[Path],
    patch_folder: Path,
    run_main: RunMain,
    tmp_path: Path,
) -> None:
    recurrent = tmp_path / "recurrent.pt"
    recurrent.write_bytes(job_clips.recurrent_bytes())
    white = tmp_path / "white.png"
    cv2.imwrite(str(white), np.full(SHAPE, 255, np.uint8))
    before = sorted(tmp_path.iterdir())
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("has 30 masks, the film 23 frames (0 to 22)", ("--region", patch_folder, "film")),
        ("no style 'nothing'", ("--region", white, "nothing")),
        ("a recurrent model (7 channels)", ("--region", white, recurrent)),
        (
            "--region does not go with the recurrent model",
            (*("--style", recurrent, "--region", white, "film"),),
        ),
        ("there is no such file", ("--region", tmp_path / "none.png", "film")),
        ("unknown; what can be kept", ("--region", white, "film", "--keep", "masks")),
        ("--keep regions: there are no regions", ("--keep", "regions")),
    ]
    for message, words in cases:
        command = [uncut_clip.path, "-o", tmp_path / "out.mkv", *words, "--threads", "1"]
        if "--style" not in words:
            command += ["--style", region_styles[0]]
        status, err = run_main(*command)
        assert status == 2 and message in err and err.count("fastvid: ") <= 1, err
    assert sorted(tmp_path.iterdir()) == before


def test_weights_are_kept_and_parts_are_judged(
    cut_clip: Clip,
    region_styles: list[Path],
    patch_folder: Path,
    patch_masks: list[np.ndarray],
    run_main: RunMain,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    words = ("-o", output, "--cuts", cut_clip.cuts_option, "--codec", "ffv1", "--threads", "1")
    region = ("--region", patch_folder, region_styles[1], "feather=0", "--keep", "regions,flow")
    assert run_main(cut_clip.path, *words, "--style", "film", *region)[0] == 0
    with h5py.File(run_path) as file:
        kept = file["regions/weights"]
        assert kept.chunks == (1, 1, *SHAPE)
        assert np.array_equal(kept[:, 0], np.stack(patch_masks))
        assert [bytes(name).decode() for name in file["regions/names"]] == [
            f"{patch_folder} {region_styles[1]}"
        ]
    capfd.readouterr()
    command = ["evaluate", run_path, cut_clip.path, "--judge", "farneback", "--threads", "1"]
    assert main(list(map(str, command))) == 0
    text = capfd.readouterr().out
    share = np.mean([mask.mean() / 255 for mask in patch_masks])
    assert f"{patch_folder} {region_styles[1]} ({share:.1%}): " in text and "the rest (" in text
    again = ["encode", run_path, "-o", tmp_path / "again.mkv", "--codec", "ffv1"]
    assert main(list(map(str, again))) == 0
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "again.mkv"), stored_frames(run_path))


def test_a_plan_and_a_preview_know_regions(
    uncut_clip: Clip, region_styles: list[Path], tmp_path: Path, run_main: RunMain
) -> None:
    half = np.zeros(SHAPE, np.uint8)
    half[:, 32:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    region = fastvid.Region(tmp_path / "half.png", "film")
    options = fastvid.StylizeOptions(
        uncut_clip.path,
        tmp_path / "out.mkv",
        style=str(region_styles[0]),
        regions=[region],
        threads=1,
        progress="none",
    )
    plan = make_plan(options, [1, 2])
    assert plan.measurement.costs.paint > 0 and plan.frames == 23
    sheet = tmp_path / "sheet.png"
    words = (
        "--styles",
        f"{region_styles[0]},film",
        "--count",
        "1",
        "--size",
        "64x48",
        "--threads",
        "1",
    )
    status, err = run_main(
        "preview",
        uncut_clip.path,
        "-o",
        sheet,
        *words,
        "--region",
        tmp_path / "half.png",
        region_styles[1],
        "feather=0",
    )
    assert status == 0, err
    picture = cv2.imread(str(sheet))
    assert picture is not None
    cells = [picture[top : top + 48, 4 : 4 + 64] for top in (30, 30 + 78, 30 + 2 * 78)]
    film, on_style, on_film = cells
    assert np.array_equal(on_film[:, :32], film[:, :32])
    assert np.array_equal(on_style[:, 32:], on_film[:, 32:])
    assert not np.array_equal(on_style[:, :32], film[:, :32])


def test_python_takes_regions(uncut_clip: Clip, region_styles: list[Path], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "white.png"), np.full(SHAPE, 255, np.uint8))
    result = fastvid.stylize(
        uncut_clip.path,
        tmp_path / "out.mkv",
        style=str(region_styles[0]),
        regions=[fastvid.Region(tmp_path / "white.png", "film")],
        codec="ffv1",
        frames=(2, 6),
        threads=1,
        progress="none",
    )
    assert result is not None and result.frames == 4
    films = job_clips.decoded_frames(uncut_clip.path)[2:6]
    assert np.array_equal(stored_frames(tmp_path / "out.h5"), np.stack(films))
