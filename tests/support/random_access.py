"""Frames read by themselves beside those that decoding from the beginning gives."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from fastvid.decode.entry_points import EntryPoints
from fastvid.decode.film import open_source
from fastvid.decode.film_index import FilmIndex, index_arrays, index_from_arrays
from fastvid.decode.random_access import FrameReader, checksum, open_reader
from support.decode_clips import numbered_picture

COUNT = 41


def sequential(path: Path, **options: Any) -> list[np.ndarray]:
    """The plain oracle."""
    with open_source(str(path), **options) as source:
        return [frame.image for frame in source]


def reader_of(path: Path, **options: Any) -> FrameReader:
    with open_source(str(path), **options) as source:
        return open_reader(index_from_arrays(index_arrays(source.index())))


def entries_of(path: Path) -> EntryPoints:
    with open_source(str(path)) as source:
        index = source.index()
    assert isinstance(index, FilmIndex)
    return index.entries


def check_all(path: Path, **options: Any) -> None:
    """Segments as they are dealt, backwards, and at random: each the same bytes."""
    wanted = sequential(path, **options)
    count = len(wanted)
    every = [(start, min(start + 5, count)) for start in range(0, count, 4)]
    shuffled = every + [(i, i + 1) for i in range(count)]
    random.Random(5).shuffle(shuffled)
    for order in (every, every[::3], every[::-1], shuffled):
        reader = reader_of(path, **options)
        for start, stop in order:
            images = reader.read(start, stop)
            assert len(images) == stop - start
            for number, image in zip(range(start, stop), images, strict=True):
                assert image.tobytes() == wanted[number].tobytes(), number
                assert image.shape == wanted[number].shape
                assert checksum(image) == checksum(wanted[number])
        reader.close()


def moving(width: int = 96, height: int = 64) -> list[np.ndarray]:
    """Numbered pictures with a moving texture, so that each refers to its neighbours."""
    noise = np.random.default_rng(2).integers(0, 60, (height, width + COUNT, 3), dtype=np.uint8)
    return [numbered_picture(i, width, height) // 2 + noise[:, i : i + width] for i in range(COUNT)]
