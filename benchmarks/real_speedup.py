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
from collections.abc import Iterator
from pathlib import Path

from harness.clips import demo_clip
from harness.result import Bar, Figure, add_json_option, measured, write_result

# (ranks, threads of each)
Setting = tuple[int, int]
SETTINGS: tuple[Setting, ...] = ((1, 1), (2, 1), (1, 2))
# How many times faster two ranks of one thread have to be than these.
BARS: dict[Setting, float] = {(1, 1): 1.8, (1, 2): 1.0}
_SUMMARY = re.compile(r"frames in \d+ shots? on \d+ ranks? in ([\d.]+) s")


def main() -> int:
    """Runs the settings in turn and prints medians and ratios."""
    parsed = _parse()
    clip = demo_clip(parsed.size, parsed.frames)
    job: dict[Setting, list[float]] = {setting: [] for setting in SETTINGS}
    whole: dict[Setting, list[float]] = {setting: [] for setting in SETTINGS}
    for number in range(parsed.repeats + 1):
        for setting in SETTINGS:
            seconds = run(clip, *setting, parsed.style, parsed.bind)
            if number:  # the first round warms up
                job[setting].append(seconds[0])
                whole[setting].append(seconds[1])
    figures = list(figures_of(job, whole, "bound" if parsed.bind else "not bound"))
    for figure in figures:
        of = ", ".join(f"{name} {value}" for name, value in figure.of.items())
        unit = "" if figure.unit == "ratio" else f" {figure.unit}"
        spread = "" if figure.low is None else f" ({figure.low:.2f} to {figure.high:.2f})"
        bar = "" if figure.bar is None else f", bar {figure.bar}"
        sys.stdout.write(f"{figure.name}, {of}: {figure.value:.2f}{unit}{spread}{bar}\n")
    write_result(parsed.json, measured("real_speedup", parsed, figures))
    return 0


def figures_of(
    job: dict[Setting, list[float]], whole: dict[Setting, list[float]], cores: str
) -> Iterator[Figure]:
    """Medians of each setting's seconds (least and most), and their ratios.

    cores: bound or not bound.
    """
    for name, seconds in (("job", job), ("whole command", whole)):
        for (ranks, threads), times in seconds.items():
            of = {"cores": cores, "ranks x threads": f"{ranks} x {threads}"}
            yield Figure(name, statistics.median(times), "s", of, min(times), max(times))
    medians = {setting: statistics.median(times) for setting, times in job.items()}
    for (ranks, threads), bar in BARS.items():
        yield Figure(
            "speed-up of 2 x 1",
            medians[ranks, threads] / medians[2, 1],
            "ratio",
            {"cores": cores, "over": f"{ranks} x {threads}"},
            bar=Bar(at_least=bar),
        )


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
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
