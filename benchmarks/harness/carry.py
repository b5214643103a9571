"""What rank 0 alone carries: decode, cuts, deal, gather, store and encode, without computing."""

import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clips import make_clip
from harness.emulation import Costs
from harness.point import PointSettings, start_point
from harness.result import Figure
from harness.thread_times import OTHERS

CARRIED_SIZES = "1280x720,1920x1080"
WAYS = ("rank0:auto",)
PRESETS = ("medium", "ultrafast")
# Who encodes while frames are still to come.
ENCODERS = ("rank0",)
# Rank 0's threads (see fastvid.job.run), in the order of the data's way.
PARTS = {
    "fastvid-readahead": "decode, cuts",
    "MainThread": "deal, gather",
    "fastvid-store": "store",
    "fastvid-encode": "encode",
}


@dataclass(frozen=True)
class How:
    """How a row is measured: frames of the clip, repeats, nice value, folder of the run files."""

    frames: int = 120
    repeats: int = 3
    nice: int = 0
    folder: Path | None = None


def print_table(
    sizes: Sequence[tuple[int, int]],
    ways: Sequence[str],
    presets: Sequence[str],
    how: How,
    encoders: Sequence[str] = ENCODERS,
) -> list[dict[str, Any]]:
    """Measures every combination and prints a row for each as it comes; returns them."""
    sys.stdout.write(
        f"{'size':<10} {'way':<11} {'preset':<10} {'encoder':<8} {'ms a frame':<66} "
        f"{'one core':>9} {'a core each':>12} {'here':>6}\n"
    )
    results = []
    for size, way, preset, encoder in itertools.product(sizes, ways, presets, encoders):
        result = measure(size, way, preset, how, encoder)
        results.append(result)
        parts = ", ".join(
            f"{name} {1000 * seconds:.1f}" for name, seconds in result["seconds_a_frame"].items()
        )
        sys.stdout.write(
            f"{result['size']:<10} {way:<11} {preset:<10} {encoder:<8} {parts:<66} "
            f"{result['fps_one_core']:>9.1f} {result['fps_core_each']:>12.1f} "
            f"{result['fps_here']:>6.1f}\n"
        )
        sys.stdout.flush()
    return results


def measure(
    size: tuple[int, int], way: str, preset: str, how: How, encoder: str = "rank0"
) -> dict[str, Any]:
    """One row: medians over the repeats, seconds of processor time a frame by part.

    encoder: `rank0` encodes, or leaves that to `others`, for which it reads and sends the frames;
    what it encodes at the end then does not count.
    """
    clip = make_clip(size, how.frames)
    decoder, _, cuts_option = way.partition(":")
    settings = PointSettings(
        clip=str(clip),
        cuts=cuts_option,
        folder=str(how.folder or ""),
        costs=Costs(0, 0, 0),
        slow=False,
        preset=preset,
        nice=how.nice,
        decode=decoder,
        leader_computes=False,
        leader_encodes=encoder == "rank0",
        digest=False,
        watch_threads=True,
    )
    points = [start_point(settings, ranks=2) for _ in range(how.repeats)]
    parts = [parts_of(point["thread_cpu_seconds"]) for point in points]
    seconds = {
        name: statistics.median(part.get(name, 0.0) for part in parts) / how.frames
        for name in PARTS.values()
    }
    decode = seconds.pop("decode, cuts")
    cuts = 0.0
    if cuts_option == "auto":
        alone = min(decode, decode_seconds(clip) / how.frames)
        decode, cuts = alone, decode - alone
    seconds = {"decode": decode, "cuts": cuts, **seconds}
    if encoder == "others":
        seconds["encode"] = 0.0
    slowest = max(decode + cuts, *(seconds[name] for name in ("deal, gather", "store", "encode")))
    return {
        "size": f"{size[0]}x{size[1]}",
        "way": way,
        "preset": preset,
        "encoder": encoder,
        "frames": how.frames,
        "seconds_a_frame": seconds,
        "fps_one_core": 1 / sum(seconds.values()),
        "fps_core_each": 1 / slowest,
        "fps_here": statistics.median(how.frames / point["seconds"] for point in points),
    }


def parts_of(thread_seconds: Mapping[str, float]) -> dict[str, float]:
    """Processor seconds by part; what an encoder's own threads use belongs to encoding."""
    parts = {part: thread_seconds.get(thread, 0.0) for thread, part in PARTS.items()}
    parts["encode"] += thread_seconds.get(OTHERS, 0.0)
    return parts


def decode_seconds(clip: Path) -> float:
    """Processor seconds of decoding a clip to RGB, without cut detection."""
    from fastvid.decode.film import open_source

    with open_source(str(clip), size=None, frames=None, fps=None, on_error="stop") as source:
        began = time.process_time()
        for _ in source:
            pass
        return time.process_time() - began


def carry_figures(results: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """The rows of `print_table` as figures; ms are of processor time for each frame."""
    for row in results:
        of = {key: row[key] for key in ("size", "way", "preset", "encoder")}
        for part, seconds in row["seconds_a_frame"].items():
            yield Figure(part, 1000 * seconds, "ms", of)
        yield Figure("one core", row["fps_one_core"], "frames/s", of)
        yield Figure("a core a thread", row["fps_core_each"], "frames/s", of)
        yield Figure("here", row["fps_here"], "frames/s", of)
