"""Runs with regions: the film's pixels stay the film's, whoever computes what, whatever happens."""

from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

import fastvid
from fastvid.__main__ import main
from fastvid.commands.plan.plan import make_plan
from fastvid.runfile.reader import RunFile
from support import job_clips
from support.job_clips import Clip
from support.launching import RunningJob, run_fastvid, wait_for_frames
from support.mask_files import write_folder
from support.places import PROGRAMS

RunMain = Callable[..., tuple[int, str]]
SHAPE = (job_clips.HEIGHT, job_clips.WIDTH)


@pytest.fixture(scope="module")
def styles(material: Path) -> list[Path]:
    paths = [material / f"look{seed}.pt" for seed in (5, 6, 7)]
    for seed, path in enumerate(paths, start=5):
        path.write_bytes(job_clips.style_bytes(seed))
    return paths


@pytest.fixture(scope="module")
def masks(material: Path) -> list[np.ndarray]:
    """The patch that moves in the cut clip, and a stripe that comes and goes."""
    made = []
    for number in range(job_clips.CUT_FRAMES):
        mask = np.zeros(SHAPE, np.uint8)
        start = max(first for first in (0, *job_clips.CUTS) if first <= number)
        left = 4 + 2 * (number - start) % (job_clips.WIDTH - 20)
        mask[14:30, left : left + 16] = 255
        made.append(mask)
    return made


@pytest.fixture(scope="module")
def mask_folder(material: Path, masks: list[np.ndarray]) -> Path:
    return write_folder(material / "patch", masks)


@pytest.fixture(scope="module")
def stripe_folder(material: Path) -> Path:
    stripes = [np.zeros(SHAPE, np.uint8) for _ in range(job_clips.CUT_FRAMES)]
    for number in range(5, 25):
        stripes[number][:, 40:52] = 255
    return write_folder(material / "stripe", stripes)


def stored(path: Path) -> np.ndarray:
    with RunFile(path) as run:
        assert run.complete
        return np.stack([run.frame(index) for index in range(run.frame_count)])


def in_parts(clip: Clip, styles: list[Path], patch: Path, stripe: Path) -> list[object]:
    """Two outputs, on a style and on the film, with a region of the film and a painted one."""
    return [
        *(clip.path, "--cuts", clip.cuts_option, "--codec", "ffv1"),
        *("--style", styles[0], "--style", "film", "--region", stripe, styles[1]),
        *("strength=0.8", "--region", patch, "film", "feather=1"),
    ]


@pytest.fixture(scope="module")
def expected(
    cut_clip: Clip,
    styles: list[Path],
    mask_folder: Path,
    stripe_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, np.ndarray]:
    """The frames of both outputs, from one rank."""
    folder = tmp_path_factory.mktemp("one")
    words = in_parts(cut_clip, styles, mask_folder, stripe_folder)
    assert main([*map(str, words), "-o", str(folder / "out.mkv"), "--threads", "1"]) == 0
    return {name: stored(folder / f"out.{name}.h5") for name in ("look5", "film")}


def test_the_film_stays_the_film(
    cut_clip: Clip, masks: list[np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    films = job_clips.decoded_frames(cut_clip.path)
    beyond = np.ones((3, 3), np.uint8)
    for number, (film, mask) in enumerate(zip(films, masks, strict=True)):
        kept = cv2.erode(mask, beyond) > 0
        assert kept.any()
        for name in expected:
            assert np.array_equal(expected[name][number][kept], film[kept])
        # On the film, all but the stripe is the film, and the stripe is only there for a while.
        rest = np.ones(SHAPE, bool)
        if 5 <= number < 25:
            rest[:, 40:52] = False
        feather = np.ones((5, 5), np.uint8)
        rest = cv2.erode(rest.astype(np.uint8), feather) > 0
        assert np.array_equal(expected["film"][number][rest], film[rest])
        assert (
            expected["look5"][number][~(cv2.dilate(mask, feather) > 0)]
            != film[~(cv2.dilate(mask, feather) > 0)]
        ).mean() > 0.5
    painted = expected["film"][10][:, 42:50] != films[10][:, 42:50]
    assert painted.mean() > 0.3


@pytest.mark.mpi
@pytest.mark.parametrize(("ranks", "decode"), [(2, "local"), (7, "rank0")])
def test_any_number_of_ranks_gives_the_same_bytes(
    cut_clip: Clip,
    styles: list[Path],
    mask_folder: Path,
    stripe_folder: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
    ranks: int,
    decode: str,
) -> None:
    words = in_parts(cut_clip, styles, mask_folder, stripe_folder)
    more = ("-o", tmp_path / "out.mkv", "--decode", decode, "--keep", "regions")
    finished = run_fastvid(*words, *more, ranks=ranks)
    assert finished.status == 0, finished.stderr
    for name, frames in expected.items():
        assert np.array_equal(stored(tmp_path / f"out.{name}.h5"), frames)


@pytest.mark.mpi
def test_a_killed_run_goes_on_with_the_same_bytes(
    cut_clip: Clip,
    styles: list[Path],
    mask_folder: Path,
    stripe_folder: Path,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    words = in_parts(cut_clip, styles, mask_folder, stripe_folder)
    words += ["-o", tmp_path / "out.mkv", "--threads", "1"]
    pause = tmp_path / "pause"
    pause.write_text("0.1")
    environment = {"FASTVID_TEST_PAUSE": str(pause)}
    with RunningJob([PROGRAMS / "slow_paint.py"], words, ranks=3, env=environment) as job:
        wait_for_frames(job, tmp_path / "out.look5.h5", 6)
        job.kill()
    finished = run_fastvid(*words, "--decode", "local", ranks=3)
    assert finished.status == 0 and "continuing" in finished.stderr + finished.stdout
    for name, frames in expected.items():
        assert np.array_equal(stored(tmp_path / f"out.{name}.h5"), frames)


def test_regions_that_cover_the_picture_are_the_picture(
    uncut_clip: Clip, styles: list[Path], run_main: RunMain, tmp_path: Path
) -> None:
    """An all-white mask, an all-black one, and two halves of one look."""
    common = ("--cuts", "none", "--codec", "ffv1", "--threads", "1")
    for name, level in (("white", 255), ("black", 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full(SHAPE, level, np.uint8))
    half = np.zeros(SHAPE, np.uint8)
    half[:, 30:] = 255
    half[20:, 10:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    look, film = styles[0], "film"
    runs: dict[str, tuple[object, ...]] = {
        "plain": ("--style", look),
        "white": ("--style", film, "--region", tmp_path / "white.png", look),
        "black": ("--style", film, "--region", tmp_path / "black.png", look),
        "halves": (
            *("--style", film, "--region", tmp_path / "half.png", look, "feather=3"),
            *("--region", tmp_path / "half.png", look, "feather=3", "invert"),
        ),
        "under": ("--style", styles[1], "--region", tmp_path / "black.png", film, "invert"),
    }
    made = {}
    for name, words in runs.items():
        status, err = run_main(uncut_clip.path, "-o", tmp_path / f"{name}.mkv", *words, *common)
        assert status == 0, err
        assert ("is empty in every frame" in err) == (name == "black")
        made[name] = stored(tmp_path / f"{name}.h5")
    films = np.stack(job_clips.decoded_frames(uncut_clip.path))
    assert np.array_equal(made["white"], made["plain"])
    assert np.array_equal(made["halves"], made["plain"])
    assert np.array_equal(made["black"], films) and np.array_equal(made["under"], films)


def test_a_part_of_the_film_takes_its_masks_and_discards_its_frames(
    cut_clip: Clip, styles: list[Path], mask_folder: Path, run_main: RunMain, tmp_path: Path
) -> None:
    words = ("--cuts", "none", "--codec", "ffv1", "--threads", "1", "--style", styles[0])
    more = ("--region", mask_folder, "film", "feather=0", "--frames", "14:22")
    output = tmp_path / "out.mkv"
    status, err = run_main(cut_clip.path, "-o", output, *words, *more, "--discard-frames")
    assert status == 0, err
    films = job_clips.decoded_frames(cut_clip.path)
    for number, image in enumerate(job_clips.decoded_frames(output), 14):
        mask = cv2.imread(str(mask_folder / f"{number:05d}.png"), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(image[mask == 255], films[number][mask == 255])
        assert (image[mask == 0] != films[number][mask == 0]).mean() > 0.5


def test_a_run_is_not_continued_with_other_regions(
    uncut_clip: Clip, styles: list[Path], run_main: RunMain, tmp_path: Path
) -> None:
    half = np.zeros(SHAPE, np.uint8)
    half[:, 30:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    words = (uncut_clip.path, "-o", tmp_path / "out.mkv", "--codec", "ffv1", "--threads", "1")
    region = ("--region", tmp_path / "half.png", "film")
    assert run_main(*words, "--style", styles[0], *region, "--frames", "0:4")[0] == 0
    before = stored(tmp_path / "out.h5")
    cases = {
        "grow was 0.0, is 2.0": (*region, "grow=2"),
        "there were 1 --region, there are 0": (),
        "--region .*half.png: style was film": ("--region", tmp_path / "half.png", styles[1]),
    }
    (tmp_path / "moved").mkdir()
    cv2.imwrite(str(tmp_path / "moved" / "other.png"), half[:, ::-1])
    cases["other.png is another"] = ("--region", tmp_path / "moved" / "other.png", "film")
    for message, other in cases.items():
        status, err = run_main(*words, "--style", styles[0], *other, "--frames", "0:4")
        assert status == 2
        assert message.split(".*")[-1] in err or "was film, is" in err
    (tmp_path / "half.png").rename(tmp_path / "moved" / "half.png")
    same = ("--region", tmp_path / "moved" / "half.png", "film")
    status, err = run_main(*words, "--style", styles[0], *same, "--frames", "0:4")
    assert status == 0 and "nothing is left to do" in err, err
    assert np.array_equal(stored(tmp_path / "out.h5"), before)


def test_bad_regions_are_refused_before_anything_is_written(
    uncut_clip: Clip, styles: list[Path], mask_folder: Path, run_main: RunMain, tmp_path: Path
) -> None:
    recurrent = tmp_path / "recurrent.pt"
    recurrent.write_bytes(job_clips.recurrent_bytes())
    white = tmp_path / "white.png"
    cv2.imwrite(str(white), np.full(SHAPE, 255, np.uint8))
    before = sorted(tmp_path.iterdir())
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("has 30 masks, the film 23 frames (0 to 22)", ("--region", mask_folder, "film")),
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
            command += ["--style", styles[0]]
        status, err = run_main(*command)
        assert status == 2 and message in err and err.count("fastvid: ") <= 1, err
    assert sorted(tmp_path.iterdir()) == before


def test_weights_are_kept_and_parts_are_judged(
    cut_clip: Clip,
    styles: list[Path],
    mask_folder: Path,
    masks: list[np.ndarray],
    run_main: RunMain,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    output, run_path = tmp_path / "out.mkv", tmp_path / "out.h5"
    words = ("-o", output, "--cuts", cut_clip.cuts_option, "--codec", "ffv1", "--threads", "1")
    region = ("--region", mask_folder, styles[1], "feather=0", "--keep", "regions,flow")
    assert run_main(cut_clip.path, *words, "--style", "film", *region)[0] == 0
    with h5py.File(run_path) as file:
        kept = file["regions/weights"]
        assert kept.chunks == (1, 1, *SHAPE)
        assert np.array_equal(kept[:, 0], np.stack(masks))
        assert [bytes(name).decode() for name in file["regions/names"]] == [
            f"{mask_folder} {styles[1]}"
        ]
    capfd.readouterr()
    command = ["evaluate", run_path, cut_clip.path, "--judge", "farneback", "--threads", "1"]
    assert main(list(map(str, command))) == 0
    text = capfd.readouterr().out
    share = np.mean([mask.mean() / 255 for mask in masks])
    assert f"{mask_folder} {styles[1]} ({share:.1%}): " in text and "the rest (" in text
    again = ["encode", run_path, "-o", tmp_path / "again.mkv", "--codec", "ffv1"]
    assert main(list(map(str, again))) == 0
    assert np.array_equal(job_clips.decoded_frames(tmp_path / "again.mkv"), stored(run_path))


def test_a_plan_and_a_preview_know_regions(
    uncut_clip: Clip, styles: list[Path], tmp_path: Path, run_main: RunMain
) -> None:
    half = np.zeros(SHAPE, np.uint8)
    half[:, 32:] = 255
    cv2.imwrite(str(tmp_path / "half.png"), half)
    region = fastvid.Region(tmp_path / "half.png", "film")
    options = fastvid.StylizeOptions(
        uncut_clip.path,
        tmp_path / "out.mkv",
        style=str(styles[0]),
        regions=[region],
        threads=1,
        progress="none",
    )
    plan = make_plan(options, [1, 2])
    plain = make_plan(fastvid.StylizeOptions(uncut_clip.path, tmp_path / "out.mkv"), [1])
    assert plan.measurement.costs.paint > 0 and plan.rank_bytes > plain.rank_bytes - (1 << 28)
    sheet = tmp_path / "sheet.png"
    words = ("--styles", f"{styles[0]},film", "--count", "1", "--size", "64x48", "--threads", "1")
    status, err = run_main(
        "preview",
        uncut_clip.path,
        "-o",
        sheet,
        *words,
        "--region",
        tmp_path / "half.png",
        styles[1],
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


def test_python_takes_regions(uncut_clip: Clip, styles: list[Path], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "white.png"), np.full(SHAPE, 255, np.uint8))
    result = fastvid.stylize(
        uncut_clip.path,
        tmp_path / "out.mkv",
        style=str(styles[0]),
        regions=[fastvid.Region(tmp_path / "white.png", "film")],
        codec="ffv1",
        frames=(2, 6),
        threads=1,
        progress="none",
    )
    assert result is not None and result.frames == 4
    films = job_clips.decoded_frames(uncut_clip.path)[2:6]
    assert np.array_equal(stored(tmp_path / "out.h5"), np.stack(films))
