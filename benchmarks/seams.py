"""How visible the seams of `--pipeline overlap` are: beside the rest, and beside `exact`.

    python benchmarks/seams.py ../shared/data/videos/bigbuckbunny.mp4 --size 640x360 --ranks 4

Without --model the recurrent model is made out of a bundled style. The method is in
benchmarks/README.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from fastvid.commands.evaluate.metrics import temporal_rmse
from fastvid.decode.film import open_source
from fastvid.job.identity import recorded_overlap
from fastvid.motion.flow import FLOW_METHODS, FlowEstimator
from fastvid.motion.occlusion import consistency_mask
from fastvid.runfile.reader import RunFile
from fastvid.stages.overlap import Overlap, seams
from fastvid.stages.seam_report import seam_ratios
from harness.recurrent import recurrent_style
from harness.result import Figure, add_json_option, measured, write_result

# How much of the past the first layer of the made-up model takes for a part of the frame.
_SHARE = 0.5


def main() -> int:
    """Runs both pipelines and prints what the seams are like."""
    parsed = _parse()
    with tempfile.TemporaryDirectory(prefix="fastvid-seams-", dir=parsed.folder) as name:
        folder = Path(name)
        model = parsed.model
        if model is None:
            model = folder / "recurrent.pt"
            model.write_bytes(recurrent_style(parsed.style, parsed.share))
        films = _film(parsed)
        flows = _flows(films, parsed.judge)
        for pipeline in ("exact", "overlap"):
            _stylize(parsed, folder, model, pipeline)
        with RunFile(folder / "overlap.h5") as run:
            overlap, shots = recorded_overlap(run.settings), run.shots()
        assert overlap is not None
        frames = {name: _frames(folder / f"{name}.h5") for name in ("exact", "overlap")}
        errors = {name: _errors(images, shots, flows) for name, images in frames.items()}
    found = _figures(overlap, shots, frames, errors)
    for label, value in found.items():
        sys.stdout.write(f"{label:<64} {value:>8.3f}\n")
    figures = [Figure(label, value, _unit(label)) for label, value in found.items()]
    write_result(parsed.json, measured("seams", parsed, figures, {"errors": errors}))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("--model", type=Path, help="a recurrent model")
    parser.add_argument("--style", default="starry_night", help="what to make one of")
    parser.add_argument("--share", type=float, default=_SHARE)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--cuts", default="auto")
    parser.add_argument(
        "--options",
        default="--overlap-segment 33",
        help="of the overlapped run (default: %(default)s)",
    )
    parser.add_argument("--judge", choices=FLOW_METHODS, default="deepflow")
    parser.add_argument("--folder", type=Path)
    add_json_option(parser)
    return parser.parse_args()


def _stylize(parsed: argparse.Namespace, folder: Path, model: Path, pipeline: str) -> None:
    command = [
        "mpirun",
        "-n",
        str(parsed.ranks),
        sys.executable,
        "-m",
        "fastvid",
        "stylize",
        str(parsed.input),
        "-o",
        str(folder / f"{pipeline}.mp4"),
        "--style",
        str(model),
        "--size",
        parsed.size,
        "--cuts",
        parsed.cuts,
        "--preset",
        "ultrafast",
        "--threads",
        "1",
        "--pipeline",
        pipeline,
        "--progress",
        "lines",
    ]
    if pipeline == "overlap":
        command += parsed.options.split()
    subprocess.run(command, check=True)


def _film(parsed: argparse.Namespace) -> list[np.ndarray]:
    width, _, height = parsed.size.partition("x")
    with open_source(str(parsed.input), size=(int(width), int(height))) as source:
        return [frame.image for frame in source]


def _flows(films: list[np.ndarray], judge: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Backward flow and mask of each frame but the first."""
    estimate = FlowEstimator(judge)

    def found() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for before, frame in pairwise(films):
            backward = estimate(frame, before)
            yield backward, consistency_mask(backward, estimate(before, frame))

    return list(found())


def _frames(path: Path) -> list[np.ndarray]:
    with RunFile(path) as run:
        return [run.frame(index) for index in range(run.frame_count)]


def _errors(
    images: list[np.ndarray],
    shots: list[tuple[int, int]],
    flows: list[tuple[np.ndarray, np.ndarray]],
) -> dict[int, float]:
    """Temporal RMSE of each frame that does not begin a shot."""
    starts = {start for start, _ in shots}
    errors = {
        index: temporal_rmse(images[index], images[index - 1], *flows[index - 1])
        for index in range(1, len(images))
        if index not in starts
    }
    return {index: error for index, error in errors.items() if error is not None}


def _unit(label: str) -> str:
    if label == "seams":
        return "seams"
    return "levels" if label.startswith("levels") else "ratio"


def _figures(
    overlap: Overlap,
    shots: list[tuple[int, int]],
    frames: dict[str, list[np.ndarray]],
    errors: dict[str, dict[int, float]],
) -> dict[str, float]:
    joined = [first for start, stop in shots for first in seams(start, stop, overlap)]
    figures: dict[str, float] = {"seams": len(joined)}
    for name in errors:
        ratios = seam_ratios(errors[name], joined, overlap.seam_frames)
        figures[f"{name}: error at the seams over the median elsewhere, mean"] = statistics.mean(
            ratios
        )
        figures[f"{name}: the same, worst seam"] = max(ratios)
    ratios_to_exact = {
        index: errors["overlap"][index] / errors["exact"][index] for index in errors["exact"]
    }
    at_seams = [
        ratios_to_exact[first + number] for first in joined for number in range(overlap.seam_frames)
    ]
    figures["overlap over exact, pair by pair: median at the seams"] = statistics.median(at_seams)
    figures["overlap over exact, pair by pair: largest at the seams"] = max(at_seams)
    figures["overlap over exact, pair by pair: median of all"] = statistics.median(
        ratios_to_exact.values()
    )
    apart = [
        float(np.abs(one.astype(np.int16) - two).mean())
        for one, two in zip(frames["exact"], frames["overlap"], strict=True)
    ]
    figures["levels between exact and overlap: largest mean of a frame"] = max(apart)
    for first in joined:
        figures[f"levels between them, frame {first + overlap.seam_frames} (behind a seam)"] = (
            apart[first + overlap.seam_frames]
        )
    return figures


if __name__ == "__main__":
    sys.exit(main())
