"""HDR is mapped by the published formulas; the fast tables agree with plain arithmetic."""

from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.film import open_source
from fastvid.decode.frame import ColorTags
from fastvid.decode.tonemap import (
    BT709_TO_BT2020,
    BT2020_TO_BT709,
    SDR_WHITE_NITS,
    WHITE_CODE,
    ToneMapper,
    bt2390_curve,
    hlg_to_scene,
    nits_to_pq,
    pq_to_nits,
)
from support.decode_clips import write_clip


@pytest.mark.parametrize(
    "nits, code", [(0, 0.0), (100, 0.5081), (203, 0.5807), (1000, 0.7518), (10000, 1.0)]
)
def test_pq_at_published_points(nits: float, code: float) -> None:
    """Values of ITU-R BT.2408, table 1, and SMPTE ST 2084."""
    assert nits_to_pq(np.array(nits)) == pytest.approx(code, abs=2e-4)
    assert pq_to_nits(nits_to_pq(np.array(nits))) == pytest.approx(nits, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("code, scene", [(0, 0), (0.5, 1 / 12), (0.75, 0.26496), (1, 1)])
def test_hlg_at_published_points(code: float, scene: float) -> None:
    """ITU-R BT.2100, table 5; 75 % is HDR reference white."""
    assert hlg_to_scene(np.array(code)) == pytest.approx(scene, abs=2e-4)


def test_gamut_matrix_keeps_white() -> None:
    assert BT709_TO_BT2020.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-3)
    assert pytest.approx(np.eye(3)) == BT2020_TO_BT709 @ BT709_TO_BT2020


@pytest.mark.parametrize("peak", [203, 400, 1000, 4000, 10000])
def test_tone_curve(peak: float) -> None:
    nits = np.linspace(0, peak, 500)
    shown = bt2390_curve(nits, peak)
    assert (np.diff(shown) > -1e-9).all()
    assert shown[-1] == pytest.approx(SDR_WHITE_NITS, rel=1e-3)
    assert (shown <= nits + 1e-6).all() and shown[0] == pytest.approx(0, abs=1e-6)
    assert bt2390_curve(np.array([10.0]), peak) == pytest.approx([10.0], rel=1e-6)


def plain(rgb: np.ndarray, transfer: str) -> np.ndarray:
    """One pixel, non-linear R'G'B' 0..1 in BT.2020, step by step as the docstring says."""
    if transfer == "pq":
        light = np.minimum(pq_to_nits(rgb), 1000.0)
    else:
        scene = hlg_to_scene(rgb)
        luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2]
        light = 1000.0 * luminance**0.2 * scene
    brightest = light.max()
    if brightest > 0:
        light = light * (bt2390_curve(np.array([brightest]), 1000.0)[0] / brightest)
    shown = np.clip(BT2020_TO_BT709 @ light / 203.0, 0, 1) ** (1 / 2.4)
    return np.asarray(np.rint(255 * shown))


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_tables_agree_with_plain_arithmetic(transfer: str) -> None:
    codes = np.random.default_rng(3).integers(0, WHITE_CODE + 1, (3, 7, 37)).astype(np.uint16)
    codes[:, 0, 0], codes[:, 0, 1] = 0, WHITE_CODE
    mapped = ToneMapper(transfer)(codes)
    assert mapped.shape == (7, 37, 3) and mapped.dtype == np.uint8
    for y in range(7):
        for x in range(37):
            expected = plain(codes[:, y, x] / WHITE_CODE, transfer)
            assert np.abs(mapped[y, x] - expected).max() <= 1


@pytest.mark.parametrize("transfer, number", [("pq", 16), ("hlg", 18)])
def test_a_tagged_clip_is_mapped_and_said(tmp_path: Path, transfer: str, number: int) -> None:
    bars = np.array(
        [
            [0, 0, 0],
            [60, 60, 60],
            [148, 148, 148],
            [192, 192, 192],
            [255, 255, 255],
            [140, 100, 80],
            [80, 120, 100],
            [90, 90, 140],
        ],
        np.uint8,
    )
    image = np.ascontiguousarray(np.broadcast_to(np.repeat(bars, 8, axis=0), (47, 64, 3)))
    path = write_clip(
        tmp_path / "h.mkv",
        [image],
        codec="ffv1",
        pix_fmt="yuv420p10le",
        matrix=9,
        tags=(9, number, 9),
    )
    source = open_source(str(path))
    (frame,) = source
    for seen, bar in zip(frame.image[24, 4::8], bars, strict=True):
        assert np.abs(seen - plain(bar / 255.0, transfer)).max() <= 3
    assert source.info.color == ColorTags(1, 1, 1, False)
    assert "tone-mapped" in source.info.notes[0]
