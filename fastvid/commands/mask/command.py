"""Makes masks of what is in a film, for --region: from strokes on a frame, or of people."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2

from fastvid.commands.mask.notes import notes_on
from fastvid.commands.mask.overlay import write_overlay
from fastvid.decode.film import open_source
from fastvid.encode.codecs import FOLDER_CODEC
from fastvid.errors import InputError
from fastvid.job.options import GROUPS, StylizeOptions
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.system.arguments import add_options
from fastvid.system.files import write_atomically
from fastvid.system.forms import parse_size
from fastvid.system.options import with_options
from fastvid.system.resources import usable_cores

# Masks are made of frames no wider than this, whatever the film's.
WIDTH_PX = 640
# How much of the mask before is kept where the flow can be trusted, with a network.
_NETWORK_STRENGTH = 0.8
_PERSON_MODEL = Path("modules", "selfie_segmentation", "selfie_segmentation_landscape.tflite")
# The options of `fastvid stylize` that make sense here.
_OPTIONS = frozenset(
    {
        "run_file",
        "frames",
        "size",
        "fps",
        "cuts",
        "on_error",
        "flow_dir",
        "flow",
        "flow_scale",
        "mask_boundaries",
        "overwrite",
        "threads",
        "decode",
        "segment_length",
        "lookahead",
        "restart",
        "time_limit",
        "grace",
        "rank_timeout",
        "log_dir",
        "log_level",
        "progress",
    }
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid mask`: its own, and those of a run."""
    parser.description = (
        "Makes masks for --region: of what was painted on a frame (--seed), carried on along the "
        "motion, or of people (--person) or whatever else a network finds (--model). Writes a "
        "folder of PNGs, a video to judge them by (NAME.mp4) and a run file."
    )
    parser.add_argument("input", type=Path, help="a video, or a folder of numbered images")
    parser.add_argument(
        "-o", "--output", required=True, help="the folder of masks; with --frame a PNG"
    )
    parser.add_argument(
        "--frame", type=int, metavar="N", help="writes frame N to paint on, and nothing else"
    )
    parser.add_argument(
        "--seed",
        action="append",
        metavar="FILE",
        help="a frame with green on what is inside and red on what is not, or a rough cut-out in "
        "black and white; its number is in its name, or before it: N=FILE; repeatable, one of a "
        "later frame counts from there on",
    )
    parser.add_argument("--person", action="store_true", help="people, by mediapipe's network")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a network: .onnx or .tflite")
    parser.add_argument(
        "--model-size",
        type=parse_size,
        default=(256, 144),
        metavar="WxH",
        help="of the picture that the network takes (default: 256x144)",
    )
    add_options(parser, StylizeOptions, GROUPS, _OPTIONS)


def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Makes the masks on all ranks, or writes the frame that was asked for."""
    options = with_options(
        StylizeOptions(parsed.input, Path(parsed.output), codec=FOLDER_CODEC), vars(parsed)
    )
    if parsed.frame is not None:
        write_frame(options, parsed.frame)
        sys.stdout.write(f"{options.output}\n")
        return 0
    make_masks(
        options, parsed.seed or (), parsed.model, parsed.model_size, comm, person=parsed.person
    )
    return 0


def make_masks(
    options: StylizeOptions,
    seeds: Sequence[str],
    model: Path | None,
    model_size: tuple[int, int],
    comm: Communicator,
    *,
    person: bool = False,
) -> None:
    """Makes masks of a film, from rank 0. seeds: as behind --seed. Raises what `run_job` does."""
    if bool(seeds) + (model is not None) + person != 1:
        raise InputError("What is to be masked? Give one of --seed, --person and --model.")
    if person:
        model = person_model()
    # torch takes two seconds to import: a mistake in the command line is told before.
    from fastvid.job.masking import MaskMaker
    from fastvid.job.progress import Progress
    from fastvid.job.run import run_job
    from fastvid.masking.seeds import read_seed_name

    options = _at_mask_size(options)
    if model is not None:
        options = replace(options, temporal_strength=_NETWORK_STRENGTH)
    found = [read_seed_name(seed) for seed in seeds]
    overlay = options.output.with_name(options.output.name + ".mp4")
    if overlay.exists() and not (options.overwrite or options.run_path.exists()):
        raise InputError(f"{overlay} exists already. Use --overwrite to replace it, or another -o.")
    progress = Progress(options.progress)
    maker = MaskMaker(model, model_size, found)
    run_job(options, comm, progress, opening=maker.open)
    first = options.frames[0] if options.frames else 0
    seeded = None if model else [seed.frame for seed in found]
    for note in notes_on(options.run_path, first, seeded):
        progress.note(note)
    write_overlay(options.run_path, overlay, options, options.threads or usable_cores())
    progress.say(f"masks:    {options.output}\noverlay:  {overlay}")


def write_frame(options: StylizeOptions, number: int) -> None:
    """Writes a frame of the film as a PNG, at the size at which masks are made."""
    path = options.output
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: a frame is a PNG; give a name that ends in .png.")
    if path.exists() and not options.overwrite:
        raise InputError(f"{path} exists already. Use --overwrite to replace it, or another -o.")
    options = _at_mask_size(options)
    with open_source(
        str(options.input), size=options.size, frames=(number, number + 1), fps=options.fps
    ) as source:
        image = next(iter(source)).image
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    write_atomically(path, encoded.tobytes())


def _at_mask_size(options: StylizeOptions) -> StylizeOptions:
    """The options with the size of masks, where none was said."""
    if options.size is not None:
        return options
    with open_source(str(options.input), fps=options.fps) as source:
        wide = source.info.width > WIDTH_PX
    return replace(options, size=(WIDTH_PX, -1)) if wide else options


def person_model() -> Path:
    """The file of mediapipe's network, of which nothing else is used. Raises InputError if it is
    not installed."""
    spec = find_spec("mediapipe")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(place) / _PERSON_MODEL).is_file():
            return path
    raise InputError(
        "--person takes the network in mediapipe 0.10.21, which is not installed here.\n"
        "Install it by: pip install --no-deps mediapipe==0.10.21, or give a network of your own "
        "with --model."
    )
