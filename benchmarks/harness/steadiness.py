"""How steady and sharp a style is on one film: the real stages, judged as `evaluate` does."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.evaluate.figures import Evaluation, evaluate
from fastvid.commands.plan.forecast import shot_lengths
from fastvid.decode.cuts import mark_cuts
from fastvid.decode.film import open_source
from fastvid.job.identity import picture_settings
from fastvid.job.options import StylizeOptions
from fastvid.motion.flow import FlowEstimator
from fastvid.stages.repaint import Repaint
from fastvid.style.loading import load_style

GENERATED = "generated"
_GENERATED_SIZE = (640, 360)
_GENERATED_FRAMES = 96
# The filter has DIS; see `fastvid.commands.evaluate.figures`.
JUDGE = "deepflow"


@dataclass(frozen=True)
class Film:
    """A film in memory. frames: (H, W, 3) uint8 RGB. shots: [start, stop) of each. flow_between:
    the judging flow from one frame to another, by their numbers."""

    name: str
    frames: list[np.ndarray]
    shots: list[tuple[int, int]]
    flow_between: Callable[[int, int], np.ndarray]


def read_film(text: str, limit: int | None) -> Film:
    """The film that a text names: PATH, PATH@A:B, PATH@WxH, PATH@A:B@WxH, generated or
    generated@WxH. limit: at most so many frames.

    Raises ValueError for a text that says nothing, InputError as `open_source`.
    """
    path, *parts = text.split("@")
    span: tuple[int, int | None] | None = None
    size: tuple[int, int] | None = None
    for part in parts:
        first, colon, second = part.partition(":")
        if colon:
            span = int(first or 0), int(second) if second else None
        else:
            width, _, height = part.partition("x")
            size = int(width), int(height)
    if path == GENERATED:
        return _generated(size or _GENERATED_SIZE, limit or _GENERATED_FRAMES)
    frames, cuts = [], []
    with open_source(path, frames=span, size=size) as source:
        for frame, begins_shot in mark_cuts(source, "auto"):
            if limit is not None and frame.index >= limit:
                break
            frames.append(frame.image)
            if begins_shot:
                cuts.append(frame.index)
    judge = FlowEstimator(JUDGE)
    return Film(
        Path(path).stem,
        frames,
        _shots(len(frames), cuts),
        lambda index, other: judge(frames[index], frames[other]),
    )


def _generated(size: tuple[int, int], count: int) -> Film:
    clip = SyntheticClip(*size, frame_count=count)
    frames = [clip.frame(index) for index in range(count)]
    return Film(GENERATED, frames, _shots(count, list(clip.cuts)), clip.flow)


def _shots(count: int, cuts: list[int]) -> list[tuple[int, int]]:
    lengths = shot_lengths(count, cuts)
    starts = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    return list(pairwise(starts))


class KeptFlow:
    """The judging flow of a film's frames, computed once for all styles and kept in a folder.

    Called with two images of the film, the very objects.
    """

    def __init__(self, film: Film, folder: Path) -> None:
        self._film = film
        self._folder = folder
        self._numbers = {id(image): number for number, image in enumerate(film.frames)}

    def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        index, other = self._numbers[id(source)], self._numbers[id(target)]
        path = self._folder / f"{self._film.name}-{len(self._film.frames)}-{index}-{other}.npy"
        if path.exists():
            kept: np.ndarray = np.load(path)
            return kept
        flow = self._film.flow_between(index, other)
        np.save(path, flow)
        return flow


def options_with(**given: Any) -> StylizeOptions:
    """The default options of `stylize` but for those that are given and not None."""
    named = {name: value for name, value in given.items() if value is not None}
    return StylizeOptions(Path(), Path(), **named)


def stages_of(style: str, options: StylizeOptions, threads: int) -> Repaint:
    """The real stages of a style; of the options, those that shape the picture count."""
    return Repaint([load_style(style)], picture_settings(options, threads=threads))


def repaint(
    style: str, film: Film, options: StylizeOptions, threads: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The film's frames finished, and painted frame by frame."""
    stages = stages_of(style, options, threads)
    starts = {start for start, _ in film.shots}
    outputs: list[np.ndarray] = []
    painted: list[np.ndarray] = []
    for index, frame in enumerate(film.frames):
        alone = stages.paint(frame)
        finished = alone
        if index not in starts:
            motion = stages.motion(frame, film.frames[index - 1], index)
            if motion is not None:
                finished = stages.blend(alone, outputs[-1][None], motion)
        painted.append(alone[0])
        outputs.append(finished[0])
    return outputs, painted


def judge_style(
    style: str,
    film: Film,
    flow: KeptFlow,
    *,
    options: StylizeOptions,
    long_range: bool,
    threads: int,
) -> Evaluation:
    """The evaluation of a film in one style."""
    outputs, painted = repaint(style, film, options, threads)
    return evaluate(outputs, film.frames, film.shots, flow, painted, long_range)
