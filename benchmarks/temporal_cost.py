"""What the motion of a frame and its temporal pass cost, step by step.

    python benchmarks/temporal_cost.py --size 640x360 --threads 1

Consecutive frames of the generated clip. The last row is the serial part, one warp and one mix:
what every frame of a shot has to wait for, however many ranks there are.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

from fastvid.commands.clip.clip import SyntheticClip
from fastvid.motion.flow import DEFAULT_FLOW_METHOD, FLOW_METHODS, FlowEstimator
from fastvid.motion.occlusion import reliable_mask
from fastvid.stages.temporal import DEFAULT_STRENGTH, plan_step, trust_gate
from fastvid.style.model import set_threads
from fastvid.system.allocator import keep_freed_memory
from fastvid.system.resources import processor_name
from harness.arguments import size_of
from harness.result import Bar, Figure, add_json_option, measured, write_result

SERIAL_BAR_MS = 4.0
_SERIAL = "serial part: warp and mix"
Given = ParamSpec("Given")
Result = TypeVar("Result")


def main() -> None:
    """Prints medians and quartiles."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="640x360", metavar="WxH")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--flow", choices=FLOW_METHODS, default=DEFAULT_FLOW_METHOD)
    add_json_option(parser)
    args = parser.parse_args()
    set_threads(args.threads)
    figures = measure(SyntheticClip(*size_of(args.size), frame_count=args.frames + 1), args.flow)
    print(
        f"{args.size}, {args.threads} thread(s) of {processor_name()}, {args.frames} frames, "
        "ms a frame: median (quartiles)"
    )
    for one in figures:
        bar = "" if one.bar is None else f"   bar {one.bar}"
        print(f"{one.name:34} {one.value:6.2f} ({one.low:.2f} to {one.high:.2f}){bar}")
    write_result(args.json, measured("temporal_cost", args, figures))


class Stopwatch:
    """Times steps by name. seconds: those of each call.

    A time is the shorter of wall clock and processor time: a busy machine does not count.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def timed(
        self, name: str, step: Callable[Given, Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """What the step returns."""
        wall, processor = time.perf_counter(), time.process_time()
        result = step(*given, **named)
        taken = min(time.perf_counter() - wall, time.process_time() - processor)
        self.seconds.setdefault(name, []).append(taken)
        return result


def measure(clip: SyntheticClip, method: str) -> list[Figure]:
    """Milliseconds of each step, medians and quartiles, without the first two frames."""
    watch, both_ways = Stopwatch(), f"{method}, both ways"
    estimate = FlowEstimator(method, 1.0)
    previous = finished = clip.frame(0)
    for index in range(1, clip.frame_count):
        frame = clip.frame(index)
        backward, forward = watch.timed(both_ways, _both_ways, estimate, frame, previous)
        reliable = watch.timed("consistency", reliable_mask, backward, forward, False)
        gate = watch.timed(
            "trust gate", trust_gate, frame, previous, backward, reliable, DEFAULT_STRENGTH
        )
        step = watch.timed("plan of the serial part", plan_step, backward, gate)
        finished = watch.timed(_SERIAL, step.apply, frame, finished)
        previous = frame
    return [_figure(name, times[1:]) for name, times in watch.seconds.items()]


def _both_ways(
    estimate: FlowEstimator, frame: np.ndarray, previous: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Backward and forward flow."""
    return estimate(frame, previous), estimate(previous, frame)


def _figure(name: str, seconds: list[float]) -> Figure:
    low, middle, high = statistics.quantiles([1000 * one for one in seconds], n=4)
    bar = Bar(at_most=SERIAL_BAR_MS) if name == _SERIAL else None
    return Figure(name, middle, "ms a frame", low=low, high=high, bar=bar)


if __name__ == "__main__":
    main()
