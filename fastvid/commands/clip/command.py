"""Writes the generated demonstration clip."""

import argparse
import sys
from pathlib import Path

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.sphere import SphereClip
from fastvid.commands.clip.writing import write_clip
from fastvid.parallel.mpi.communicator import Communicator
from fastvid.parallel.mpi.stopping import signals_kill
from fastvid.system.forms import parse_size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastvid clip`."""
    parser.description = (
        "Writes the generated demonstration clip: three shots with known motion, and sound; or, "
        "with --sphere, one shot of a whole sphere."
    )
    parser.add_argument("output", type=Path, help="an .mp4 file")
    parser.add_argument(
        "--size", type=parse_size, metavar="WxH", help="default: 640x360, or 1024x512 of a sphere"
    )
    parser.add_argument("--frames", type=int, default=96, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sphere",
        action="store_true",
        help="a film of 360 degrees, equirectangular, tagged",
    )


@signals_kill()
def run(parsed: argparse.Namespace, comm: Communicator) -> int:
    """Writes the clip and says where its cuts are."""
    kind, usual = (SphereClip, (1024, 512)) if parsed.sphere else (SyntheticClip, (640, 360))
    width, height = parsed.size or usual
    clip = kind(width, height, frame_count=parsed.frames, seed=parsed.seed)
    write_clip(parsed.output, clip)
    sys.stdout.write(
        f"{parsed.output}: {parsed.frames} frames, cuts before "
        f"{' and '.join(str(cut) for cut in clip.cuts) or 'none'}\n"
    )
    return 0
