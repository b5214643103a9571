"""Kills real runs at random moments and starts them again, until each has come to its end.

    python benchmarks/chaos.py --kills 200 --seed 1

A kill is SIGKILL of a random rank, of mpirun or of all processes, or SIGTERM to mpirun, while the
program starts, computes, or puts its output together. Then the same command is started again, now
and then on another number of ranks. Or ranks are stopped for a while (SIGSTOP) and go on; a second
command is started with the same output, and must be refused; or the command is started with
--restart and another style, killed, and that style is gone on with. Every second video is made with
--discard-frames. What counts: frames that were stored and are gone, run files that do not
open, frames with other bytes than those of a run in peace, programs that do not end. All must be 0.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.commands.clip.writing import write_clip
from fastvid.decode.film import open_source
from fastvid.errors import EXIT_BAD_INPUT, EXIT_RUN_AGAIN, InputError
from fastvid.runfile.reader import RunFile
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.network import build_network
from harness.killing import (
    MOMENTS,
    OTHER,
    PATIENCE_S,
    POLL_S,
    TWO,
    WAYS,
    Command,
    Peace,
    Run,
    kill,
    refused,
    wait_for_moment,
)
from harness.result import add_json_option, measured, write_result
from harness.tally import Tally

WIDTH, HEIGHT, FRAMES = 128, 96, 90
RANKS = (2, 3, 4)
KILLS_A_RUN = 4
STYLES = ("style.pt", "other.pt")
_STYLE_ARCH = "c3s1-4,d6,R6,U2,c3s1-3"


def main() -> int:
    """Runs the chaos; the exit status is 1 if anything was found."""
    parsed = _parse()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="fastvid-chaos-"))
    tally = Tally()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_material(folder)
        peace = [in_peace(folder, discard) for discard in (False, True)]
        dice = random.Random(parsed.seed)
        while tally.all_kills < parsed.kills:
            discard = dice.random() < 0.5
            video = Video(folder / f"run-{tally.runs}", peace[discard], discard, dice, tally)
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
    """A short clip of three shots with sound, and two styles that paint it in no time."""
    write_clip(folder / "clip.mp4", SyntheticClip(WIDTH, HEIGHT, frame_count=FRAMES))
    for seed, name in enumerate(STYLES, start=3):
        torch.manual_seed(seed)
        weights = build_network(_STYLE_ARCH).state_dict()
        (folder / name).write_bytes(checkpoint_bytes(_STYLE_ARCH, weights, "tiny"))


def fresh_folder(folder: Path) -> Path:
    """A folder with the material of its parent, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("clip.mp4", *STYLES):
        shutil.copy(folder.parent / name, folder / name)
    return folder


def in_peace(folder: Path, discard: bool) -> dict[str, Peace]:
    """What all others must come to, by style."""
    return {style: run_in_peace(folder, Command(style, discard)) for style in STYLES}


def run_in_peace(folder: Path, command: Command) -> Peace:
    """A run that nobody disturbs."""
    folder = fresh_folder(folder / "peace")
    run = Run(folder, RANKS[0], command)
    began = time.monotonic()
    while not (folder / "out.h5").exists() and run.mpirun.poll() is None:
        time.sleep(POLL_S)
    starting_s = time.monotonic() - began
    if not run.wait_gone(PATIENCE_S) or run.mpirun.returncode:
        raise SystemExit(f"A run in peace failed:\n{(folder / 'log.txt').read_text()}")
    frames = np.stack(frames_of(folder / "out.mkv"))
    return Peace(frames, (folder / "out.h5").stat().st_size, starting_s)


def frames_of(film: Path) -> list[np.ndarray]:
    """The frames of a film without loss."""
    with open_source(str(film)) as source:
        return [frame.image for frame in source]


class Video:
    """One video, whose run is killed a few times and then comes to its end."""

    def __init__(
        self,
        folder: Path,
        peace: dict[str, Peace],
        discard: bool,
        dice: random.Random,
        tally: Tally,
    ) -> None:
        self._folder, self._all_peace = fresh_folder(folder), peace
        self._command = Command(STYLES[0], discard)
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
        before, run_before = self._command, self._run_id()
        run = self._start(ranks)
        wait_for_moment(run, self._peace, moment, dice)
        if run.mpirun.poll() is None:
            self._story += f"{self._folder.name}: {self._way} of {ranks} while {moment}; "
            if self._way == TWO and not refused(run, self._command, dice):
                self._blame("wrong bytes", "a second command was not refused, or disturbed")
            began = time.monotonic()
            if not kill(run, self._way, dice):
                self._blame("hangs")
            tally.count_kill(self._way, moment, time.monotonic() - began)
        run.close()
        if run.mpirun.returncode == EXIT_BAD_INPUT:
            self._blame("files that do not open", self._last_words())
            return False
        if self._way == OTHER and run_before not in (None, self._run_id()):
            self._stored = set()
        elif self._way == OTHER and run_before is not None:
            self._command = before  # killed before it had begun anew
        self._stored = self._check_run_file(self._stored)
        return True

    def _start(self, ranks: int) -> Run:
        """Starts the command, anew with another style where that is the way."""
        command = self._command
        if self._way == OTHER:
            other = STYLES[1 - STYLES.index(command.style)]
            self._command = replace(command, style=other)
            command = replace(self._command, more=("--restart",))
        return Run(self._folder, ranks, command)

    def _run_id(self) -> str | None:
        """Of the run that the run file belongs to; None without one."""
        try:
            with RunFile(self._folder / "out.h5") as file:
                return file.run_id.text
        except InputError:
            return None

    @property
    def _peace(self) -> Peace:
        """What this video must come to."""
        return self._all_peace[self._command.style]

    def _finish(self) -> bool:
        """Lets the run come to its end and looks at all of it; whether it came there."""
        run = Run(self._folder, self._dice.choice(RANKS), self._command)
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
                    for index in stored - set(np.flatnonzero(file.encoded).tolist())
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
        frames = frames_of(self._folder / "out.mkv")
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
