"""Dolby Vision of profile 5 is refused: without its metadata its colours are wrong."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastvid.decode.dolby import is_reshaped
from fastvid.decode.film import open_source
from fastvid.decode.frame import ColorTags
from fastvid.encode.mux import mux
from fastvid.encode.output import open_encoder, plan_output
from fastvid.errors import InputError
from support.encode_clips import info_of


def hevc_film(path: Path, sample_entry: bytes, transfer: int) -> Path:
    """A film in HEVC whose container names it by `sample_entry`. transfer: H.273, 2 for unsaid."""
    info = replace(info_of(64, 64), color=ColorTags(2, transfer, 2, False))
    plan = plan_output(path, info=info, codec="libx265")
    encoder = open_encoder(plan, path.with_suffix(".part"))
    encoder.write(np.zeros((64, 64, 3), np.uint8), 0, 1)
    encoder.close()
    mux(plan, [path.with_suffix(".part")])
    content = path.read_bytes()
    assert content.count(b"hvc1") == 1
    path.write_bytes(content.replace(b"hvc1", sample_entry))
    return path


@pytest.mark.parametrize(("entry", "transfer"), [(b"hvc1", 2), (b"dvh1", 16)])
def test_a_layer_that_can_be_seen_is_read(tmp_path: Path, entry: bytes, transfer: int) -> None:
    with open_source(str(hevc_film(tmp_path / "film.mp4", entry, transfer))) as film:
        assert len(list(film)) == 1


@pytest.mark.parametrize("entry", [b"dvh1", b"dvhe"])
def test_one_that_can_not_is_refused_with_the_way_out(tmp_path: Path, entry: bytes) -> None:
    path = hevc_film(tmp_path / "film.mp4", entry, 2)
    with pytest.raises(InputError, match=r"Dolby Vision of a profile \(5\)") as refused:
        open_source(str(path))
    assert "libplacebo" in str(refused.value)


@pytest.mark.parametrize(
    ("profile", "full_range", "reshaped"), [(0, 1, True), (0, 0, False), (1, 1, False)]
)
def test_what_the_metadata_says(profile: int, full_range: int, reshaped: bool) -> None:
    """A header as FFmpeg keeps it (AVDOVIMetadata, AVDOVIRpuDataHeader)."""
    header = struct.pack("@BHBBBBBBB", 2, 18, profile, 6, 0, 0, 23, 1, full_range)
    assert is_reshaped(struct.pack("@N", 40).ljust(40, b"\0") + header) is reshaped


def test_metadata_of_none() -> None:
    for content in (b"", b"\0" * 7, struct.pack("@N", 2**60)):
        assert not is_reshaped(content)
