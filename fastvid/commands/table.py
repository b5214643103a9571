"""The commands that one process runs, each as a pair: add its arguments to a parser, run it."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from fastvid.errors import InputError
from fastvid.job.progress import PROGRESS_MODES, Progress
from fastvid.motion.flow import FLOW_METHODS
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.system.resources import usable_cores

Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]


def _styles_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Lists the bundled styles, or says what models are: of `fastvid train`, "
        "of Fast Artistic Videos (.t7), its PyTorch port, or the PyTorch "
        "examples' fast_neural_style."
    )
    parser.add_argument("files", nargs="*", metavar="FILE|NAME", help="models to describe")


def _styles(parsed: argparse.Namespace) -> int:
    from fastvid.style.cards import DEFAULT_STYLE, bundled_styles

    if parsed.files:
        from fastvid.commands.convert import describe_file

        sys.stdout.write("\n\n".join(map(describe_file, parsed.files)) + "\n")
        return 0
    for card in bundled_styles():
        default = " (default)" if card.name == DEFAULT_STYLE else ""
        made = ", ".join(part for part in (card.title, card.painter, card.year) if part)
        sys.stdout.write(f"{card.name}{default}\n    {made}\n    {card.training}\n")
    return 0


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes a model of Fast Artistic Videos (.t7), its PyTorch port or the "
        "PyTorch examples as a checkpoint of this project. It paints the same "
        "bytes."
    )
    parser.add_argument("input", metavar="IN", help="a model; its format is found by its content")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.pt")
    parser.add_argument("--overwrite", action="store_true", help="replaces an existing output")


def _convert(parsed: argparse.Namespace) -> int:
    from fastvid.commands.convert import convert

    sys.stdout.write(convert(parsed.input, parsed.output, parsed.overwrite) + "\n")
    return 0


def _encode_arguments(parser: argparse.ArgumentParser) -> None:
    from fastvid.encode.codecs import available_codecs

    parser.description = "Encodes the frames of a run file again, without computing anything."
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("-o", "--output", required=True, help="the video or folder to write")
    parser.add_argument("--codec", metavar="NAME", help=" ".join(available_codecs()))
    parser.add_argument("--crf", type=float, help="constant quality; lower is better and larger")
    parser.add_argument("--preset", help="speed of the encoder, such as fast, medium, slow")
    parser.add_argument(
        "--source",
        metavar="FILE",
        help="where sound and subtitles come from (default: the input of the run)",
    )
    parser.add_argument("--no-source", action="store_true", help="writes the picture alone")
    parser.add_argument(
        "--no-location",
        action="store_true",
        help="leaves out where the film was made: tags, and data tracks of cameras",
    )
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--overwrite", action="store_true", help="replaces an existing output")
    parser.add_argument("--progress", choices=PROGRESS_MODES, default="auto")


def _encode(parsed: argparse.Namespace) -> int:
    from fastvid.commands.encode import encode_run

    encode_run(
        parsed.run_file,
        parsed.output,
        codec=parsed.codec,
        crf=parsed.crf,
        preset=parsed.preset,
        source=parsed.source,
        with_source=not parsed.no_source,
        threads=parsed.threads,
        overwrite=parsed.overwrite,
        no_location=parsed.no_location,
        progress=Progress(parsed.progress),
    )
    return 0


def _export_flow_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the flow and masks that a run kept (--keep flow,occlusion) as "
        "backward_5_4.flo (from frame 5 to 4, counted from 1) and "
        "reliable_5_4.pgm (255 where it can be trusted, else 0)."
    )
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--overwrite", action="store_true", help="replaces existing files")


def _export_flow(parsed: argparse.Namespace) -> int:
    from fastvid.commands.export_flow import export_flow

    sys.stdout.write(export_flow(parsed.run_file, parsed.output, parsed.overwrite) + "\n")
    return 0


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measures steadiness and sharpness of a run, beside the input (floor) "
        "and frame-by-frame painting (ceiling)."
    )
    parser.add_argument("run_file", type=Path, help="a run file (.h5) whose run is complete")
    parser.add_argument("input", type=Path, help="the input of the run")
    parser.add_argument(
        "--judge",
        choices=FLOW_METHODS,
        help="the flow that judges (default: deepflow, or dis-medium for a run with deepflow)",
    )
    parser.add_argument("--style", help="the checkpoint of the run, if it is no bundled style")
    parser.add_argument(
        "--no-painting",
        action="store_true",
        help="leaves out frame-by-frame painting, which takes the network's time",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", action="store_true", help="prints JSON instead of a table")


def _evaluate(parsed: argparse.Namespace) -> int:
    from fastvid.commands.evaluate.figures import format_table
    from fastvid.commands.evaluate.run import evaluate_run

    evaluation = evaluate_run(
        parsed.run_file,
        parsed.input,
        judge=parsed.judge,
        style=parsed.style,
        with_painting=not parsed.no_painting,
        limit=parsed.frames,
        threads=parsed.threads,
    )
    text = json.dumps(asdict(evaluation), indent=1) if parsed.json else format_table(evaluation)
    sys.stdout.write(text + "\n")
    return 0


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Tells what of a run is done, and what was last heard of its ranks."
    parser.add_argument("run_file", type=Path, help="a run file (.h5)")


def _status(parsed: argparse.Namespace) -> int:
    from fastvid.commands.status import describe_run

    sys.stdout.write(describe_run(parsed.run_file) + "\n")
    return 0


def _clip_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the generated demonstration clip: three shots with known motion, and sound."
    )
    parser.add_argument("output", type=Path, help="an .mp4 file")
    parser.add_argument("--size", default="640x360", metavar="WxH")
    parser.add_argument("--frames", type=int, default=96, metavar="N")
    parser.add_argument("--seed", type=int, default=0)


def _clip(parsed: argparse.Namespace) -> int:
    from fastvid.commands.clip import SyntheticClip, write_clip

    width, _, height = parsed.size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"--size {parsed.size} is not a size like 640x360.")
    clip = SyntheticClip(int(width), int(height), frame_count=parsed.frames, seed=parsed.seed)
    write_clip(parsed.output, clip)
    sys.stdout.write(
        f"{parsed.output}: {parsed.frames} frames, cuts before "
        f"{' and '.join(str(cut) for cut in clip.cuts) or 'none'}\n"
    )
    return 0


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    from fastvid.commands.stylize import add_stylize_arguments

    parser.description = (
        "Times a few frames here and foretells a run on other numbers of ranks. "
        "Takes the options of `fastvid stylize` and refuses what that would "
        "refuse; a rank has one thread unless --threads says otherwise."
    )
    parser.add_argument(
        "--ranks",
        default="1,4,16,64",
        metavar="N,N,...",
        help="numbers of ranks (default: %(default)s)",
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help="writes a submission script for the best of them, with all options, "
        "for GPUs if it was painted on one here",
    )
    add_stylize_arguments(parser, output_required=False)


def _plan(parsed: argparse.Namespace) -> int:
    from fastvid.commands.plan.plan import make_plan, rank_counts, write_script
    from fastvid.commands.plan.report import format_plan
    from fastvid.commands.stylize import stylize_options

    ranks = rank_counts(parsed.ranks)
    parsed.output = parsed.output or f"{parsed.input.stem}.painted.mp4"
    options = stylize_options(parsed)
    plan = make_plan(options, ranks)
    sys.stdout.write(format_plan(plan, options) + "\n")
    if parsed.script:
        write_script(parsed.script, plan, options, parsed.overwrite)
        sys.stdout.write(f"sbatch {parsed.script}\n")
    return 0


def _preview_arguments(parser: argparse.ArgumentParser) -> None:
    from fastvid.commands.preview import add_arguments

    add_arguments(parser)


def _preview(parsed: argparse.Namespace) -> int:
    from fastvid.commands.preview import run

    sys.stdout.write("\n".join(run(parsed)) + "\n")
    return 0


_COMMANDS: dict[str, Command] = {
    "styles": (_styles_arguments, _styles),
    "convert": (_convert_arguments, _convert),
    "encode": (_encode_arguments, _encode),
    "export-flow": (_export_flow_arguments, _export_flow),
    "evaluate": (_evaluate_arguments, _evaluate),
    "status": (_status_arguments, _status),
    "plan": (_plan_arguments, _plan),
    "preview": (_preview_arguments, _preview),
    "clip": (_clip_arguments, _clip),
}


def _killable(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def run_killable(parsed: argparse.Namespace) -> int:
        with signals_kill():
            return run(parsed)

    return run_killable


COMMANDS = {name: (add, _killable(run)) for name, (add, run) in _COMMANDS.items()}
