"""The contact sheet: which frames, where on the sheet, what is refused."""

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.commands.preview.command import preview
from fastvid.commands.preview.frames import choose_frames, spread
from fastvid.commands.preview.sheet import contact_sheet
from fastvid.decode.film import open_source
from fastvid.decode.frame import Frame
from fastvid.errors import InputError
from fastvid.style.loading import load_style
from fastvid.style.painter import Painter
from support import job_clips
from support.job_clips import Clip

LABEL, GAP = 26, 4


def width_of(path: Path) -> int:
    image = cv2.imread(str(path))
    assert image is not None
    return int(image.shape[1])


def film(
    length: int,
    cuts: Collection[int] = (),
) -> Iterator[tuple[Frame, bool]]:
    """Frames whose image says their number."""
    for index in range(length):
        image = np.full((2, 2, 3), index % 256, np.uint8)
        yield Frame(index, image, index, 1), index == 0 or index in cuts


@pytest.mark.parametrize(
    "length, cuts, count, expected",
    [
        (90, (30, 60), 3, [12, 42, 72]),  # one of each shot, a little into it
        (40, (10, 20, 30), 4, [9, 19, 29, 39]),  # of short shots the last
        (3, (), 4, [0, 1, 2]),
        (1, (), 4, [0]),
        (100, tuple(range(10, 100, 10)), 2, [29, 79]),
    ],
)
def test_one_frame_of_each_shot(
    length: int,
    cuts: tuple[int, ...],
    count: int,
    expected: list[int],
) -> None:
    chosen = choose_frames(film(length, cuts), count)
    assert [index for index, _ in chosen] == expected
    assert all((image == index).all() for index, image in chosen)


@pytest.mark.parametrize("length", [5, 47, 48, 49, 97, 1000, 5003])
def test_one_long_shot_is_seen_all_along(length: int) -> None:
    chosen = [index for index, _ in choose_frames(film(length), 4)]
    assert len(set(chosen)) == 4 and chosen == sorted(chosen)
    gaps = np.diff([0, *chosen, length - 1])
    assert gaps.max() <= 0.6 * length + 12


def test_many_shots_are_thinned_out() -> None:
    chosen = [index for index, _ in choose_frames(film(3000, set(range(0, 3000, 10))), 3)]
    assert all(index % 10 == 9 for index in chosen)
    assert chosen[0] < 1000 < chosen[1] < 2000 < chosen[2]


@pytest.mark.parametrize(
    "total, count, expected",
    [(10, 2, [2, 7]), (3, 5, [0, 1, 2]), (7, 1, [3]), (4, 4, [0, 1, 2, 3])],
)
def test_spread(total: int, count: int, expected: list[int]) -> None:
    assert spread(total, count) == expected


def test_pictures_lie_in_rows_below_their_labels() -> None:
    rng = np.random.default_rng(4)
    rows = [(name, list(rng.integers(0, 256, (2, 30, 150, 3), np.uint8))) for name in "ab"]
    sheet = contact_sheet(rows, ["one", "two"])
    assert sheet.shape == (2 * (30 + LABEL + GAP) + GAP, 2 * (150 + GAP) + GAP, 3)
    for row, (_, pictures) in enumerate(rows):
        for column, picture in enumerate(pictures):
            top = GAP + row * (30 + LABEL + GAP) + LABEL
            left = GAP + column * (150 + GAP)
            assert np.array_equal(sheet[top : top + 30, left : left + 150], picture)
            if column == 0:
                assert sheet[top - LABEL : top, left : left + 150].max() > 200  # a label is there


def test_a_long_label_stays_within_its_picture() -> None:
    pictures = [np.zeros((20, 60, 3), np.uint8)]
    sheet = contact_sheet([("W" * 80, pictures), ("ü", pictures)], [""])
    assert sheet[:, 60 + GAP :].max() < 50


def test_the_sheet_shows_the_film_and_every_style(
    cut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(tiny_style.read_bytes())
    path = tmp_path / "sheet.png"
    notes = preview(
        cut_clip.path, path, styles=[str(tiny_style), str(other)], count=2, size=(64, 48), threads=1
    )
    assert notes == []
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert sheet.shape == (3 * (48 + LABEL + GAP) + GAP, 2 * (64 + GAP) + GAP, 3)
    rows = [
        sheet[GAP + LABEL + row * (48 + LABEL + GAP) :][:48, GAP : GAP + 64] for row in range(3)
    ]
    with open_source(str(cut_clip.path)) as source:
        assert any(np.array_equal(frame.image, rows[0]) for frame in source)
    (painted,) = load_style(str(tiny_style)).paint([rows[0]])
    assert np.array_equal(rows[1], painted) and np.array_equal(rows[2], painted)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.pt", "sheet.png"]


def test_a_large_film_is_painted_as_a_run_paints_it(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    """And then shrunk to the sheet."""
    film_path = job_clips.write_clip(tmp_path / "film.mkv", [large_image(480, 640)], [0])
    path = tmp_path / "sheet.png"
    preview(film_path, path, styles=[str(tiny_style)], count=1, size=(96, 72), threads=1)
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    shown = sheet[GAP + LABEL + 72 + LABEL + GAP :][:72, GAP : GAP + 96]
    (frame,) = job_clips.decoded_frames(film_path)
    (finished,) = Painter(load_style(str(tiny_style)), 1.0).paint([frame])
    alike = cv2.resize(finished, (96, 72), interpolation=cv2.INTER_AREA)
    other = cv2.resize(frame, (96, 72), interpolation=cv2.INTER_AREA)
    own_size = load_style(str(tiny_style)).paint([other])[0]
    far = np.abs(shown.astype(int) - own_size).mean()
    assert np.abs(shown.astype(int) - alike).mean() < 0.5 * far


def large_image(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    smooth: np.ndarray = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return smooth


def test_the_sheet_lies_beside_the_film_and_is_not_overwritten(
    run_main: Callable[..., tuple[int, str]], uncut_clip: Clip, tiny_style: Path, tmp_path: Path
) -> None:
    film_path = tmp_path / "film.mkv"
    film_path.write_bytes(uncut_clip.path.read_bytes())
    command = [
        "preview",
        film_path,
        "--styles",
        tiny_style,
        "--count",
        1,
        "--size",
        "32x24",
        "--threads",
        1,
    ]
    assert run_main(*command)[0] == 0
    first = (tmp_path / "film.preview.png").read_bytes()
    status, errors = run_main(*command, "--count", 2)
    assert status == 2 and "--overwrite" in errors
    assert (tmp_path / "film.preview.png").read_bytes() == first
    assert run_main(*command, "--count", 2, "--overwrite")[0] == 0
    assert (tmp_path / "film.preview.png").read_bytes() != first


def test_a_folder_of_images(tiny_style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((40, 60, 3), 60 * index, np.uint8))
    preview(
        folder,
        tmp_path / "s.png",
        styles=[str(tiny_style)],
        size=(60, 40),
        threads=1,
        fps=Fraction(25),
    )
    assert width_of(tmp_path / "s.png") == 3 * (60 + GAP) + GAP


def test_a_film_that_takes_too_long_to_read_is_seen_from_its_beginning(
    uncut_clip: Clip, tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastvid.commands.preview.command._READING_LIMIT_S", 0.0)
    (note,) = preview(
        uncut_clip.path, tmp_path / "s.png", styles=[str(tiny_style)], size=(60, 40), threads=1
    )
    assert "first 1 of 23 frames" in note
    assert width_of(tmp_path / "s.png") == 60 + 2 * GAP


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["--styles", "nobody"], "no style"),
        (["--styles", ","], "--styles"),
        (["--count", 0], "--count"),
        (["--count", 99], "--count"),
        (["--threads", 0], "--threads"),
        (["-o", "sheet.jpg"], ".png"),
        (["-o", "no/such/folder/s.png"], "folder"),
        (["--size", "3x3"], "too small"),
        (["--fps", "25"], "--fps"),
    ],
)
def test_bad_input_is_one_message(
    run_main: Callable[..., tuple[int, str]],
    uncut_clip: Clip,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[int | str] | list[str],
    word: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, errors = run_main("preview", uncut_clip.path, *arguments)
    assert status == 2 and word in errors and "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no film" * 100)
    with pytest.raises(InputError, match=r"film.mp4"):
        preview(path, tmp_path / "s.png")
