"""Kills real runs at random moments and starts them again, until each has come to its end.

    python benchmarks/chaos.py --kills 200 --seed 1

A kill is SIGKILL of a random rank, SIGKILL of mpirun, or SIGTERM to mpirun, while the program
starts, computes, or puts its output together. Then the same command is started again, now and then
on another number of ranks. What counts: frames that were stored and are gone, run files that do not
open, frames with other bytes than those of a run in peace, programs that do not end. All must be 0.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.writing import write_clip
from fastvid.decode.film import open_source
from fastvid.errors import EXIT_RUN_AGAIN, InputError
from fastvid.runfile.reader import RunFile
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.network import build_network
from harness.killing import (
    MOMENTS,
    PATIENCE_S,
    POLL_S,
    WAYS,
    Peace,
    Run,
    kill,
    wait_for_moment,
)
from harness.result import add_json_option, measured, write_result
from harness.tally import Tally

WIDTH, HEIGHT, FRAMES = 128, 96, 90
RANKS = (2, 3, 4)
KILLS_A_RUN = 4
_STYLE_ARCH = "c3s1-4,d6,R6,U2,c3s1-3"


def main() -> int:
    """Runs the chaos; the exit status is 1 if anything was found."""
    parsed = _parse()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="fastvid-chaos-"))
    tally = Tally()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_material(folder)
        peace = run_in_peace(folder)
        dice = random.Random(parsed.seed)
        while tally.all_kills < parsed.kills:
            video = Video(folder / f"run-{tally.runs}", peace, dice, tally)
            video.run(parsed.kills)
            sys.stderr.write(
                f"{tally.all_kills} kills, {tally.runs} videos, {len(tally.stories)} findings\n"
            )
    finally:
        if parsed.folder is None and not tally.stories:
            shutil.rmtree(folder, ignore_errors=True)
    print(tally.table())
    for story in tally.stories:
        print(story)
    details = {"stories": tally.stories}
    write_result(parsed.json, measured("chaos", parsed, list(tally.figures()), details))
    return 1 if tally.stories else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="works here, and leaves everything there")
    add_json_option(parser)
    return parser.parse_args()


def make_material(folder: Path) -> None:
    """A short clip of three shots with sound, and a style that paints it in no time."""
    write_clip(folder / "clip.mp4", SyntheticClip(WIDTH, HEIGHT, frame_count=FRAMES))
    torch.manual_seed(3)
    weights = build_network(_STYLE_ARCH).state_dict()
    (folder / "style.pt").write_bytes(checkpoint_bytes(_STYLE_ARCH, weights, "tiny"))


def fresh_folder(folder: Path) -> Path:
    """A folder with the material of its parent, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("clip.mp4", "style.pt"):
        shutil.copy(folder.parent / name, folder / name)
    return folder


def run_in_peace(folder: Path) -> Peace:
    """What all others must come to."""
    folder = fresh_folder(folder / "peace")
    run = Run(folder, RANKS[0])
    began = time.monotonic()
    while not (folder / "out.h5").exists() and run.mpirun.poll() is None:
        time.sleep(POLL_S)
    starting_s = time.monotonic() - began
    if not run.wait_gone(PATIENCE_S) or run.mpirun.returncode:
        raise SystemExit(f"A run in peace failed:\n{(folder / 'log.txt').read_text()}")
    with RunFile(folder / "out.h5") as file:
        frames = np.stack([file.frame(index) for index in range(file.frame_count)])
    return Peace(frames, (folder / "out.h5").stat().st_size, starting_s)


class Video:
    """One video, whose run is killed a few times and then comes to its end."""

    def __init__(self, folder: Path, peace: Peace, dice: random.Random, tally: Tally) -> None:
        self._folder, self._peace = fresh_folder(folder), peace
        self._dice, self._tally = dice, tally
        # How the run was killed last, and everything that was done to it.
        self._way, self._story = WAYS[0], ""
        # Frames that were in the run file when it was looked at last.
        self._stored: set[int] = set()

    def run(self, most: int) -> None:
        """Kills until there were so many kills altogether, a few at most; then runs in peace."""
        for _ in range(KILLS_A_RUN):
            if self._tally.all_kills >= most:
                break
            if not self._kill_once():
                return
            if (self._folder / "out.mkv").exists():
                break  # the kill came too late
        self._tally.runs += 1
        if self._finish() and not self._tally.stories:
            shutil.rmtree(self._folder)

    def _kill_once(self) -> bool:
        """Starts the program and kills it; whether the run file can be used."""
        dice, tally = self._dice, self._tally
        ranks = dice.choice(RANKS)
        self._way, moment = dice.choice(WAYS), dice.choice(MOMENTS)
        run = Run(self._folder, ranks)
        wait_for_moment(run, self._peace, moment, dice)
        if run.mpirun.poll() is None:
            self._story += f"{self._folder.name}: {self._way} of {ranks} while {moment}; "
            began = time.monotonic()
            if not kill(run, self._way, dice):
                self._blame("hangs")
            tally.count_kill(self._way, moment, time.monotonic() - began)
        run.close()
        if run.mpirun.returncode == 2:
            self._blame("files that do not open", self._last_words())
            return False
        self._stored = self._check_run_file(self._stored)
        return True

    def _finish(self) -> bool:
        """Lets the run come to its end and looks at all of it; whether it came there."""
        run = Run(self._folder, self._dice.choice(RANKS))
        status: int | None = EXIT_RUN_AGAIN
        if run.wait_gone(PATIENCE_S):
            status = run.mpirun.returncode
        else:
            self._blame("hangs", "and started again in peace")
        run.close()
        if status:
            self._blame("files that do not open", f"ended with {status}: {self._last_words()}")
            return False
        self._check_run_file(set(range(FRAMES)))
        self._check_video()
        return True

    def _check_run_file(self, before: set[int]) -> set[int]:
        """Opens what the kill has left; returns the frames in it. before: those of last time."""
        path = self._folder / "out.h5"
        if not path.exists():
            if before:
                self._blame("frames lost", count=len(before))
            return set()
        try:
            with RunFile(path) as file:
                stored = set(np.flatnonzero(file.stored).tolist())
                wrong = [
                    index
                    for index in stored
                    if not np.array_equal(file.frame(index), self._peace.frames[index])
                ]
        except InputError as error:
            self._blame("files that do not open", str(error))
            return before
        if wrong:
            self._blame("wrong bytes", f"frames {wrong}", len(wrong))
        if lost := sorted(before - stored):
            self._blame("frames lost", f"frames {lost}", len(lost))
        return stored

    def _check_video(self) -> None:
        """The video holds every frame as it is in the run file (the codec is lossless)."""
        with open_source(str(self._folder / "out.mkv")) as source:
            frames = [frame.image for frame in source]
        if len(frames) < FRAMES:
            self._blame("frames lost", f"the video has {len(frames)}", FRAMES - len(frames))
        pairs = zip(frames, self._peace.frames, strict=False)
        if wrong := sum(not np.array_equal(one, other) for one, other in pairs):
            self._blame("wrong bytes", "in the video", wrong)

    def _blame(self, what: str, more: str = "", count: int = 1) -> None:
        self._tally.blame(self._way, what, self._story + more, count)

    def _last_words(self) -> str:
        """The end of what the program wrote."""
        return (self._folder / "log.txt").read_text(errors="replace")[-500:].strip()


if __name__ == "__main__":
    sys.exit(main())
