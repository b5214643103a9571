"""Judging a finished run: its frames beside the input and beside frame-by-frame painting."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fastvid.commands.evaluate.figures import Evaluation, evaluate, judge_for
from fastvid.commands.evaluate.likeness import Likeness, likeness, mean_likeness
from fastvid.commands.evaluate.parts import FilmParts, regions_of_run
from fastvid.decode.film import VideoSource, fingerprint, open_source
from fastvid.errors import InputError
from fastvid.job.identity import recorded_overlap
from fastvid.motion.flow import FlowEstimator
from fastvid.regions.opening import OpenedRegion
from fastvid.runfile.reader import RunFile
from fastvid.stages.interface import paints_alone
from fastvid.stages.overlap import seams
from fastvid.stages.settings import PictureSettings
from fastvid.style.lossnet import load_loss_network
from fastvid.style.scale import stroke_at_own_size

# Likeness changes little within a film, and takes seconds a frame.
LIKENESS_FRAMES = 5


def evaluate_run(
    run_path: Path,
    input_path: Path,
    *,
    judge: str | None,
    style: str | None,
    with_painting: bool,
    limit: int | None,
    threads: int,
) -> Evaluation:
    """Judges the frames of a run file.

    judge: the flow that judges; None for another than the run used. style: where the checkpoint of
    the run is, None for the name that the run file gives. with_painting: paint every frame on its
    own too, which takes the network's time. limit: only so many frames from the beginning. Raises
    InputError if the run is not complete or if input or style are not those of the run.
    """
    with RunFile(run_path) as run:
        if not run.complete:
            raise InputError(
                f"The run of {run_path} is not complete; start its command again to finish it."
            )
        settings = run.settings
        if fingerprint(str(input_path)) != settings.get("input_sha256"):
            raise InputError(
                f"{input_path} is not the input of {run_path} (which was "
                f"{run.attributes.get('input')})."
            )
        count = run.frame_count if limit is None else min(limit, run.frame_count)
        shots = [(start, min(stop, count)) for start, stop in run.shots() if start < count]
        overlap = recorded_overlap(settings)
        joined = [
            first
            for start, stop in run.shots()
            if overlap is not None
            for first in seams(start, stop, overlap)
        ]
        seam_frames = overlap.seam_frames if overlap is not None else 0
        flow = judge_for(str(settings["flow"])) if judge is None else FlowEstimator(judge)
        with _open_input(input_path, settings) as source:
            regions = regions_of_run(run_path, settings, source)
            painter = _Painter(run, style, threads, regions) if with_painting else None
            film = FilmParts(source, regions, count)
            return evaluate(
                (run.frame(index) for index in range(count)),
                film.images(),
                shots,
                flow,
                painted=(
                    None if painter is None else (painter.paint(film.latest) for _ in range(count))
                ),
                seams=joined,
                seam_frames=seam_frames,
                parts=(film.names, film.parts),
            )


def likeness_of_run(
    run_path: Path, input_path: Path, painting_path: Path, loss_network: str, limit: int | None
) -> Likeness:
    """How much of a painting and of the film is in a run that `evaluate_run` has accepted.

    The mean over LIKENESS_FRAMES frames spread evenly over the first `limit`. Raises InputError if
    the painting or the loss network can't be read.
    """
    painting = cv2.imread(str(painting_path))
    if painting is None:
        raise InputError(f"{painting_path}: not an image that can be read.")
    network = load_loss_network(loss_network)
    with RunFile(run_path) as run:
        count = run.frame_count if limit is None else min(limit, run.frame_count)
        chosen = {round(place) for place in np.linspace(0, count - 1, LIKENESS_FRAMES)}
        with _open_input(input_path, run.settings) as source:
            found = [
                likeness(network, _bgr(frame.image), _bgr(run.frame(index)), np.asarray(painting))
                for index, frame in enumerate(islice(source, count))
                if index in chosen
            ]
    return mean_likeness(found)


def _bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[..., ::-1])


class _Painter:
    """Paints single frames as the run did, without its temporal pass."""

    def __init__(
        self,
        run: RunFile,
        style: str | None,
        threads: int,
        regions: Sequence[OpenedRegion] = (),
    ) -> None:
        from fastvid.regions.opening import read_style_or_film
        from fastvid.stages.choice import choose_stages
        from fastvid.style.device import CPU
        from fastvid.style.loading import load_model

        file = read_style_or_film(style or str(run.attributes["style"]))
        if file.sha256 != run.settings.get("style_sha256"):
            raise InputError(
                f"The style {style or file.name} is not the one that {run.path} was "
                "painted with. Say where that is with --style."
            )
        names = PictureSettings.__dataclass_fields__
        width, height = run.settings["size"]
        recorded = PictureSettings(
            **{"stroke": stroke_at_own_size(height, width)}
            | {setting: value for setting, value in run.settings.items() if setting in names}
        )
        model = load_model(file.data, file.name) if file.data else None
        in_regions = [region.model for region in regions if region.model is not None]
        for one in (*in_regions, *([] if model is None else [model])):
            one.move_to(CPU, recorded.precision)
        settings = tuple(region.settings for region in regions)
        stages = choose_stages(
            [model],
            replace(recorded, threads=threads, regions=settings),
            region_models=in_regions,
        )
        self._paint_alone = paints_alone(stages)

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """The frame, with its masks if it has regions, painted on its own, looks included."""
        painted: np.ndarray = self._paint_alone(frame)[0]
        return painted


def _open_input(path: Path, settings: dict[str, Any]) -> VideoSource:
    """The input, as the run opened it."""
    width, height = settings["size"]
    frames = settings["frames"]
    fps = settings["fps"]
    return open_source(
        str(path),
        size=(int(width), int(height)),
        frames=(int(frames[0]), frames[1]) if frames else None,
        fps=Fraction(fps) if fps else None,
        on_error="keep-going",
    )
