"""Whether a run fits is said before it begins."""

from fractions import Fraction
from pathlib import Path

import pytest

import fastvid.job.estimate
from fastvid.decode.frame import ColorTags, VideoInfo
from fastvid.errors import InputError
from fastvid.job.estimate import (
    check_disk,
    check_memory,
    encoder_bytes,
    encoders_by_host,
    frame_bytes,
    rank0_extra_bytes,
    rank_bytes,
    run_file_bytes,
)
from fastvid.job.options import StylizeOptions
from fastvid.parallel.mpi.peer import Peer

GB = 10**9


def info(width: int, height: int, count: int | None) -> VideoInfo:
    return VideoInfo(
        "in.mp4", width, height, Fraction(1, 25), Fraction(25), count, ColorTags(1, 1, 1, False)
    )


def options(**values: object) -> StylizeOptions:
    return StylizeOptions(Path("in.mp4"), Path("out.mp4"), **values)  # type: ignore[arg-type]


def peers(*memory: tuple[str, int]) -> list[Peer]:
    return [Peer(rank, host, 1, left, 100 + rank) for rank, (host, left) in enumerate(memory)]


def test_ten_minutes_of_1080p_take_112_gb() -> None:
    """The figure of the design: 18000 frames at 30 a second."""
    needed = run_file_bytes(info(1920, 1080, 18000), options())
    assert needed == 18000 * 1920 * 1080 * 3 and round(needed / GB) == 112


def test_what_is_kept_besides_counts() -> None:
    assert frame_bytes(info(10, 10, 1), ("flow", "occlusion")) == 100 * (3 + 8 + 1)


def test_discarding_frames_bounds_the_run_file() -> None:
    hour, day = (
        run_file_bytes(info(640, 360, 90000 * hours), options(discard_frames=True))
        for hours in (1, 24)
    )
    assert hour == day is not None and day < 500 * 640 * 360 * 3
    assert run_file_bytes(info(640, 360, None), options(discard_frames=True)) == day


def test_an_unknown_length_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastvid.job.estimate, "free_disk_bytes", lambda path: 0)
    assert run_file_bytes(info(640, 360, None), options()) is None
    check_disk(info(640, 360, None), options(), stored_frames=0)


def test_a_disk_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastvid.job.estimate, "free_disk_bytes", lambda path: 5 * GB)
    check_disk(info(640, 360, 1000), options(), stored_frames=0)
    long = info(640, 360, 10000)
    with pytest.raises(InputError, match=r"only 5.0 GB are free") as error:
        check_disk(long, options(), stored_frames=0)
    for way_out in ("--discard-frames", "--run-file", "--size"):
        assert way_out in str(error.value)
    check_disk(long, options(discard_frames=True), stored_frames=0)
    # What an earlier run has stored needs no room again.
    check_disk(long, options(), stored_frames=4000)


def test_a_size_that_does_not_fit_in_memory() -> None:
    huge = info(16000, 9000, 10)
    check_memory(info(640, 360, 10), options(), 10**8, peers(("a", 8 * GB), ("a", 8 * GB)))
    with pytest.raises(InputError, match="16000x9000") as error:
        check_memory(huge, options(), 10**10, peers(("a", 8 * GB)))
    assert "8.0 GB left" in str(error.value) and "--size" in str(error.value)


def test_ranks_of_a_host_share_its_memory() -> None:
    film = info(1920, 1080, 1000)
    each = rank_bytes(film, options(), 10**9)
    check_memory(film, options(), 10**9, peers(("a", 4 * each), ("b", 2 * each), ("b", 2 * each)))
    with pytest.raises(InputError, match="for the 3 on b"):
        check_memory(
            film,
            options(),
            10**9,
            peers(("a", 4 * each), ("b", 2 * each), ("b", 2 * each), ("b", 2 * each)),
        )


def test_ranks_encode_where_memory_is_left() -> None:
    """Three hosts with room for nothing, one and all ranks' encoders beside all else."""
    film = info(1920, 1080, 1000)
    each, encoder = rank_bytes(film, options(), 10**9), encoder_bytes(film)
    rank0 = each + rank0_extra_bytes(film, options())
    ranks = [("a", rank0 + each + encoder - 1)] * 2
    ranks += [("b", 2 * each + encoder)] * 2 + [("c", 2 * each + 3 * encoder)] * 2
    found = encoders_by_host(film, options(), 10**9, peers(*ranks))
    assert found == {"a": 0, "b": 1, "c": 3}


def test_memory_is_bounded_by_segments_not_by_length() -> None:
    assert (
        rank_bytes(info(640, 360, 10), options(), 0)
        == rank_bytes(info(640, 360, 10**7), options(), 0)
        < rank_bytes(info(640, 360, 10), options(segment_length=64), 0)
    )
