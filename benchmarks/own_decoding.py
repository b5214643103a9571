"""What it costs a rank to decode its own segments, by reading on and by seeking.

    python benchmarks/own_decoding.py --json own_decoding.json

A rank's next segment lies ranks * 4 frames further. The method is in benchmarks/README.md.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from emulation import make_clip
from fastvid.decode import random_access
from fastvid.decode.film import open_source
from fastvid.decode.film_index import FilmIndex
from fastvid.job.decoding import decoded_a_frame
from fastvid.job.options import DEFAULT_SEGMENT_LENGTH
from report import machine, write_json

CACHE = Path(__file__).resolve().parent.parent / ".data" / "benchmarks"
_RANKS_TRIED = 4
_SEGMENTS_TRIED = 8
# Values of the cost of seeking: the first leaves no choice. For the second the reader forgets where
# it is before each segment.
_WAYS = {
    "on": 1 << 30,
    "seek": random_access.SEEK_COST_FRAMES,
    "chosen": random_access.SEEK_COST_FRAMES,
}


def main() -> int:
    """Measures each clip and prints the table."""
    parsed = _parse()
    points = []
    sys.stdout.write(
        "ms of processor time a frame that is used, and frames decoded for it\n"
        f"{'size':<10} {'group':>5} {'ranks':>5} {'in order':>9} "
        + "".join(f"{way:>9}" for way in _WAYS)
        + f"{'decoded':>9}\n"
    )
    for size in parsed.sizes:
        for group in parsed.groups:
            clip = make_clip(CACHE, size, parsed.frames, group)
            with open_source(str(clip)) as source:
                index = source.index()
                assert isinstance(index, FilmIndex)
                in_order = _in_order(source, parsed.repeats)
            for ranks in parsed.ranks:
                point: dict[str, Any] = {
                    "size": f"{size[0]}x{size[1]}",
                    "group": group,
                    "ranks": ranks,
                    "in order": in_order,
                }
                point["decoded"] = decoded_a_frame(
                    index.entries, index.stop, DEFAULT_SEGMENT_LENGTH, ranks
                )
                for way in _WAYS:
                    point[way] = _own_segments(index, ranks, way, parsed)
                points.append(point)
                sys.stdout.write(
                    f"{point['size']:<10} {group:>5} {ranks:>5} {1000 * in_order:>9.2f} "
                    + "".join(f"{1000 * point[way]:>9.2f}" for way in _WAYS)
                    + f"{point['decoded']:>9.1f}\n"
                )
                sys.stdout.flush()
    if parsed.json:
        write_json(parsed.json, {"machine": machine(), "points": points})
    return 0


def _in_order(source: Any, repeats: int) -> float:
    """Seconds a frame of decoding the whole clip in order."""
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in source:
            pass
        seconds.append((time.process_time() - began) / source.frame_count)
    return statistics.median(seconds)


def _own_segments(index: FilmIndex, ranks: int, way: str, parsed: argparse.Namespace) -> float:
    """Seconds a frame of reading segments of one rank, mean over some of both.

    The halo is not counted as used. A rank's first segment, which opens the file, is not counted.
    """
    length = DEFAULT_SEGMENT_LENGTH
    random_access.SEEK_COST_FRAMES = _WAYS[way]
    seconds = []
    for _ in range(parsed.repeats):
        spent, used = 0.0, 0
        for rank in {ranks * part // _RANKS_TRIED for part in range(_RANKS_TRIED)}:
            first, *starts = range(rank * length, parsed.frames - length, ranks * length)
            reader = random_access.FilmReader(index)
            reader.read(max(0, first - 1), first + length)
            began = time.process_time()
            for start in starts[:_SEGMENTS_TRIED]:
                if way == "seek":
                    reader._position = None
                reader.read(start - 1, start + length)
            spent += time.process_time() - began
            used += min(len(starts), _SEGMENTS_TRIED) * length
            reader.close()
        seconds.append(spent / used)
    return statistics.median(seconds)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=_sizes, default=_sizes("640x360,1280x720"))
    parser.add_argument(
        "--groups", type=_numbers, default=[12, 250], help="frames from key frame to key frame"
    )
    parser.add_argument("--ranks", type=_numbers, default=[2, 4, 16, 64])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    pairs = [part.split("x") for part in text.split(",")]
    return [(int(width), int(height)) for width, height in pairs]


if __name__ == "__main__":
    sys.exit(main())
