"""Kills real runs at random moments and starts them again, until each has come to its end.

    python benchmarks/chaos.py --kills 200 --seed 1

A kill is SIGKILL of a random rank, SIGKILL of mpirun, or SIGTERM to mpirun, while the program
starts, computes, or puts its output together. Then the same command is started again, now and then
on another number of ranks. What counts: frames that were stored and are gone, run files that do not
open, frames with other bytes than those of a run in peace, programs that do not end. All must be 0.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from fastvid.commands.clip import SyntheticClip, write_clip
from fastvid.decode.film import open_source
from fastvid.errors import EXIT_RUN_AGAIN, InputError
from fastvid.runfile.reader import RunFile
from fastvid.style.checkpoint import checkpoint_bytes
from fastvid.style.network import build_network

WIDTH, HEIGHT, FRAMES = 128, 96, 90
RANKS = (2, 3, 4)
KILLS_A_RUN = 4
# Longer than this after a kill, and the program hangs.
HANG_S = 30.0
# Batch systems send SIGTERM more than once; mpirun loses one that comes before it is listening.
REPEAT_S = 5.0
# A run in peace; generous, because the machine may be busy with other things.
PATIENCE_S = 300.0
WAYS = ("kill a rank", "kill mpirun", "terminate mpirun")
MOMENTS = ("starting", "computing", "finishing")
COUNTS = ("frames lost", "files that do not open", "wrong bytes", "hangs")
_STYLE_ARCH = "c3s1-4,d6,R6,U2,c3s1-3"
_MARK = "FASTVID_CHAOS"
_POLL_S = 0.005
# Looking through all processes of the machine takes its time.
_LOOK_AROUND_S = 0.05
# The clip's first segments are stored and its output is put together in about this time.
_JITTER_S = 0.3


@dataclass
class Peace:
    """A run that nobody disturbed: its frames, the size of its run file, seconds to its first
    frame."""

    frames: np.ndarray
    run_bytes: int
    starting_s: float


@dataclass
class Tally:
    """What has been counted, by way of killing."""

    kills: Counter[str] = field(default_factory=Counter)
    found: dict[str, Counter[str]] = field(default_factory=lambda: {w: Counter() for w in WAYS})
    moments: Counter[str] = field(default_factory=Counter)
    slowest_end_s: float = 0.0
    slowest: str = ""
    runs: int = 0
    stories: list[str] = field(default_factory=list)

    def blame(self, way: str, what: str, story: str, count: int = 1) -> None:
        """Counts something that must not happen."""
        self.found[way][what] += count
        self.stories.append(f"{what} ({count}) after: {story}")

    def total(self, what: str) -> int:
        """How often it happened, however it was killed."""
        return sum(counter[what] for counter in self.found.values())

    def table(self) -> str:
        """The counts as lines of text."""
        lines = ["| how | kills | " + " | ".join(COUNTS) + " |", "| --- " * 6 + "|"]
        for way in WAYS:
            cells = [self.kills[way], *(self.found[way][what] for what in COUNTS)]
            lines.append(f"| {way} | " + " | ".join(map(str, cells)) + " |")
        cells = [sum(self.kills.values()), *map(self.total, COUNTS)]
        lines.append("| all | " + " | ".join(map(str, cells)) + " |")
        moments = ", ".join(f"{self.moments[name]} {name}" for name in MOMENTS)
        return "\n".join(
            [
                *lines,
                "",
                f"{self.runs} videos; kills while {moments}; the slowest "
                f"program was gone {self.slowest_end_s:.1f} s after its kill "
                f"({self.slowest}).",
            ]
        )


class Run:
    """The program under way, on so many ranks; all its processes bear a mark."""

    def __init__(self, folder: Path, ranks: int) -> None:
        self.folder, self.mark = folder, f"{os.getpid()}-{time.monotonic_ns()}"
        self.log = (folder / "log.txt").open("ab")
        launcher = shutil.which(
            "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        if launcher is None:
            raise SystemExit("There is no mpirun beside this Python or on the PATH.")
        self.mpirun = subprocess.Popen(
            [
                launcher,
                "-n",
                str(ranks),
                sys.executable,
                "-m",
                "fastvid",
                "clip.mp4",
                "-o",
                "out.mkv",
                "--style",
                "style.pt",
                "--threads",
                "1",
                "--codec",
                "ffv1",
            ],
            cwd=folder,
            env={**os.environ, _MARK: self.mark, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def processes(self, only_ranks: bool = False) -> list[int]:
        """What is still there of the program."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue  # gone meanwhile, not a process, or not ours
            if f"{_MARK}={self.mark}".encode() in words:
                if not only_ranks or any(word.startswith(b"PMI_RANK=") for word in words):
                    found.append(int(entry.name))
        return found

    def gone_within(self, timeout: float) -> bool:
        """Whether all processes end in time."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.mpirun.poll() is not None and not self.processes():
                return True
            time.sleep(_LOOK_AROUND_S)
        return False

    def wait_gone(self, timeout: float) -> bool:
        """The same; kills what is left otherwise."""
        if self.gone_within(timeout):
            return True
        for process in self.processes():
            _signal(process, signal.SIGKILL)
        self.mpirun.wait()
        return False

    def close(self) -> None:
        """Leaves nothing behind."""
        self.wait_gone(0.0)
        self.log.close()


def main() -> int:
    """Runs the chaos; the exit status is 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="works here, and leaves everything there")
    parser.add_argument("--json", type=Path, help="writes the counts here")
    parsed = parser.parse_args()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="fastvid-chaos-"))
    tally = Tally()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_material(folder)
        peace = run_in_peace(folder)
        dice = random.Random(parsed.seed)
        while sum(tally.kills.values()) < parsed.kills:
            one_video(folder / f"run-{tally.runs}", peace, dice, parsed.kills, tally)
            sys.stderr.write(
                f"{sum(tally.kills.values())} kills, {tally.runs} videos, "
                f"{len(tally.stories)} findings\n"
            )
    finally:
        if parsed.folder is None and not tally.stories:
            shutil.rmtree(folder, ignore_errors=True)
    print(tally.table())
    for story in tally.stories:
        print(story)
    if parsed.json:
        counts = {what: tally.total(what) for what in COUNTS}
        parsed.json.write_text(json.dumps({"kills": sum(tally.kills.values()), **counts}))
    return 1 if tally.stories else 0


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
        time.sleep(_POLL_S)
    starting_s = time.monotonic() - began
    if not run.wait_gone(PATIENCE_S) or run.mpirun.returncode:
        raise SystemExit(f"A run in peace failed:\n{(folder / 'log.txt').read_text()}")
    with RunFile(folder / "out.h5") as file:
        frames = np.stack([file.frame(index) for index in range(file.frame_count)])
    return Peace(frames, (folder / "out.h5").stat().st_size, starting_s)


def one_video(folder: Path, peace: Peace, dice: random.Random, most: int, tally: Tally) -> None:
    """Kills a video's run a few times, then lets it come to its end."""
    fresh_folder(folder)
    stored: set[int] = set()
    story, way = "", WAYS[0]
    for _ in range(KILLS_A_RUN):
        if sum(tally.kills.values()) >= most:
            break
        ranks = dice.choice(RANKS)
        way, moment = dice.choice(WAYS), dice.choice(MOMENTS)
        run = Run(folder, ranks)
        wait_for_moment(run, peace, moment, dice)
        if run.mpirun.poll() is None:
            tally.kills[way] += 1
            tally.moments[moment] += 1
            story += f"{folder.name}: {way} of {ranks} while {moment}; "
            began = time.monotonic()
            if not kill(run, way, dice):
                tally.blame(way, "hangs", story)
            seconds = time.monotonic() - began
            if seconds > tally.slowest_end_s:
                tally.slowest_end_s, tally.slowest = seconds, f"{way} while {moment}"
        run.close()
        if run.mpirun.returncode == 2:
            tally.blame(way, "files that do not open", story + last_words(folder))
            return
        stored = check(folder, peace, stored, way, story, tally)
        if (folder / "out.mkv").exists():
            break  # the kill came too late
    tally.runs += 1
    status: int | None = EXIT_RUN_AGAIN
    run = Run(folder, dice.choice(RANKS))
    if run.wait_gone(PATIENCE_S):
        status = run.mpirun.returncode
    else:
        tally.blame(way, "hangs", story + "and started again in peace")
    run.close()
    if status:
        tally.blame(
            way, "files that do not open", f"{story}ended with {status}: " + last_words(folder)
        )
        return
    check(folder, peace, set(range(FRAMES)), way, story, tally)
    check_video(folder, peace, way, story, tally)
    if not tally.stories:
        shutil.rmtree(folder)


def wait_for_moment(run: Run, peace: Peace, moment: str, dice: random.Random) -> None:
    """Until the run has come to a random point of its start, its work or its end."""
    run_file, output = run.folder / "out.h5", run.folder / "out.mkv"
    size = run_file.stat().st_size if run_file.exists() else 0
    share, pause = dice.random(), dice.random() * _JITTER_S
    began = time.monotonic()
    while run.mpirun.poll() is None:
        now = run_file.stat().st_size if run_file.exists() else 0
        if moment == "starting" and time.monotonic() - began > share * peace.starting_s:
            return
        if moment == "computing" and now > size + share * (peace.run_bytes - size):
            return
        parts = run.folder / ".out.mkv.parts"
        if moment == "finishing" and now >= 0.98 * peace.run_bytes and parts.exists():
            break
        if time.monotonic() - began > PATIENCE_S or output.exists():
            return
        time.sleep(_POLL_S)
    time.sleep(pause)


def kill(run: Run, way: str, dice: random.Random) -> bool:
    """Does what the way says; whether the program is gone in time."""
    deadline = time.monotonic() + HANG_S
    if way == "terminate mpirun":
        while time.monotonic() < deadline - REPEAT_S:
            _signal(run.mpirun.pid, signal.SIGTERM)
            if run.gone_within(REPEAT_S):
                return True
    elif way == "kill a rank" and (ranks := sorted(run.processes(only_ranks=True))):
        _signal(dice.choice(ranks), signal.SIGKILL)
    else:
        _signal(run.mpirun.pid, signal.SIGKILL)
    return run.wait_gone(deadline - time.monotonic())


def check(
    folder: Path, peace: Peace, before: set[int], way: str, story: str, tally: Tally
) -> set[int]:
    """Opens what the kill has left; returns the frames in it."""
    if not (folder / "out.h5").exists():
        if before:
            tally.blame(way, "frames lost", story, len(before))
        return set()
    try:
        with RunFile(folder / "out.h5") as file:
            stored = set(np.flatnonzero(file.stored).tolist())
            wrong = [
                index
                for index in stored
                if not np.array_equal(file.frame(index), peace.frames[index])
            ]
    except InputError as error:
        tally.blame(way, "files that do not open", f"{story}{error}")
        return before
    if wrong:
        tally.blame(way, "wrong bytes", f"{story}frames {wrong}", len(wrong))
    if before - stored:
        tally.blame(
            way, "frames lost", f"{story}frames {sorted(before - stored)}", len(before - stored)
        )
    return stored


def check_video(folder: Path, peace: Peace, way: str, story: str, tally: Tally) -> None:
    """The video holds every frame as it is in the run file (the codec is lossless)."""
    with open_source(
        str(folder / "out.mkv"), size=None, frames=None, fps=None, on_error="stop"
    ) as source:
        frames = [frame.image for frame in source]
    if len(frames) < FRAMES:
        tally.blame(way, "frames lost", f"{story}the video has {len(frames)}", FRAMES - len(frames))
    wrong = sum(not np.array_equal(a, b) for a, b in zip(frames, peace.frames))
    if wrong:
        tally.blame(way, "wrong bytes", f"{story}in the video", wrong)


def last_words(folder: Path) -> str:
    """The end of what the program wrote."""
    return (folder / "log.txt").read_text(errors="replace")[-500:].strip()


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass  # it was faster


if __name__ == "__main__":
    sys.exit(main())
