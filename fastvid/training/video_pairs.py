"""Neighbouring frames of real videos as training pairs, with the flow and masks of the project."""

import os
from dataclasses import dataclass

import numpy as np

from fastvid.decode.film import open_source
from fastvid.decode.source import VideoSource
from fastvid.errors import InputError
from fastvid.motion.flow import FlowEstimator
from fastvid.motion.occlusion import reliable_mask
from fastvid.training.pairs import FramePair, within

# One pair in so many frames: neighbours of neighbours teach nothing new.
PAIR_EVERY = 10
# A pair of 570x320 pixels takes 3.5 MB with its flow and mask; all are kept in memory.
MAX_PAIRS = 200
# Frames of which less is seen in both belong to two shots.
MIN_VISIBLE = 0.5
# The share of the items of a run that come from videos, where there are any.
VIDEO_SHARE = 0.3
EXTENSIONS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".ts")


@dataclass(frozen=True)
class VideoPairs:
    """Pairs of whole frames, uint8 BGR with flow and mask; crops of them are the training pairs."""

    pairs: tuple[FramePair, ...]

    def crop(self, size: int, random: np.random.Generator) -> FramePair:
        """A `size` x `size` part of a random pair, float32; the mask keeps what stays inside."""
        pair = self.pairs[random.integers(len(self.pairs))]
        height, width = pair.visible.shape
        top, left = random.integers(0, height - size + 1), random.integers(0, width - size + 1)
        return cropped(pair, top, left, size)


def cropped(pair: FramePair, top: int, left: int, size: int) -> FramePair:
    """A `size` x `size` part of a pair, float32; the mask keeps what stays inside."""
    part = np.s_[top : top + size, left : left + size]
    flow = np.ascontiguousarray(pair.backward_flow[part])
    second = pair.second[part].astype(np.float32)
    first = pair.first[part].astype(np.float32)
    return FramePair(first, second, flow, pair.visible[part] & within(flow), second)


def find_videos(path: str) -> list[str]:
    """A video file, or the videos in a folder by name; raises InputError if there are none."""
    if os.path.isfile(path):
        return [path]
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read the videos: {error.strerror}") from error
    found = [os.path.join(path, name) for name in names if name.lower().endswith(EXTENSIONS)]
    if not found:
        raise InputError(f"{path}: no videos there ({', '.join(EXTENSIONS)})")
    return found


def load_video_pairs(paths: list[str], size: int, pair_every: int = PAIR_EVERY) -> VideoPairs:
    """Pairs from all videos in turn, with a shorter side of 1.25 `size`, at most MAX_PAIRS in all.

    pair_every: one pair in so many frames.
    Raises InputError for a video that can't be decoded, or if no pair is left.
    """
    estimator = FlowEstimator()
    share = max(1, MAX_PAIRS // len(paths))
    pairs = [pair for path in paths for pair in _pairs_of(path, size, share, pair_every, estimator)]
    if not pairs:
        raise InputError(f"{paths[0]}: no two neighbouring frames that show the same scene")
    return VideoPairs(tuple(pairs))


def _pairs_of(
    path: str, size: int, limit: int, pair_every: int, estimator: FlowEstimator
) -> list[FramePair]:
    pairs: list[FramePair] = []
    with open_source(path, size=frame_size(path, size)) as source:
        previous = None
        for frame in source:
            if previous is not None and frame.index % pair_every == 1:
                pair = measured_pair(previous, frame.image, estimator)
                if pair.visible.mean() >= MIN_VISIBLE:
                    pairs.append(pair)
            if len(pairs) == limit:
                break
            previous = frame.image
    return pairs


def measured_pair(
    previous: np.ndarray,
    current: np.ndarray,
    estimator: FlowEstimator,
    boundaries_unreliable: bool = True,
) -> FramePair:
    """Neighbours, (H, W, 3) uint8 RGB, as a pair (BGR) with estimated flow and mask."""
    backward = estimator(current, previous)
    visible = reliable_mask(backward, estimator(previous, current), boundaries_unreliable)
    first, second = (np.ascontiguousarray(image[..., ::-1]) for image in (previous, current))
    return FramePair(first, second, backward, visible, second)


def frame_size(path: str, size: int) -> tuple[int, int]:
    """The size of decoded frames whose shorter side is 1.25 `size`."""
    side = -(-size * 5 // 4 // 2) * 2
    source: VideoSource
    with open_source(path) as source:
        upright = source.info.width >= source.info.height
    return (-1, side) if upright else (side, -1)
