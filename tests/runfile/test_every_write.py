"""A run file after a kill between any two writes, and after the death of the node."""

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastvid.runfile import journaled
from fastvid.runfile.reader import RunFile
from fastvid.runfile.writer import RunWriter
from support.recorded_writes import Recorder, what_a_dead_node_leaves
from support.run_files import create, frame, store

SEGMENT = 4
FRAMES = 400
# HDF5 splits a node of the chunks' index at 64 frames, and every 32 frames from then on.
NEVER, ALWAYS = 1e9, -1.0


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([frame(index) for index in range(FRAMES + 2 * SEGMENT)])


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk is recorded; nobody has to wait here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def record_run(
    path: Path, monkeypatch: pytest.MonkeyPatch, sync_every: int, frames: int = FRAMES
) -> Recorder:
    """A run of `frames` frames; the steps' notes are the frames that were acknowledged."""
    writer = create(path)
    with monkeypatch.context() as patch:
        recorder = Recorder(path, patch)
        for number, start in enumerate(range(0, frames, SEGMENT)):
            last = number % sync_every == sync_every - 1
            patch.setattr(journaled, "SYNC_INTERVAL_S", ALWAYS if last else NEVER)
            store(writer, number, start, start + SEGMENT)
            recorder.note = start + SEGMENT
        writer.close()
    return recorder


def check(path: Path, least: int, most: int, pictures: np.ndarray) -> None:
    """The file opens, holds what was acknowledged, all of it right, and can be continued."""
    with RunFile(path) as run:
        stored = set(np.flatnonzero(run.stored).tolist())
    writer = RunWriter.continue_run(path, "none")
    assert writer.stored == stored
    count = len(stored)
    assert stored == set(range(count)) and least <= count <= most
    for start in range(count, count + 2 * SEGMENT, SEGMENT):
        store(writer, start // SEGMENT, start, start + SEGMENT)
    writer.close()
    with h5py.File(path) as file:
        assert file["frames/stored"][:].all() and len(file["frames/stored"]) == count + 2 * SEGMENT
        assert np.array_equal(file["frames/stylized"][:], pictures[: count + 2 * SEGMENT])


def images(recorder: Recorder, torn: bool) -> Iterator[tuple[int, bytearray]]:
    """What was acknowledged, and the file, before each write and after the last one."""
    image = bytearray(recorder.before)
    for step in recorder.steps:
        for piece in step.pages() if torn else [step]:
            yield step.note, image
            piece.apply(image)
    yield recorder.steps[-1].note, image


@pytest.mark.parametrize("sync_every", [1, 7, 1000])
def test_a_kill_between_any_two_writes(
    sync_every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: np.ndarray
) -> None:
    recorder = record_run(tmp_path / "run.h5", monkeypatch, sync_every)
    assert bytes(list(images(recorder, False))[-1][1]) == (tmp_path / "run.h5").read_bytes()
    copy = tmp_path / "copy.h5"
    tried = 0
    for number, (known, image) in enumerate(images(recorder, torn=False)):
        # All around the splits of the index; of the others some.
        if (known + SEGMENT) % 32 <= SEGMENT or number % 7 == 0:
            copy.write_bytes(image)
            check(copy, known, known + SEGMENT, pictures)
            tried += 1
    assert tried > FRAMES // 3


def test_a_write_that_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: np.ndarray
) -> None:
    """A kill ends a long write between two pages."""
    recorder = record_run(tmp_path / "run.h5", monkeypatch, 5, frames=80)
    copy = tmp_path / "copy.h5"
    for known, image in images(recorder, torn=True):
        if known >= 56:  # two syncs and the first split of the index
            copy.write_bytes(image)
            check(copy, known, known + SEGMENT, pictures)


def test_plain_hdf5_opens_it_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As h5dump -H does: what is where, without the journal."""
    recorder = record_run(tmp_path / "run.h5", monkeypatch, 7, frames=120)
    copy = tmp_path / "copy.h5"
    for known, image in images(recorder, torn=False):
        copy.write_bytes(image)
        with h5py.File(copy) as file:
            assert file["frames/stylized"].shape[1:] == (24, 32, 3)
            # It lies behind by what was stored since the last sync.
            marks = int(file["frames/stored"][:].sum())
            assert known - 8 * SEGMENT <= marks <= known + SEGMENT


def test_a_recovery_may_be_killed_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: np.ndarray
) -> None:
    recorder = record_run(tmp_path / "run.h5", monkeypatch, 1000, frames=72)
    known, image = next(item for item in images(recorder, torn=False) if item[0] == 68)
    first, copy = tmp_path / "first.h5", tmp_path / "copy.h5"
    first.write_bytes(image)
    with monkeypatch.context() as patch:
        again = Recorder(first, patch)
        RunWriter.continue_run(first, "none").close()
    for _, torn in images(again, torn=True):
        copy.write_bytes(torn)
        check(copy, known, known, pictures)


def test_the_death_of_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: np.ndarray
) -> None:
    """What was written since the last sync is there or not, page by page. All that is said to be
    stored is right, and nothing of before the sync is missing."""
    recorder = record_run(tmp_path / "run.h5", monkeypatch, 5, frames=80)
    random = np.random.default_rng(13)
    copy = tmp_path / "copy.h5"
    steps = recorder.steps
    kept = lost = 0
    # Anywhere, and where changes are in their place, but not yet for sure.
    stops = random.integers(1, len(steps), 40).tolist()
    stops += [i for i, step in enumerate(steps) if i and step.is_sync] * 4
    for stop in stops:
        last = max((i for i in range(stop) if steps[i].is_sync), default=-1) + 1
        durable = bytearray(recorder.before)
        for step in steps[:last]:
            step.apply(durable)
        safe = steps[last].note if last else 0
        copy.write_bytes(what_a_dead_node_leaves(bytes(durable), steps[last:stop], random))
        counted = check_what_is_stored(copy, safe - SEGMENT, pictures)
        kept += counted > safe
        lost += counted < steps[stop].note
    assert kept > 3 and lost > 10


def check_what_is_stored(path: Path, least: int, pictures: np.ndarray) -> int:
    """The file can be continued, and nothing in it is wrong; how many frames it has."""
    writer = RunWriter.continue_run(path, "none")
    count = len(writer.stored)
    assert set(range(least)) <= writer.stored
    for start in range(0, 80 + 2 * SEGMENT, SEGMENT):
        if not writer.has(start, start + SEGMENT):
            store(writer, start // SEGMENT, start, start + SEGMENT)
    writer.close()
    with h5py.File(path) as file:
        written = file["frames/stylized"][:]
    assert np.array_equal(written, pictures[: len(written)])
    return count
