"""A folder of PNG images as the output."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastvid.encode.images import image_name
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.errors import InputError, StorageError
from support.encode_clips import encode_parts, info_of, noise


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image[..., ::-1])


def test_images_are_numbered_across_parts_and_bit_exact(tmp_path: Path) -> None:
    images = noise(7, 35, 21)
    plan = plan_output(f"{tmp_path}/out/", info=info_of(35, 21))
    (tmp_path / "work").mkdir()
    times = [100, 612, 1124, 2000, 2001, 2002, 9000]
    parts = encode_parts(plan, tmp_path / "work", images, times, 1280, seams=(1, 4))
    assert "no sound" in plan.notes[0]
    mux(plan, list(parts), source=tmp_path / "in.mp4")
    for index, image in enumerate(images):
        np.testing.assert_array_equal(_read(tmp_path / "out" / f"{index:06d}.png"), image)
    lines = (tmp_path / "out" / "timestamps.txt").read_text().splitlines()
    assert lines[0] == "# timestamp format v2"
    np.testing.assert_allclose(
        [float(line) for line in lines[2:]],
        [(pts - 100) / 12.8 for pts in [*times, 9000 + 1280]],
        atol=1e-6,
    )
    assert sorted(os.listdir(tmp_path)) == ["out", "work"]


def test_a_folder_of_ones_own_is_replaced_and_a_strange_one_is_not(tmp_path: Path) -> None:
    target = tmp_path / "out"
    (tmp_path / "work").mkdir()
    for count in (5, 3):
        plan = plan_output(target, info=info_of(20, 10), codec="png")
        parts = encode_parts(plan, tmp_path / "work", noise(count, 20, 10), range(count), 1)
        mux(plan, list(parts), span=(0, count))
        assert len(list(target.glob("*.png"))) == count
    (target / "timestamps.txt").unlink()
    with pytest.raises(InputError, match="not made by fastvid"):
        plan_output(target, info=info_of(20, 10))
    plan_output(target, info=info_of(20, 10), overwrite=True)
    (tmp_path / "empty").mkdir()
    plan = plan_output(tmp_path / "empty", info=info_of(20, 10))
    mux(plan, list(parts))
    assert len(list((tmp_path / "empty").glob("*.png"))) == 3
    assert sorted(os.listdir(tmp_path)) == ["empty", "out", "work"]


def test_an_unfinished_part_is_not_used_and_nothing_is_left(tmp_path: Path) -> None:
    plan = plan_output(f"{tmp_path}/out/", info=info_of(20, 10))
    encoder = open_encoder(plan, tmp_path / "part")
    with pytest.raises(ValueError, match="at least one frame"):
        encoder.close()
    encoder.write(noise(1, 20, 10)[0], 4, 1)
    with pytest.raises(ValueError, match="pts 4 comes after 4"):
        encoder.write(noise(1, 20, 10)[0], 4, 1)
    with pytest.raises(StorageError, match="no complete part"):
        mux(plan, [tmp_path / "part"])
    encoder.abort()
    assert os.listdir(tmp_path) == []
    closed = open_encoder(plan, tmp_path / "part")
    closed.write(noise(1, 20, 10)[0], 4, 1)
    closed.close()
    closed.abort()
    (tmp_path / "part" / "0.png").unlink()
    with pytest.raises(StorageError, match="out"):
        mux(plan, [tmp_path / "part"])
    assert os.listdir(tmp_path) == ["part"]


def test_names_sort_as_the_frames_do() -> None:
    assert image_name(7, 10) == "000007.png"
    assert image_name(999999, 1000000) == "999999.png"
    assert image_name(7, 1000001) == "0000007.png"
