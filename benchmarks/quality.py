"""How steady and sharp the styles are, whether they drift, how fast they paint: beside the bars.

    python benchmarks/quality.py --json quality.json                   # everything; takes long
    python benchmarks/quality.py --figures steadiness --styles wave --inputs generated --frames 30
    python benchmarks/quality.py --figures drift,speed,loss
    python benchmarks/quality.py --figures stability --unstable FOLDER   # trained without stability

Method in benchmarks/README.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fastvid.commands.evaluate.figures import Evaluation, evaluate
from fastvid.errors import InputError
from fastvid.job.options import StylizeOptions
from fastvid.motion.flow import FLOW_METHODS
from fastvid.style.cards import bundled_styles
from fastvid.style.loading import load_style
from fastvid.style.lossnet import load_loss_network
from fastvid.style.model import set_threads
from fastvid.system.allocator import keep_freed_memory
from fastvid.training.photos import find_photos, read_photo
from fastvid.training.report import square
from fastvid.training.settings import TrainingSettings
from harness.arguments import words_among, words_of
from harness.drift import FRAMES, drift, find_painting
from harness.fav_network import reference, seconds_in_turns
from harness.quality_summary import Row, format_summary, quality_figures, summary
from harness.result import add_json_option, measured, write_result
from harness.steadiness import GENERATED, Film, KeptFlow, judge_style, options_with, read_film
from style_loss import SIZE, compare

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
INPUTS = (f"{DATA}/videos/bikes.mp4@80:120", f"{DATA}/videos/bigbuckbunny.mp4@640x360", GENERATED)
FIGURES = ("steadiness", "drift", "speed", "loss", "stability")
_DEFAULT_FIGURES = [name for name in FIGURES if name != "stability"]
SPEED_SIZE = (640, 360)
_MIN_PHOTO_SIDE = 256

# What issue and design ask for: at least, at most.
BARS: dict[str, tuple[float, float]] = {
    "flicker / film": (0.0, 1.10),
    "flicker 8 apart / film": (0.0, 1.20),
    "RMSE / frame by frame": (0.0, 0.50),
    "sharpness / film, frame by frame": (1.0, float("inf")),
    "sharpness / frame by frame": (0.88, 1.10),
    "style loss last / first": (0.90, 1.10),
    "speed / FAV network": (5.0, float("inf")),
    "loss / 100 Adam steps": (0.0, 1.0),
    "RMSE stable / unstable": (0.0, 0.6),
}


def main() -> int:
    """Measures what was asked for, prints each row as it comes, then the medians."""
    keep_freed_memory()
    parsed = _parse()
    set_threads(parsed.threads)
    styles = parsed.styles or [card.name for card in bundled_styles()]
    rows: list[Row] = []
    measures = {
        "steadiness": steadiness_rows,
        "drift": drift_rows,
        "speed": speed_rows,
        "loss": loss_rows,
        "stability": stability_rows,
    }
    sys.stdout.write(f"{'figure':<34} {'style':<16} {'input':<14} {'value':>7}\n")
    for figure in parsed.figures:
        for row in measures[figure](parsed, styles):
            rows.append(row)
            sys.stdout.write(
                f"{row['figure']:<34} {row['style']:<16} {row['input']:<14} {row['value']:>7.3f}\n"
            )
            sys.stdout.flush()
    table = summary(rows, BARS)
    sys.stdout.write("\n" + format_summary(table))
    write_result(parsed.json, measured("quality", parsed, list(quality_figures(rows, table))))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--figures",
        type=words_among(FIGURES),
        default=_DEFAULT_FIGURES,
        help=f"of {','.join(FIGURES)} (default: all but the last)",
    )
    parser.add_argument(
        "--styles",
        type=words_of,
        help="names or checkpoints (default: all bundled ones)",
    )
    parser.add_argument(
        "--inputs",
        nargs="+",
        default=list(INPUTS),
        metavar="PATH[@A:B][@WxH]",
        help=f"films, or {GENERATED}[@WxH]",
    )
    parser.add_argument("--frames", type=int, help="at most so many frames of each film")
    parser.add_argument(
        "--no-long-range",
        action="store_true",
        help="leaves out frames 8 apart: half the judging flows",
    )
    parser.add_argument("--temporal-strength", type=float, help="instead of the default")
    parser.add_argument(
        "--flow", choices=FLOW_METHODS, help="of the filter, instead of the default"
    )
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="FOLDER",
        help="keeps the judging flows for the next time (some GB)",
    )
    _add_data_options(parser)
    parser.add_argument("--repeats", type=int, default=5, help="for speed")
    parser.add_argument("--threads", type=int, default=1)
    add_json_option(parser)
    parsed = parser.parse_args()
    if "stability" in parsed.figures and parsed.unstable is None:
        parser.error("stability compares with models trained without it: --unstable FOLDER")
    return parsed


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    """What drift, loss and stability are measured with."""
    parser.add_argument("--photos", type=int, default=3, help="for drift, of those held out")
    parser.add_argument("--drift-frames", type=int, default=FRAMES)
    parser.add_argument("--loss-photos", type=int, default=20, help="for loss, of those held out")
    parser.add_argument(
        "--unstable",
        type=Path,
        metavar="FOLDER",
        help="for stability: STYLE.pt of the same training without stability",
    )
    parser.add_argument("--data", default=str(DATA / "train"))
    parser.add_argument("--paintings", type=Path, default=DATA / "styles")
    parser.add_argument("--loss-network", default=str(DATA / "lossnet" / "vgg19_relu4_1.npz"))


def _options(parsed: argparse.Namespace) -> StylizeOptions:
    return options_with(temporal_strength=parsed.temporal_strength, flow=parsed.flow)


def steadiness_rows(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Row]:
    """Rows of every style on every film."""
    for film, flow in _films(parsed):
        for style in styles:
            result = judge_style(
                style,
                film,
                flow,
                threads=parsed.threads,
                options=_options(parsed),
                long_range=not parsed.no_long_range,
            )
            for figure, value in ratios(result).items():
                yield {"figure": figure, "style": _name(style), "input": film.name, "value": value}


def _films(parsed: argparse.Namespace) -> Iterator[tuple[Film, KeptFlow]]:
    """Each film with its judging flow."""
    with tempfile.TemporaryDirectory(prefix="fastvid-flows-") as temporary:
        folder = parsed.flows or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for text in parsed.inputs:
            film = read_film(text, parsed.frames)
            yield film, KeptFlow(film, folder)


def ratios(result: Evaluation) -> dict[str, float]:
    """The figures that have bars, and after two spaces those that say more about them; what a short
    film does not have is left out.

    Flicker is the temporal RMSE relative to the contrast: a dull picture is steady anyway.
    """
    output, painted, film = result.output, result.painted, result.film
    assert painted is not None
    pairs = {
        "flicker / film": (output.flicker, film.flicker),
        "flicker 8 apart / film": (output.long_range_flicker, film.long_range_flicker),
        "  flicker / film, frame by frame": (painted.flicker, film.flicker),
        "  RMSE / film": (output.rmse, film.rmse),
        "  difference / film": (output.difference, film.difference),
        "  contrast / film": (output.contrast, film.contrast),
        "RMSE / frame by frame": (output.rmse, painted.rmse),
        "sharpness / film, frame by frame": (painted.sharpness, film.sharpness),
        "sharpness / frame by frame": (output.sharpness, painted.sharpness),
    }
    return {
        name: above / below for name, (above, below) in pairs.items() if above is not None and below
    }


def drift_rows(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Row]:
    """Rows of every style on every photograph, frame-by-frame painting beside (without a bar)."""
    network = load_loss_network(parsed.loss_network)
    photos = find_photos(parsed.data, _MIN_PHOTO_SIDE).held_out[: parsed.photos]
    for style in styles:
        painting = find_painting(_name(style), parsed.paintings)
        if painting is None:
            sys.stderr.write(f"{_name(style)}: no painting in {parsed.paintings}, no drift\n")
            continue
        for photo in photos:
            finished, alone = drift(
                style,
                painting,
                photo,
                network,
                threads=parsed.threads,
                frames=parsed.drift_frames,
                options=_options(parsed),
            )
            for figure, value in (
                ("style loss last / first", finished),
                ("  the same, frame by frame", alone),
            ):
                yield {
                    "figure": figure,
                    "style": _name(style),
                    "input": Path(photo).stem,
                    "value": value,
                }


def loss_rows(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Row]:
    """Rows of every style: content + style loss over that of direct optimisation, medians."""
    network, settings = load_loss_network(parsed.loss_network), TrainingSettings()
    held_out = find_photos(parsed.data, SIZE).held_out[: parsed.loss_photos]
    photos = [square(read_photo(path, SIZE), SIZE) for path in held_out]
    for style in styles:
        painting = find_painting(_name(style), parsed.paintings)
        if painting is None:
            sys.stderr.write(f"{_name(style)}: no painting in {parsed.paintings}, no loss\n")
            continue
        ours, direct = compare(style, painting, photos, network, settings)
        row: Row = {"style": _name(style), "input": f"{len(photos)} photographs"}
        yield {**row, "figure": "loss / 100 Adam steps", "value": ours / direct}
        yield {**row, "figure": "  loss", "value": ours, "unit": "loss"}


def stability_rows(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Row]:
    """Rows of every style on every film: painted frame by frame, over the unstable model's."""
    for film, flow in _films(parsed):
        for style in styles:
            stable = _painted_rmse(style, film, flow)
            unstable = _painted_rmse(str(parsed.unstable / f"{_name(style)}.pt"), film, flow)
            yield {
                "figure": "RMSE stable / unstable",
                "style": _name(style),
                "input": film.name,
                "value": stable / unstable,
            }


def _painted_rmse(style: str, film: Film, flow: KeptFlow) -> float:
    model = load_style(style)
    painted = [model.paint([frame])[0] for frame in film.frames]
    rmse = evaluate(painted, film.frames, film.shots, flow, long_range=False).output.rmse
    assert rmse is not None
    return rmse


def speed_rows(parsed: argparse.Namespace, styles: Sequence[str]) -> Iterator[Row]:
    """How many times faster than the Fast Artistic Videos network, both in torch's own layers."""
    width, height = SPEED_SIZE
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    paints = [partial(load_style(style).paint, [frame]) for style in styles]
    slow, *fast = seconds_in_turns([reference(height, width, plain=True), *paints], parsed.repeats)
    for style, median in zip(styles, fast, strict=True):
        row: Row = {"style": _name(style), "input": f"{width}x{height}"}
        yield {**row, "figure": "speed / FAV network", "value": slow / median}
        yield {**row, "figure": "  time", "value": median, "unit": "s a frame"}


def _name(style: str) -> str:
    return Path(style).stem


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as problem:
        sys.exit(str(problem))
