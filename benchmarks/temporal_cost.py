"""What the motion of a frame and its temporal pass cost, step by step.

    python benchmarks/temporal_cost.py --size 640x360 --threads 1

Consecutive frames of the generated clip. The last row is the serial part, one warp and one mix:
what every frame of a shot has to wait for, however many ranks there are.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from fastvid.commands.clip import SyntheticClip
from fastvid.motion.flow import DEFAULT_FLOW_METHOD, FLOW_METHODS, FlowEstimator
from fastvid.motion.occlusion import reliable_mask
from fastvid.stages.temporal import DEFAULT_STRENGTH, plan_step, trust_gate
from fastvid.style.model import set_threads
from fastvid.system.allocator import keep_freed_memory
from fastvid.system.resources import processor_name

SERIAL_BAR_MS = 4.0
Result = TypeVar("Result")


def main() -> None:
    """Prints medians and quartiles."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="640x360", metavar="WxH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--flow", choices=FLOW_METHODS, default=DEFAULT_FLOW_METHOD)
    args = parser.parse_args()
    set_threads(args.threads)
    width, height = (int(side) for side in args.size.split("x"))
    seconds = measure(SyntheticClip(width, height, frame_count=args.frames + 1), args.flow)
    print(
        f"{args.size}, {args.threads} thread(s) of {processor_name()}, {args.frames} frames, "
        "ms a frame: median (quartiles)"
    )
    for name, times in seconds.items():
        low, middle, high = statistics.quantiles([1000 * one for one in times], n=4)
        bar = f"   bar {SERIAL_BAR_MS:g}" if name.startswith("serial") else ""
        print(f"{name:34} {middle:6.2f} ({low:.2f} to {high:.2f}){bar}")


def measure(clip: SyntheticClip, method: str) -> dict[str, list[float]]:
    """Seconds of each step for each frame but the first two, which warm up."""
    seconds: dict[str, list[float]] = {}

    def timed(name: str, step: Callable[[], Result]) -> Result:
        """A time is the shorter of wall clock and processor time: a busy machine does not count."""
        wall, processor = time.perf_counter(), time.process_time()
        result = step()
        taken = min(time.perf_counter() - wall, time.process_time() - processor)
        seconds.setdefault(name, []).append(taken)
        return result

    estimate = FlowEstimator(method, 1.0)
    previous = finished = clip.frame(0)
    for index in range(1, clip.frame_count):
        frame = clip.frame(index)
        backward = timed(
            f"{method}, both ways", lambda: (estimate(frame, previous), estimate(previous, frame))
        )
        reliable = timed("consistency", lambda: reliable_mask(*backward, False))
        gate = timed(
            "trust gate",
            lambda: trust_gate(frame, previous, backward[0], reliable, DEFAULT_STRENGTH),
        )
        step = timed("plan of the serial part", lambda: plan_step(backward[0], gate))
        finished = timed("serial part: warp and mix", lambda: step.apply(frame, finished))
        previous = frame
    return {name: times[1:] for name, times in seconds.items()}


if __name__ == "__main__":
    main()
