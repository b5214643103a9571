"""Seeds to masks, and masks from frame to frame, against known masks."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.errors import InputError
from fastvid.masking.cutting import cut_seed, next_mask
from fastvid.masking.seeds import (
    INSIDE,
    NOTHING,
    OUTSIDE,
    ROUGHLY_INSIDE,
    ROUGHLY_OUTSIDE,
    SeedFile,
    SeedPlanes,
    check_seeds,
    packed,
    read_seed,
    read_seed_name,
)
from fastvid.motion.source import EstimatedMotion
from fastvid.motion.warp import inside_frame, sample, sampling_map


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    inside = mask > 127
    return float((inside & truth).sum() / (inside | truth).sum())


@pytest.fixture(scope="module")
def film() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames of the bay, and where its boat is."""
    clip = SyntheticClip(320, 180, 240, seed=4)
    boat = clip.owners(0)[115, 230]
    frames = [clip.frame(number) for number in range(16)]
    return frames, [clip.owners(number) == boat for number in range(16)]


def test_strokes_and_rough_cut_outs_find_the_thing(
    film: tuple[list[np.ndarray], list[np.ndarray]],
) -> None:
    image, truth = film[0][0], film[1][0]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    rough = cv2.dilate(truth.astype(np.uint8), kernel) > 0
    seed = np.where(rough, np.uint8(ROUGHLY_INSIDE), np.uint8(ROUGHLY_OUTSIDE))
    assert overlap(cut_seed(image, seed), truth) > max(0.85, overlap(rough * np.uint8(255), truth))
    strokes = np.zeros(truth.shape, np.uint8)
    core = cv2.erode(truth.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    around = cv2.dilate(truth.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    strokes[core & (np.indices(truth.shape)[0] % 7 < 2)] = INSIDE
    strokes[~around & (np.indices(truth.shape)[1] % 40 < 3)] = OUTSIDE
    assert overlap(cut_seed(image, strokes), truth) > 0.8


def test_a_mask_stays_with_its_thing(film: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    frames, truths = film
    motion = EstimatedMotion("dis-medium", 1.0, False)
    mask = np.where(truths[0], np.uint8(255), np.uint8(0))
    for number in range(1, len(frames)):
        backward, reliable = motion(frames[number], frames[number - 1], number)
        positions = sampling_map(backward)
        moved = sample(mask, positions)
        moved[~inside_frame(positions)] = 0
        mask = next_mask(frames[number], moved, reliable)
        assert np.array_equal(mask, next_mask(frames[number], moved, reliable))
    assert overlap(mask, truths[-1]) > 0.85


def test_what_has_left_is_gone(film: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    empty, all_of_it = np.zeros((180, 320), np.uint8), np.full((180, 320), 255, np.uint8)
    reliable = np.ones((180, 320), bool)
    assert not next_mask(film[0][0], empty, reliable).any()
    assert next_mask(film[0][0], all_of_it, reliable).all()


def painted(frame: np.ndarray, path: Path) -> Path:
    """The frame with a green stroke and a red one, as a painting program saves it."""
    image = frame.copy()
    image[40:60, 20:30], image[5:9, 50:90] = (0, 255, 0), (255, 0, 0)
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def test_seeds_are_read_as_they_were_painted(tmp_path: Path) -> None:
    frame = np.random.default_rng(2).integers(0, 190, (72, 128, 3), np.uint8)
    plane = read_seed(str(painted(frame, tmp_path / "seed_0007.png")), frame)
    expected = np.full((72, 128), NOTHING, np.uint8)
    expected[40:60, 20:30], expected[5:9, 50:90] = INSIDE, OUTSIDE
    assert np.array_equal(plane, expected)
    cut_out = np.zeros((36, 64), np.uint8)
    cut_out[10:20, 10:20] = 255
    cv2.imwrite(str(tmp_path / "cut.png"), cut_out)
    rough = read_seed(str(tmp_path / "cut.png"), frame)
    assert set(np.unique(rough)) == {ROUGHLY_OUTSIDE, ROUGHLY_INSIDE} and rough[25, 30] == 4
    planes = SeedPlanes(packed({3: plane, 5: rough}))
    attached = planes.attach(3, frame)
    assert np.array_equal(attached[..., :3], frame) and np.array_equal(attached[..., 3], plane)
    assert not planes.attach(4, frame)[..., 3].any()


def test_seeds_that_say_nothing_are_refused(tmp_path: Path) -> None:
    frame = np.random.default_rng(2).integers(0, 190, (72, 128, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "plain.png"), frame[..., ::-1])
    with pytest.raises(InputError, match="has no green and is no cut-out; a seed is the film's"):
        read_seed(str(tmp_path / "plain.png"), frame)
    cv2.imwrite(str(tmp_path / "square.png"), np.zeros((72, 72), np.uint8))
    with pytest.raises(InputError, match="72x72 has another shape"):
        read_seed(str(tmp_path / "square.png"), frame)
    with pytest.raises(InputError, match="no such file"):
        read_seed(str(tmp_path / "none.png"), frame)
    assert read_seed_name("a/seed_0062.png") == SeedFile(62, "a/seed_0062.png")
    assert read_seed_name("62=fox.png") == SeedFile(62, "fox.png")
    with pytest.raises(InputError, match="no number in its name; say its frame: N=fox"):
        read_seed_name("fox.png")
    with pytest.raises(InputError, match="frame 30 is none of 10 to 29"):
        check_seeds([SeedFile(30, "x.png")], 10, 20)
    with pytest.raises(InputError, match="are both for frame 12"):
        check_seeds([SeedFile(12, "x.png"), SeedFile(12, "y.png")], 10, 20)
