"""Speed-up with real compute on this machine: one or two ranks, one or two threads.

    python benchmarks/real_speedup.py --repeats 5 --json real.json
    python benchmarks/real_speedup.py --bind       # each rank on as many cores as it has threads

Paints the generated clip; the settings take turns. The method is in benchmarks/README.md.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import machine, write_json

CACHE = Path(__file__).resolve().parent.parent / ".data" / "benchmarks"
# (ranks, threads of each)
SETTINGS = ((1, 1), (2, 1), (1, 2))
SPEED_UP_BAR = 1.8
_SUMMARY = re.compile(r"frames in \d+ shots? on \d+ ranks? in ([\d.]+) s")


def main() -> int:
    """Runs the settings in turn and prints medians and ratios."""
    parsed = _parse()
    clip = CACHE / f"demo-{parsed.size}-{parsed.frames}.mp4"
    if not clip.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                sys.executable,
                "-m",
                "fastvid",
                "clip",
                str(clip),
                "--size",
                parsed.size,
                "--frames",
                str(parsed.frames),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    job: dict[tuple[int, int], list[float]] = {setting: [] for setting in SETTINGS}
    whole: dict[tuple[int, int], list[float]] = {setting: [] for setting in SETTINGS}
    for number in range(parsed.repeats + 1):
        for setting in SETTINGS:
            seconds = run(clip, *setting, parsed.style, parsed.bind)
            if number:  # the first round warms up
                job[setting].append(seconds[0])
                whole[setting].append(seconds[1])
    medians = {setting: statistics.median(times) for setting, times in job.items()}
    for setting in SETTINGS:
        ranks, threads = setting
        times = sorted(job[setting])
        sys.stdout.write(
            f"{ranks} rank(s) x {threads} thread(s): median {medians[setting]:.2f} s "
            f"({times[0]:.2f} to {times[-1]:.2f}), whole command "
            f"{statistics.median(whole[setting]):.2f} s\n"
        )
    speed_up = medians[1, 1] / medians[2, 1]
    against_threads = medians[1, 2] / medians[2, 1]
    sys.stdout.write(
        f"2 ranks against 1: {speed_up:.2f} times (bar {SPEED_UP_BAR})\n"
        "2 ranks against 1 rank with 2 threads: "
        f"{against_threads:.2f} times (bar 1)\n"
    )
    if parsed.json:
        write_json(
            parsed.json,
            {
                "machine": machine(),
                "frames": parsed.frames,
                "size": parsed.size,
                "style": parsed.style,
                "bound": parsed.bind,
                "speed_up": speed_up,
                "against_threads": against_threads,
                "job_seconds": {f"{r}x{t}": job[r, t] for r, t in SETTINGS},
                "command_seconds": {f"{r}x{t}": whole[r, t] for r, t in SETTINGS},
            },
        )
    return 0


def run(clip: Path, ranks: int, threads: int, style: str, bind: bool) -> tuple[float, float]:
    """Seconds of the job, as the program itself says, and of the whole command."""
    with tempfile.TemporaryDirectory(prefix="fastvid-real-") as folder:
        binding = ["-bind-to", f"core:{threads}"] if bind else []
        command = [
            "mpirun",
            *binding,
            "-n",
            str(ranks),
            sys.executable,
            "-m",
            "fastvid",
            "stylize",
            str(clip),
            "-o",
            str(Path(folder) / "out.mp4"),
            "--style",
            style,
            "--threads",
            str(threads),
            "--device",
            "cpu",
            "--progress",
            "lines",
        ]
        began = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.monotonic() - began
    found = _SUMMARY.search(done.stderr + done.stdout)
    if found is None:
        raise RuntimeError(f"no summary in: {done.stderr}")
    return float(found[1]), seconds


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--style", default="starry_night")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--bind",
        action="store_true",
        help="binds each rank to as many cores as it has threads, as batch systems do",
    )
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
