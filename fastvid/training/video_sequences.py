"""Successive frames of real videos for recurrent models, with the flow and masks of the project."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fastvid.decode.film import open_source
from fastvid.errors import InputError
from fastvid.motion.flow import FlowEstimator
from fastvid.training.pairs import FramePair
from fastvid.training.sequences import FrameSequence
from fastvid.training.video_pairs import MIN_VISIBLE, cropped, frame_size, measured_pair

# Five frames are the longest sequence that a step trains on.
SEQUENCE_FRAMES = 5
# One sequence in so many frames: neighbours of neighbours teach nothing new.
SEQUENCE_EVERY = 25
# A sequence of 570x320 pixels takes 11 MB with its flow and masks; all are kept in memory.
MAX_SEQUENCES = 60


@dataclass(frozen=True)
class VideoSequences:
    """Sequences of whole frames; each is its SEQUENCE_FRAMES - 1 pairs of neighbours."""

    sequences: tuple[tuple[FramePair, ...], ...]

    def crop(self, size: int, length: int, random: np.random.Generator) -> FrameSequence:
        """`length` successive frames of a `size` x `size` part of a random sequence, float32."""
        pairs = self.sequences[random.integers(len(self.sequences))]
        start = random.integers(len(pairs) - length + 2)
        height, width = pairs[0].visible.shape
        top, left = random.integers(0, height - size + 1), random.integers(0, width - size + 1)
        taken = [cropped(pair, top, left, size) for pair in pairs[start : start + length - 1]]
        frames = (taken[0].first, *(pair.second for pair in taken))
        flows = tuple(pair.backward_flow for pair in taken)
        return FrameSequence(frames, flows, tuple(pair.visible for pair in taken), frames[-1])


def load_video_sequences(
    paths: list[str],
    size: int,
    sequence_every: int = SEQUENCE_EVERY,
    min_visible: float = MIN_VISIBLE,
) -> VideoSequences:
    """Sequences from all videos in turn, with a shorter side of 1.25 `size`, at most MAX_SEQUENCES.

    sequence_every: one in so many frames; min_visible: the share of each frame that must be seen in
    the one before. Raises InputError for a video that can't be decoded, or if no sequence is left.
    """
    share = max(1, MAX_SEQUENCES // len(paths))
    wanted = _Wanted(share, sequence_every, min_visible)
    found = [sequence for path in paths for sequence in _sequences_of(path, size, wanted)]
    if not found:
        raise InputError(
            f"{paths[0]}: no {SEQUENCE_FRAMES} successive frames that show the same scene"
        )
    return VideoSequences(tuple(found))


@dataclass(frozen=True)
class _Wanted:
    """Which sequences of a video are taken: at most so many, one in so many frames."""

    limit: int
    every: int
    min_visible: float


def _sequences_of(path: str, size: int, wanted: _Wanted) -> list[tuple[FramePair, ...]]:
    estimator = FlowEstimator()
    found: list[tuple[FramePair, ...]] = []
    recent: deque[np.ndarray] = deque(maxlen=SEQUENCE_FRAMES)
    with open_source(path, size=frame_size(path, size)) as source:
        for frame in source:
            recent.append(frame.image)
            if frame.index % wanted.every != SEQUENCE_FRAMES - 1:
                continue
            images = list(recent)
            # Motion boundaries stay in the mask, as they do by default when a model runs.
            pairs = tuple(
                measured_pair(previous, current, estimator, boundaries_unreliable=False)
                for previous, current in pairwise(images)
            )
            if all(pair.visible.mean() >= wanted.min_visible for pair in pairs):
                found.append(pairs)
            if len(found) == wanted.limit:
                break
    return found
