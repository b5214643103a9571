"""Masks come out the same, whatever kind of file they are in; what is no mask is refused."""

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from fastvid.errors import InputError
from fastvid.regions.masks import open_masks
from support.mask_files import (
    float_frame,
    grey_mask,
    palette_frame,
    with_alpha,
    write_folder,
    write_image,
    write_video,
)


def read(path: Path, selector: str = "", number: int = 0) -> np.ndarray:
    with closing(open_masks(str(path), selector)) as masks:
        return masks.read(number)


def test_images_without_loss_give_the_mask_itself(tmp_path: Path) -> None:
    mask = grey_mask()
    plain = VideoFrame.from_ndarray(mask, format="gray")
    kinds = {
        "grey": write_image(tmp_path / "grey.png", "png", plain),
        "rgb": write_image(tmp_path / "rgb.png", "png", plain.reformat(format="rgb24")),
        "alpha": write_image(tmp_path / "alpha.png", "png", with_alpha(mask)),
        "exr": write_image(tmp_path / "mask.exr", "exr", float_frame(mask / 255)),
        "palette": write_image(
            tmp_path / "palette.png",
            "png",
            palette_frame(mask, {level: (level, level, level) for level in (128, 255)}),
        ),
    }
    cv2.imwrite(str(tmp_path / "deep.png"), mask.astype(np.uint16) * 257)
    kinds["16 bit"] = tmp_path / "deep.png"
    for name, path in kinds.items():
        assert np.array_equal(read(path), mask), name


def test_one_bit_and_opaque_alpha_are_read_as_grey(tmp_path: Path) -> None:
    mask = np.where(grey_mask() > 0, np.uint8(255), np.uint8(0))
    frame = VideoFrame.from_ndarray(mask, format="gray")
    bits = write_image(tmp_path / "bits.png", "png", frame.reformat(format="monob"))
    assert np.array_equal(read(bits), mask)
    assert np.array_equal(read(bits, "1"), mask)
    rgba = write_image(tmp_path / "rgba.png", "png", frame.reformat(format="rgba"))
    assert np.array_equal(read(rgba), mask)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "full_range"),
    [
        ("m.mkv", "ffv1", "gray", True),
        ("m.mp4", "libx264", "yuv420p", False),
        ("m.mp4", "libx264", "yuvj420p", True),
        ("m.mov", "prores_ks", "yuva444p10le", False),
        ("m.webm", "libvpx-vp9", "yuva420p", False),
    ],
)
def test_videos_give_the_mask_as_well_as_they_hold_it(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, full_range: bool
) -> None:
    masks = [np.roll(grey_mask(), 4 * shift, axis=1) for shift in range(5)]
    if pix_fmt.startswith("yuva"):
        frames = [with_alpha(mask) for mask in masks]
    else:
        frames = [VideoFrame.from_ndarray(mask, format="gray") for mask in masks]
    path = write_video(tmp_path / name, frames, codec, pix_fmt, full_range=full_range)
    with closing(open_masks(str(path), "")) as found:
        assert found.count == 5
        for number in (0, 1, 2, 4, 1):  # on, over one, and back
            read_mask = found.read(number).astype(int)
            # Edges ring a little; the bulk of each level is what it was.
            inner = cv2.erode(masks[number], np.ones((5, 5))) == cv2.dilate(
                masks[number], np.ones((5, 5))
            )
            assert np.abs(read_mask - masks[number])[inner].max() <= 2
            if codec == "ffv1":
                assert np.array_equal(read_mask, masks[number])


def test_labels_and_colours_are_chosen(tmp_path: Path) -> None:
    labels = np.zeros((48, 64), np.uint8)
    labels[:10], labels[20:30] = 1, 3
    colors = {1: (200, 10, 20), 3: (1, 2, 250)}
    path = write_image(tmp_path / "labels.png", "png", palette_frame(labels, colors))
    cv2.imwrite(str(tmp_path / "grey.png"), labels)
    for label in (1, 3):
        expected = np.where(labels == label, 255, 0)
        assert np.array_equal(read(path, str(label)), expected)
        assert np.array_equal(read(tmp_path / "grey.png", str(label)), expected)
    assert np.array_equal(read(path, "#0102fa"), np.where(labels == 3, 255, 0))
    with closing(open_masks(str(path), "1")) as masks:
        assert masks.labels(0) == {0, 1, 3}
    with pytest.raises(InputError, match="has colours; say which is meant, as in MASK:#ff0000"):
        read(path)


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "colour.png"), np.full((48, 64, 3), (10, 200, 30), np.uint8))
    with pytest.raises(InputError, match="has colours"):
        read(tmp_path / "colour.png")
    for bad in (np.nan, 1.5, -0.1):
        values = np.zeros((48, 64), np.float32)
        values[3, 3] = bad
        path = write_image(tmp_path / "bad.exr", "exr", float_frame(values))
        with pytest.raises(InputError, match=r"bad\.exr: has numbers outside 0\.\.1"):
            read(path)
    with pytest.raises(InputError, match="no such file, or folder of masks"):
        read(tmp_path / "nothing")
    folder = write_folder(tmp_path / "masks", [grey_mask()] * 3)
    (folder / "00001.png").unlink()
    with pytest.raises(InputError, match="number 1 of 0 to 2 is missing"):
        read(folder)
    folder = write_folder(tmp_path / "sizes", [grey_mask(), grey_mask(32, 24)])
    with pytest.raises(InputError, match="has 32x24 pixels, the first mask has 64x48"):
        read(folder, number=1)


def test_a_mask_that_is_changed_while_it_is_used_is_noticed(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "masks", [grey_mask()] * 3)
    with closing(open_masks(str(folder), "")) as masks:
        masks.read(1)
        cv2.imwrite(str(folder / "00001.png"), grey_mask()[:, ::-1])
        with pytest.raises(InputError, match=r"00001\.png: was changed"):
            masks.read(1)
