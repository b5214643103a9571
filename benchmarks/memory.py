"""Memory and processor time of the ranks: both must not depend on the length of the video.

    python benchmarks/memory.py --json memory.json
    python benchmarks/memory.py --parts sleeping --size 3840x2160 --discard-frames

Real frames of 1280x720 travel, computing is sleeping. The same once for real, at a small size. Then
one rank computes while others wait. The method is in benchmarks/README.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from harness.arguments import numbers_of, size_of, words_among
from harness.clips import make_clip, repeated
from harness.emulation import COSTS_FORM, Costs, costs_of
from harness.point import PointSettings, start_point
from harness.result import Bar, Figure, add_json_option, measured, write_result

PARTS = ("sleeping", "computing", "waiting")
SIZE = (1280, 720)
REAL_SIZE = (160, 90)
# One segment: one rank computes for about so long, all others wait.
_WAIT_FRAMES = 4
_WAIT_S = 20.0
GROWTH_BAR = 0.05
WAITING_BAR = 0.02


def main() -> int:
    """Measures and prints the tables."""
    parsed = _parse()
    figures = [
        figure
        for name, size in (("sleeping", parsed.size), ("computing", REAL_SIZE))
        if name in parsed.parts
        for figure in _peaks(parsed, name, size)
    ]
    if "waiting" in parsed.parts:
        figures += _shares_of_waiting(parsed)
    write_result(parsed.json, measured("memory", parsed, figures))
    return 0


def _peaks(parsed: argparse.Namespace, how: str, size: tuple[int, int]) -> list[Figure]:
    """Measures all lengths and prints the table of one size. how: sleeping or computing."""
    points = [
        _point(parsed, size, frames, parsed.cost, real=how == "computing")
        for frames in parsed.frames
    ]
    peaks = [[fact["peak_kb"] / 1024 for fact in point["rank_facts"]] for point in points]
    growth = [last / first - 1 for first, last in zip(peaks[0], peaks[-1], strict=True)]
    sys.stdout.write(f"peak resident memory, MiB, {size[0]}x{size[1]}, {how}\n")
    sys.stdout.write(
        "rank   "
        + "".join(f"{frames:>8} frames" for frames in parsed.frames)
        + f"  growth (bar {GROWTH_BAR:.0%})\n"
    )
    for rank, grown in enumerate(growth):
        row = "".join(f"{peak[rank]:>15.1f}" for peak in peaks)
        sys.stdout.write(f"{rank:<7}{row}{grown:>8.1%}\n")
    sys.stdout.flush()
    kind = {"size": f"{size[0]}x{size[1]}", "stages": how}
    return [
        *(
            Figure("peak", mib, "MiB", {**kind, "frames": frames, "rank": f"rank {rank}"})
            for frames, ranks in zip(parsed.frames, peaks, strict=True)
            for rank, mib in enumerate(ranks)
        ),
        *(
            Figure(
                "growth",
                grown,
                "of the shortest film's",
                {**kind, "frames": "growth", "rank": f"rank {rank}"},
                bar=Bar(at_most=GROWTH_BAR),
            )
            for rank, grown in enumerate(growth)
        ),
    ]


def _shares_of_waiting(parsed: argparse.Namespace) -> list[Figure]:
    """Measures what waiting takes and prints it."""
    waiting = _waiting(parsed)
    sys.stdout.write(
        f"share of a core that a waiting rank uses (bar {WAITING_BAR:.0%}): "
        + ", ".join(f"{share:.2%}" for share in waiting)
        + "\n"
    )
    return [
        Figure(
            "waiting", share, "of a core", {"waiting rank": number}, bar=Bar(at_most=WAITING_BAR)
        )
        for number, share in enumerate(waiting, start=1)
    ]


def _waiting(parsed: argparse.Namespace) -> list[float]:
    """The share of a core of each rank that has nothing to do but wait, rank 0 left out."""
    costs = Costs(0.0, _WAIT_S / _WAIT_FRAMES, 0.0)
    facts = _point(parsed, SIZE, _WAIT_FRAMES, costs)["rank_facts"]
    shares = sorted(fact["cpu_seconds"] / fact["seconds"] for fact in facts if fact["rank"])
    return shares[:-1]  # the one with the most has computed


def _point(
    parsed: argparse.Namespace, size: tuple[int, int], frames: int, costs: Costs, real: bool = False
) -> dict[str, Any]:
    shortest = min(parsed.frames[0], frames)
    # As long as it takes, of the frames of the shortest one: large ones take long to make.
    clip = repeated(make_clip(size, shortest), frames // shortest)
    return start_point(
        PointSettings(
            clip=str(clip),
            cuts="none",
            folder=str(parsed.folder or ""),
            costs=costs,
            slow=False,
            preset=parsed.preset,
            nice=parsed.nice,
            leader_computes=real,
            digest=False,
            real=real,
            discard=parsed.discard_frames,
        ),
        parsed.ranks,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument(
        "--parts", type=words_among(PARTS), default=list(PARTS), help=f"of {','.join(PARTS)}"
    )
    parser.add_argument(
        "--size", type=size_of, default=SIZE, metavar="WxH", help="of frames without computing"
    )
    parser.add_argument(
        "--discard-frames", action="store_true", help="as the job's option: less room is needed"
    )
    parser.add_argument(
        "--frames",
        type=numbers_of,
        default=[300, 3000],
        help="lengths, the shortest first",
    )
    parser.add_argument(
        "--cost",
        type=costs_of,
        default=Costs(0.0, 0.1, 0.0),
        metavar=COSTS_FORM,
        help="seconds a frame (default: what rank 0 can keep up with, as in any real run)",
    )
    parser.add_argument("--preset", default="ultrafast", help="of libx264")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="where run files are written: 8.3 GB for 3,000 frames"
    )
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
