"""Regions against the film: which mask goes with which frame, and what is refused before the
start."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from fastvid.decode.film import open_source
from fastvid.errors import InputError
from fastvid.regions.opening import OpenedRegion, Usual, open_regions
from fastvid.regions.planes import Planes
from fastvid.regions.spec import Region
from support import job_clips
from support.job_clips import Clip
from support.mask_files import grey_mask, palette_frame, write_folder, write_image, write_video

USUAL = Usual(0.75, True)


def opened(
    clip: Clip,
    mask: object,
    frames: tuple[int, int | None] | None = None,
    size: tuple[int, int] | None = None,
    **words: Any,
) -> OpenedRegion:
    region = replace(Region(str(mask), "film"), **words)
    with open_source(str(clip.path), frames=frames, size=size) as source:
        (found,) = open_regions([region], source, frames[0] if frames else 0, USUAL)
    return found


def numbered(count: int) -> list[np.ndarray]:
    """Masks that tell their number: a column of greys."""
    masks = []
    for number in range(count):
        mask = np.zeros((48, 64), np.uint8)
        mask[:, number] = 100 + number
        masks.append(mask)
    return masks


def first_column(found: OpenedRegion) -> int:
    """Which of the numbered masks goes with the first frame of the run."""
    (mask,) = Planes([found.place], 64, 48).read(0)
    return int(np.flatnonzero(mask.any(axis=0))[0])


def test_masks_go_by_number_for_the_film_or_for_the_part(uncut_clip: Clip, tmp_path: Path) -> None:
    whole = write_folder(tmp_path / "whole", numbered(23))
    part = write_folder(tmp_path / "part", numbered(10))
    assert first_column(opened(uncut_clip, whole)) == 0
    assert first_column(opened(uncut_clip, whole, (5, 15))) == 5
    assert first_column(opened(uncut_clip, part, (5, 15))) == 0
    assert first_column(opened(uncut_clip, part / "00007.png", (5, 15))) == 7
    with pytest.raises(InputError, match=r"part has 10 masks, the film 23 frames \(0 to 22\)"):
        opened(uncut_clip, part)
    with pytest.raises(InputError, match=r"\(0 to 22\), of which 9 were chosen"):
        opened(uncut_clip, part, (5, 14))


def test_a_video_of_masks_goes_with_a_film_of_uneven_times(
    uncut_clip: Clip, tmp_path: Path
) -> None:
    frames = [VideoFrame.from_ndarray(mask, format="gray") for mask in numbered(23)]
    times = job_clips.uneven_times(23)
    path = write_video(tmp_path / "m.mkv", frames, "ffv1", "gray", full_range=True, times=times)
    assert first_column(opened(uncut_clip, path)) == 0
    assert first_column(opened(uncut_clip, path, (6, None))) == 6
    even = write_video(tmp_path / "even.mkv", frames, "ffv1", "gray", full_range=True)
    with pytest.raises(InputError, match="but other times: frame 3 is shown at 0"):
        opened(uncut_clip, even)


def test_what_is_not_said_is_settled_by_the_masks(uncut_clip: Clip, tmp_path: Path) -> None:
    binary = np.where(grey_mask() > 0, np.uint8(255), np.uint8(0))
    cv2.imwrite(str(tmp_path / "binary.png"), binary)
    cv2.imwrite(str(tmp_path / "grey.png"), grey_mask())
    cv2.imwrite(str(tmp_path / "small.png"), cv2.resize(binary, (32, 24)))
    hard = opened(uncut_clip, tmp_path / "binary.png").settings
    assert (hard.feather, hard.refine) == (0.2, False)
    assert (hard.strength, hard.keep_colors) == (0.75, True)
    assert opened(uncut_clip, tmp_path / "binary.png", size=(320, -1)).settings.feather == 0.0
    soft = opened(uncut_clip, tmp_path / "grey.png").settings
    assert (soft.feather, soft.refine) == (0.0, False)
    small = opened(uncut_clip, tmp_path / "small.png").settings
    assert (small.feather, small.refine) == (0.0, True)
    said = opened(
        uncut_clip, tmp_path / "small.png", feather=3.0, refine=False, strength=0.5, grow=-1.0
    ).settings
    assert (said.feather, said.refine, said.strength, said.grow) == (3.0, False, 0.5, -1.0)
    assert said.mask_sha256 == small.mask_sha256 != soft.mask_sha256


def test_masks_of_another_shape_are_refused(uncut_clip: Clip, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), grey_mask(96, 48))
    with pytest.raises(InputError, match="masks of 96x48 have another shape than frames of 64x48"):
        opened(uncut_clip, tmp_path / "wide.png")


def test_labels_that_are_not_there_or_not_named_are_refused(
    uncut_clip: Clip, tmp_path: Path
) -> None:
    labels = np.zeros((48, 64), np.uint8)
    labels[:10], labels[20:30] = 1, 3
    colors = {1: (200, 10, 20), 3: (1, 2, 250)}
    path = write_image(tmp_path / "labels.png", "png", palette_frame(labels, colors))
    with pytest.raises(InputError, match="no mask has label 7; there are 0, 1, 3"):
        opened(uncut_clip, f"{path}:7")
    with pytest.raises(InputError, match="no mask has the colour #00ff00"):
        opened(uncut_clip, f"{path}:#00FF00")
    cv2.imwrite(str(tmp_path / "grey.png"), labels)
    with pytest.raises(InputError, match="has the levels 0, 1, 3 of 255, as pictures of labels"):
        opened(uncut_clip, tmp_path / "grey.png")


def test_empty_masks_are_said(uncut_clip: Clip, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((48, 64), np.uint8))
    assert "is empty in every frame" in opened(uncut_clip, tmp_path / "black.png").note
    assert opened(uncut_clip, tmp_path / "black.png", invert=True).note == ""
    late = numbered(23)
    late[:12] = [np.zeros((48, 64), np.uint8)] * 12
    folder = write_folder(tmp_path / "late", late)
    assert opened(uncut_clip, folder).note == ""
    assert "is empty" in opened(uncut_clip, folder, (0, 10)).note
    # A label that is there, but not in the chosen frames, is no mistake.
    assert "is empty" in opened(uncut_clip, f"{folder}:112", (0, 10)).note
