"""Kills real runs at random moments and starts them again, until each has come to its end.

    python benchmarks/chaos.py --kills 200 --seed 1

A kill is SIGKILL of a random rank, of mpirun or of all processes, or SIGTERM to mpirun, while the
program starts, computes, or puts its output together; or SIGKILL of rank 0 by itself before or
within one of the system calls that change a file. Then the same command is started again, now and
then on another number of ranks. Or the node dies with everything that was not synced: of the pages
written since, any may be there. Or ranks are stopped for a while (SIGSTOP) and go on; a second
command is started with the same output, and must be refused; or the command is started with
--restart and another style, killed, and that style is gone on with. Every second video is made with
--discard-frames, every second one in two styles, of which one may go on alone for a while. What
counts: frames that were stored and are gone, files that do not open, frames with other bytes than
those of a run in peace, programs that do not end. All must be 0.
"""

import argparse
import itertools
import math
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.writing import write_clip
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.network import build_network
from harness.killed_video import RANKS, KilledVideo, frames_of
from harness.killing import PATIENCE_S, POLL_S
from harness.result import add_json_option, measured, write_result
from harness.running import Command, Peace, Run, as_busy_as, durable_folder
from harness.system_calls import COUNT
from harness.tally import Tally

# More frames than HDF5 has in one node of an index.
WIDTH, HEIGHT, FRAMES = 128, 96, 72
STYLES = ("style.pt", "other.pt")
_STYLE_ARCH = "c3s1-4,d6,R6,U2,c3s1-3"


def main() -> int:
    """Runs the chaos; the exit status is 1 if anything was found."""
    parsed = _parse()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="fastvid-chaos-"))
    tally = Tally(parsed.kills, time.monotonic() + 60 * parsed.minutes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_material(folder)
        peace = in_peace(folder)

        with ThreadPoolExecutor(parsed.at_once) as pool:
            lanes = [
                pool.submit(kill_videos, folder, lane, parsed, peace, tally)
                for lane in range(parsed.at_once)
            ]
            try:
                for lane in lanes:
                    lane.result()
            finally:
                tally.over.set()
    finally:
        if parsed.folder is None and not tally.stories:
            shutil.rmtree(folder, ignore_errors=True)
    print(tally.table())
    for story in tally.stories:
        print(story)
    details = {"stories": tally.stories}
    write_result(parsed.json, measured("chaos", parsed, list(tally.figures()), details))
    return 1 if tally.stories else 0


def kill_videos(
    folder: Path,
    first: int,
    parsed: argparse.Namespace,
    peace: dict[bool, Peace],
    tally: Tally,
) -> None:
    """Every so many-th video from the first on, until there were enough kills. What happens to one
    depends on the seed and its number."""
    for number in itertools.count(first, parsed.at_once):
        if tally.over.is_set():
            return
        dice = random.Random(f"{parsed.seed} {number}")
        place = fresh_folder(folder / f"run-{number}")
        video(place, peace, dice, tally).run()
        sys.stderr.write(
            f"{tally.all_kills} kills, {tally.runs} videos, {len(tally.stories)} findings\n"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="no more kills are begun after so long"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1, help="so many videos side by side")
    parser.add_argument("--folder", type=Path, help="works here, and leaves everything there")
    add_json_option(parser)
    return parser.parse_args()


def make_material(folder: Path) -> None:
    """A short clip of three shots with sound, and two styles that paint it in no time."""
    write_clip(folder / "clip.mp4", SyntheticClip(WIDTH, HEIGHT, frame_count=FRAMES))
    for seed, name in enumerate(STYLES, start=3):
        torch.manual_seed(seed)
        weights = build_network(_STYLE_ARCH).state_dict()
        (folder / name).write_bytes(checkpoint_bytes(_STYLE_ARCH, weights, "tiny"))


def fresh_folder(folder: Path) -> Path:
    """A folder with the material of its parent, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(durable_folder(folder), ignore_errors=True)
    folder.mkdir()
    for name in ("clip.mp4", *STYLES):
        shutil.copy(folder.parent / name, folder / name)
    return folder


def video(folder: Path, peace: dict[bool, Peace], dice: random.Random, tally: Tally) -> KilledVideo:
    """A video of one style or two, with its frames discarded or not."""
    discard, both = dice.random() < 0.5, dice.random() < 0.5
    command = Command(STYLES if both else STYLES[:1], discard)
    other = None if both else STYLES[1]
    return KilledVideo(folder, command, peace[discard], other, FRAMES, dice, tally)


def in_peace(folder: Path) -> dict[bool, Peace]:
    """What all others must come to, by whether frames are discarded."""
    return {discard: run_in_peace(folder, Command(STYLES, discard)) for discard in (False, True)}


def run_in_peace(folder: Path, command: Command) -> Peace:
    """A run that nobody disturbs."""
    folder = fresh_folder(folder / "peace")
    run = Run(folder, RANKS[0], command)
    outputs = command.outputs()
    first = next(iter(outputs.values())).with_suffix(".h5")
    began = time.monotonic()
    while not (folder / first).exists() and run.mpirun.poll() is None:
        time.sleep(POLL_S)
    starting_s = time.monotonic() - began
    if not run.wait_gone(as_busy_as(PATIENCE_S)) or run.mpirun.returncode:
        raise SystemExit(f"A run in peace failed:\n{(folder / 'log.txt').read_text()}")
    run.close()
    frames = {style: np.stack(frames_of(folder / film)) for style, film in outputs.items()}
    calls = int((folder / COUNT).read_text())
    return Peace(frames, (folder / first).stat().st_size, starting_s, calls)


if __name__ == "__main__":
    sys.exit(main())
